"""What README.txt of a bundle tells people to type really finds a true bundle true and a forged one forged."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from domain.codes import PNEUMONIA
from domain.dataset import DatasetVersion
from domain.electronic_signature import SignatureMeaning, Signer, SignerRole
from domain.identifiers import sha256_of
from domain.intended_use import IntendedUse
from domain.model_version import ModelManifest, OperatingPoint
from domain.preprocessing import Preprocessing
from evidence.bundle import seal, verify
from evidence.signatures import sign, signatures_bytes
from infra.keys import PlatformKey, SignerKeys, platform_key

AT = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)
PASSPHRASE = "a cat on a warm stove"
PLAN, PCCP, SBOM, DIGEST = b"task: chest\n", b"task: chest\n", b"{}\n", sha256_of(b"samples")
VALID = "Signature Verified Successfully"
OPENSSL, UNZIP = shutil.which("openssl"), shutil.which("unzip")


def report_of(manifest: dict[str, Any], opening: dict[str, Any]) -> bytes:
    """As much of a report as a bundle must agree with."""
    facts = ("run_id", "git_commit", "weights_sha256", "model_sha256", "seed")
    document = {
        "model": {"task": manifest["task"], "variant": manifest["variant"]},
        "provenance": {name: manifest[name] for name in facts} | {"dataset_version": manifest["dataset_version"]},
        "test": {"dataset_version": manifest["dataset_version"]},
        "planned": {"sha256": sha256_of(PLAN), "registered_at": AT.isoformat()},
        "environment": {"sbom_sha256": sha256_of(SBOM)},
        "ledger": [opening],
    }
    return json.dumps(document).encode()


def manifest_of(report_sha256: str) -> ModelManifest:
    version = DatasetVersion(
        source="phantom_chest",
        distribution="generated",
        digest=DIGEST,
        synthetic=True,
        counts={},
        excluded={},
        shards={},
    )
    return ModelManifest(
        task="chest", title="Pneumonia", version=1, variant="network-seed1", demo=True,
        intended_use=IntendedUse(
            statement="s", modalities=frozenset({"DX"}), body_parts=frozenset({"CHEST"}),
            view_positions=frozenset({"AP"}),
        ),
        finding=PNEUMONIA, preprocessing=Preprocessing(size_px=64),
        operating_point=OperatingPoint(threshold=0.5, rule="r", chosen_on="tune"), engine="onnxruntime", explains=True,
        parameters=1, weights_sha256=sha256_of(b"weights"), model_sha256=sha256_of(b"onnx"),
        report_sha256=report_sha256, dataset_version=version, external_dataset_versions=(version,), run_id="f" * 32,
        git_commit="a" * 40, git_dirty=True, seed=1, performance=(), criteria=(), reference_answers=(), approver="rosa",
    )  # fmt: skip


def files_of(keys: SignerKeys) -> tuple[dict[str, bytes], ModelManifest]:
    draft = manifest_of("")
    opening = {
        "number": 1, "task": "chest", "dataset_sha256": DIGEST, "model_sha256": draft.model_sha256,
        "plan_sha256": sha256_of(PLAN), "opened_at": AT.isoformat(),
    }  # fmt: skip
    report = report_of(draft.model_dump(mode="json"), opening)
    digest = sha256_of(report)
    manifest = manifest_of(digest)
    decision = {
        "task": "chest", "model_version": "chest@1", "variant": "network-seed1", "report_sha256": digest,
        "plan_sha256": sha256_of(PLAN), "pccp_sha256": sha256_of(PCCP), "decided_at": AT.isoformat(),
    }  # fmt: skip
    run = [manifest.run_id, manifest.weights_sha256, DIGEST, manifest.git_commit]
    signatures = [signed(keys, name, digest) for name in ("rosa", "quinn")]
    return {
        "report.json": report, "report.html": digest.encode(), "plan.yaml": PLAN, "pccp.yaml": PCCP,
        "decision.json": json.dumps(decision).encode(), "ledger.json": json.dumps([opening]).encode(),
        "dataset.json": manifest.dataset_version.model_dump_json().encode(),
        "manifest.json": manifest.model_dump_json().encode(), "sbom.cdx.json": SBOM, "requirements.lock": b"",
        "params.yaml": b"tasks: {chest: {preset: demo}}\n", "dvc.lock": b"", "run.json": json.dumps(run).encode(),
        "signatures.json": signatures_bytes(signatures),
    }, manifest  # fmt: skip


def signed(keys: SignerKeys, name: str, digest: str) -> Any:
    signer = Signer(
        name=name, printed_name=f'Dr. {name.title()} "Müller", "signature":"00",', role=SignerRole.CLINICIAN,
        public_key=keys.create(name, PASSPHRASE), registered_at=AT,
    )  # fmt: skip
    return sign(
        signer, meaning=SignatureMeaning.APPROVAL, what="report.json of chest/network-seed1", sha256=digest, at=AT,
        sign=keys.unlock(name, PASSPHRASE),
    )  # fmt: skip


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> PlatformKey:
    return platform_key(tmp_path_factory.mktemp("secrets"))


@pytest.fixture(scope="module")
def bundle(platform: PlatformKey, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    files, manifest = files_of(SignerKeys(tmp_path_factory.mktemp("signers")))
    data = seal(files, manifest=manifest, sign=platform.sign, public_key=platform.public_pem)
    assert verify(data, public_key=platform.public_pem).ok
    return data


@pytest.fixture
def unpacked(bundle: bytes, tmp_path: Path) -> Path:
    (tmp_path / "bundle.zip").write_bytes(bundle)
    subprocess.run([str(UNZIP), "-q", "bundle.zip", "-d", "bundle"], cwd=tmp_path, check=True)
    return tmp_path / "bundle"


def typed(folder: Path) -> str:
    """What README.txt says to type, all of it, and what the programs answer."""
    readme = (folder / "README.txt").read_text()
    steps = re.findall(r"^\d\. [^\n]+\n-+\n(.+?)\n\n", readme, re.MULTILINE | re.DOTALL)
    assert len(steps) == 3
    assert OPENSSL
    shell = ["sh", "-c", "\n".join(steps)]
    finished = subprocess.run(shell, cwd=folder, capture_output=True, text=True)
    return finished.stdout + finished.stderr


def test_a_true_bundle_is_found_true_by_hand(unpacked: Path) -> None:
    said = typed(unpacked)
    assert said.count(VALID) == 3, said
    listed = set(re.findall(r"^(\S+): OK$", said, re.MULTILINE))
    assert listed == {path.name for path in unpacked.iterdir()} - {"attestation.dsse.json"}
    assert '"name":"rosa"' in said
    assert said.count(sha256_of((unpacked / "report.json").read_bytes())) == 3


def flip(path: Path, find: bytes, put: bytes) -> None:
    assert find in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(find, put, 1))


@pytest.mark.parametrize(
    ("forge", "valid", "failing"),
    [
        (lambda folder: flip(folder / "report.json", b"network-seed1", b"network-seed2"), 3, {"report.json"}),
        (lambda folder: (folder / "ledger.json").unlink(), 3, {"ledger.json"}),
        (lambda folder: flip(folder / "attestation.dsse.json", b'"sig":"', b'"sig":"AAAA'), 2, set()),
        (lambda folder: flip(folder / "signatures.json", b"clinician", b"quality"), 2, {"signatures.json"}),
    ],
    ids=["an edited report", "a missing ledger", "another signature", "an edited role"],
)  # fmt: skip
def test_a_forged_bundle_is_found_forged_by_hand(
    unpacked: Path, forge: Callable[[Path], None], valid: int, failing: set[str]
) -> None:
    forge(unpacked)
    said = typed(unpacked)
    assert said.count(VALID) == valid
    assert set(re.findall(r"^(\S+): FAILED", said, re.MULTILINE)) == failing


def test_another_platforms_key_is_found_by_hand(unpacked: Path, tmp_path: Path) -> None:
    (unpacked / "platform.pub.pem").write_bytes(platform_key(tmp_path / "other").public_pem)
    said = typed(unpacked)
    assert said.count(VALID) == 2
    assert "platform.pub.pem: FAILED" in said
