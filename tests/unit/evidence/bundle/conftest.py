"""What goes into the bundle of a validated, signed and promoted version, and a platform that attests it."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from domain.change_control import GateDecision, TestSetOpening
from domain.electronic_signature import ElectronicSignature, SignatureMeaning, Signer, SignerRole
from domain.identifiers import sha256_of
from domain.model_version import ModelManifest
from evidence.attestation import attest
from evidence.bundle import pack, seal
from evidence.ed25519 import key_id, public_key_of
from evidence.judgement import PlannedValidation
from evidence.page import render
from evidence.plan import read_plan
from evidence.record import Environment, ValidationReport
from evidence.report import report_bytes
from evidence.sbom import Package, sbom_bytes
from evidence.signatures import sign, signatures_bytes

AT = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)
TASK = "chest_xray_pneumonia"
PLAN = b"""schema_version: 1
task: chest_xray_pneumonia
intended_use: Orders the worklist.
population: Children with a chest radiograph.
reference_standard: Two physicians, a third for the test data.
missing_data: No film is left out.
operating_point: Highest specificity with sensitivity at least 0.95 on tuning data.
min_sensitivity: 0.95
alpha: 0.025
primary: [{kind: bound, metric: auroc, at_least: 0.8}]
sample_size: [{endpoint: auroc_at_least, expected: 0.9, positive_share: 0.5, power: 0.8, samples: 100}]
test_set_reuse: {adjustment: bonferroni, max_models: 5}
"""
Files = dict[str, bytes]


class Platform:
    """An installation with its key."""

    def __init__(self, seed: int) -> None:
        key = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
        self.sign = key.sign
        self.pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        self.keyid = key_id(public_key_of(self.pem))


PLATFORM, OTHER_PLATFORM = Platform(1), Platform(3)
ROSA = Ed25519PrivateKey.from_private_bytes(bytes([2]) * 32)


def signed(data: bytes, *, role: SignerRole = SignerRole.CLINICIAN) -> ElectronicSignature:
    signer = Signer(
        name="rosa", printed_name="Dr. Rosa Müller", role=role, public_key=ROSA.public_key().public_bytes_raw().hex(),
        registered_at=AT,
    )  # fmt: skip
    return sign(
        signer, meaning=SignatureMeaning.APPROVAL, what=f"report.json of {TASK}/network-seed1", sha256=sha256_of(data),
        at=AT + timedelta(hours=3), sign=ROSA.sign,
    )  # fmt: skip


def opening(report: ValidationReport, **changes: Any) -> TestSetOpening:
    stated: dict[str, Any] = {
        "number": 1, "task": TASK, "dataset_version": report.test.dataset_version.name,
        "dataset_sha256": report.test.dataset_version.digest, "model_version": report.model.model_version,
        "model_sha256": report.provenance.model_sha256, "plan_sha256": sha256_of(PLAN), "purpose": "validation",
        "opened_by": "quinn", "opened_at": AT + timedelta(hours=1),
    }  # fmt: skip
    return TestSetOpening(**(stated | changes))


SBOM = sbom_bytes([Package(name="numpy", version="2.3.1", licences=("BSD-3-Clause",))])


@pytest.fixture(scope="session")
def validated(report: ValidationReport) -> ValidationReport:
    plan, digest = read_plan(PLAN, task=TASK)
    return report.model_copy(
        update={
            "planned": PlannedValidation(
                plan=plan, sha256=digest, registered_by="quinn", registered_at=AT, deviations=()
            ),
            "ledger": (opening(report),),
            "environment": Environment(python="3.11", platform="Linux", packages=1, sbom_sha256=sha256_of(SBOM)),
        }
    )


@pytest.fixture(scope="session")
def manifest(validated: ValidationReport, manifest_of: Callable[..., ModelManifest]) -> ModelManifest:
    return manifest_of(validated, report_sha256=sha256_of(report_bytes(validated)))


@pytest.fixture(scope="session")
def files(validated: ValidationReport, manifest: ModelManifest) -> Files:
    """What goes into the bundle of a validated, signed and promoted version."""
    report, pccp = report_bytes(validated), b"schema_version: 1\n"
    decision = GateDecision(
        task=TASK, model_version=manifest.model_version, variant=manifest.variant, champion=None, verdict="promote",
        changes=(), checks=(), report_sha256=sha256_of(report), plan_sha256=sha256_of(PLAN),
        pccp_sha256=sha256_of(pccp), decided_by="quinn", decided_at=AT + timedelta(hours=4), why="all criteria met",
    )  # fmt: skip
    run = (manifest.run_id, manifest.weights_sha256, manifest.dataset_version.digest, manifest.git_commit)
    return {
        "report.json": report,
        "report.html": render(validated, report_sha256=sha256_of(report), gallery={}).encode(),
        "report.pdf": b"%PDF-1.7\n%%EOF\n",
        "plan.yaml": PLAN,
        "pccp.yaml": pccp,
        "decision.json": decision.model_dump_json().encode(),
        "ledger.json": json.dumps([line.model_dump(mode="json") for line in validated.ledger]).encode(),
        "dataset.json": manifest.dataset_version.model_dump_json().encode(),
        "manifest.json": manifest.model_dump_json().encode(),
        "sbom.cdx.json": SBOM,
        "requirements.lock": b"numpy==2.3.1\n",
        "params.yaml": b"tasks:\n  chest_xray_pneumonia: {source: kermany_chest_xray, preset: demo}\n",
        "dvc.lock": b"schema: '2.0'\n",
        "run.json": json.dumps({"tags": run}).encode(),
        "signatures.json": signatures_bytes([signed(report)]),
    }


@pytest.fixture(scope="session")
def bundle(files: Files, manifest: ModelManifest) -> bytes:
    return seal(files, manifest=manifest, sign=PLATFORM.sign, public_key=PLATFORM.pem)


@pytest.fixture(scope="session")
def platform() -> Platform:
    return PLATFORM


@pytest.fixture(scope="session")
def other_platform() -> Platform:
    return OTHER_PLATFORM


@pytest.fixture(scope="session")
def attest_anyway(manifest: ModelManifest) -> Callable[..., bytes]:
    """A bundle by who holds a platform's key: whatever is inside is attested, without ``seal``'s refusal."""

    def make(files: Files, *, by: Platform = PLATFORM, of: ModelManifest = manifest) -> bytes:
        whole = {name: content for name, content in files.items() if name != "attestation.dsse.json"}
        whole = {"README.txt": b"", **whole, "platform.pub.pem": by.pem}
        return pack(whole | {"attestation.dsse.json": attest(whole, of, sign=by.sign, keyid=by.keyid)})

    return make


@pytest.fixture(scope="session")
def sign_report() -> Callable[..., ElectronicSignature]:
    """Rosa's approval of the report of these bytes."""
    return signed
