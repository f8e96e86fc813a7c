"""Documents that contradict each other are named, although the platform attested them."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from domain.change_control import TestSetOpening
from domain.electronic_signature import ElectronicSignature, SignerRole
from domain.identifiers import sha256_of
from domain.model_version import ModelManifest
from evidence.bundle import verify
from evidence.record import ValidationReport
from evidence.report import report_bytes
from evidence.signatures import signatures_bytes
from evidence.verdict import BundleVerdict

Files = dict[str, bytes]
VerifyAnyway = Callable[..., BundleVerdict]
SignReport = Callable[..., ElectronicSignature]
OTHER = sha256_of(b"another thing")


@pytest.fixture(scope="module")
def verify_anyway(platform: Any, attest_anyway: Callable[..., bytes]) -> VerifyAnyway:
    """The verdict on files that the platform attested although they are as they are."""

    def make(files: Files, **changes: Any) -> BundleVerdict:
        return verify(attest_anyway(files, **changes), public_key=platform.pem)

    return make


def blamed(verdict: BundleVerdict) -> set[str]:
    return {check.file for check in verdict.failed}


def edited(content: bytes, *path: str, to: Any) -> bytes:
    document = json.loads(content)
    place = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = to
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    ("file", "path", "to", "names"),
    [
        ("manifest.json", ("report_sha256",), OTHER, "report_sha256 is not that of report.json"),
        ("manifest.json", ("weights_sha256",), OTHER, "weights_sha256 is not that of report.json"),
        ("manifest.json", ("model_sha256",), OTHER, "model_sha256 is not that of report.json"),
        ("manifest.json", ("git_commit",), "b" * 40, "git_commit is not that of report.json"),
        ("manifest.json", ("run_id",), "b" * 32, "run_id is not that of report.json"),
        ("manifest.json", ("variant",), "baseline", "variant is not that of report.json"),
        ("manifest.json", ("dataset_version", "digest"), OTHER, "the dataset is not that of dataset.json"),
        ("decision.json", ("report_sha256",), OTHER, "report_sha256 is not that of report.json"),
        ("decision.json", ("plan_sha256",), OTHER, "plan_sha256 is not that of plan.yaml"),
        ("decision.json", ("pccp_sha256",), OTHER, "pccp_sha256 is not that of pccp.yaml"),
        ("decision.json", ("model_version",), "chest_xray_pneumonia@4", "model_version is not that of manifest.json"),
        ("decision.json", ("task",), "spleen", "task is not that of manifest.json"),
    ],
)
def test_a_document_that_speaks_of_another_is_named(
    files: Files, file: str, path: tuple[str, ...], to: str, names: str, verify_anyway: VerifyAnyway
) -> None:
    changed = files | {file: edited(files[file], *path, to=to)}
    verdict = verify_anyway(changed)
    assert (file, names) in {(check.file, check.reason) for check in verdict.failed}


def test_a_dataset_that_is_not_the_reports_is_named(files: Files, verify_anyway: VerifyAnyway) -> None:
    changed = files | {"dataset.json": edited(files["dataset.json"], "digest", to=OTHER)}
    found = {(check.file, check.reason) for check in verify_anyway(changed).failed}
    assert ("report.json", "the dataset it was tested on is not that of dataset.json") in found
    assert ("report.json", "the dataset it was trained on is not that of dataset.json") in found


def ledger_of(*lines: TestSetOpening) -> Files:
    return {"ledger.json": json.dumps([line.model_dump(mode="json") for line in lines]).encode()}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"plan_sha256": OTHER}, "no opening of the test set by this model under plan.yaml"),
        ({"model_sha256": OTHER}, "no opening of the test set by this model"),
        ({"dataset_sha256": OTHER}, "no opening of the test set by this model"),
        ({"opened_at": datetime(2026, 1, 1, tzinfo=UTC)}, "opened before the plan was registered"),
        ({"number": 2}, "lack one that report.json prints"),
    ],
)
def test_a_ledger_that_does_not_bear_the_report_out_is_named(
    files: Files, validated: ValidationReport, verify_anyway: VerifyAnyway, changes: dict[str, Any], reason: str
) -> None:
    changed = ledger_of(validated.ledger[0].model_copy(update=changes))
    failed = verify_anyway(files | changed).failed
    assert any(check.file == "ledger.json" and reason in check.reason for check in failed)


def test_openings_by_earlier_models_under_earlier_plans_are_no_contradiction(
    files: Files, validated: ValidationReport, verify_anyway: VerifyAnyway
) -> None:
    ours = validated.ledger[0]
    earlier = ours.model_copy(
        update={"number": 0, "model_sha256": OTHER, "plan_sha256": OTHER, "opened_at": datetime(2026, 1, 1, tzinfo=UTC)}
    )
    assert verify_anyway(files | ledger_of(earlier, ours)).ok
    assert blamed(verify_anyway(files | ledger_of(ours, earlier))) == {"ledger.json"}


def test_another_plan_or_bill_of_materials_than_the_report_names_is_found(
    files: Files, verify_anyway: VerifyAnyway
) -> None:
    plan = files | {"plan.yaml": files["plan.yaml"] + b"\n"}
    assert blamed(verify_anyway(plan)) == {"report.json", "decision.json", "ledger.json"}
    assert blamed(verify_anyway(files | {"sbom.cdx.json": b"{}"})) == {"report.json"}


def test_the_page_of_another_report_and_the_record_of_another_run_are_named(
    files: Files, verify_anyway: VerifyAnyway
) -> None:
    changed = files | {"report.html": b"<html>fine</html>", "run.json": b"{}"}
    assert blamed(verify_anyway(changed)) == {"report.html", "run.json"}


def test_a_report_without_a_registered_plan_is_no_evidence(
    files: Files, validated: ValidationReport, verify_anyway: VerifyAnyway
) -> None:
    report = report_bytes(validated.model_copy(update={"planned": None}))
    found = {(check.file, check.reason) for check in verify_anyway(files | {"report.json": report}).failed}
    assert ("report.json", "names no registered plan") in found


@pytest.mark.parametrize("name", ["report.json", "manifest.json", "decision.json", "dataset.json", "ledger.json"])
@pytest.mark.parametrize("content", [b"", b"{}", b"[{}]", b"\xff", b"[" * 100_000], ids=range(5))
def test_a_document_that_cannot_be_read_is_named_with_the_place(
    files: Files, verify_anyway: VerifyAnyway, name: str, content: bytes
) -> None:
    failed = verify_anyway(files | {name: content}).failed
    assert any(check.file == name and "cannot be read at" in check.reason for check in failed)


@pytest.mark.parametrize("name", ["pccp.yaml", "requirements.lock", "signatures.json"])
def test_attesting_a_bundle_without_a_file_does_not_make_it_whole(
    files: Files, verify_anyway: VerifyAnyway, name: str
) -> None:
    rest = {other: content for other, content in files.items() if other != name}
    assert (name, "is missing") in {(check.file, check.reason) for check in verify_anyway(rest).failed}


def test_an_attestation_of_another_build_is_named(
    files: Files, manifest: ModelManifest, verify_anyway: VerifyAnyway
) -> None:
    other = manifest.model_copy(update={"seed": 9, "run_id": "e" * 32, "git_commit": "e" * 40})
    found = verify_anyway(files, of=other).failed
    assert {check.file for check in found} == {"attestation.dsse.json"}
    assert {check.reason.split(" is not")[0] for check in found} == {"the seed", "the run", "the commit and dataset"}


# Signatures of persons


def signatures_of(*signatures: ElectronicSignature) -> Files:
    return {"signatures.json": signatures_bytes(signatures)}


def test_a_signature_on_another_report_is_named(
    files: Files, verify_anyway: VerifyAnyway, sign_report: SignReport
) -> None:
    verdict = verify_anyway(files | signatures_of(sign_report(b"another report")))
    assert blamed(verdict) == {"signatures.json"}
    assert "rosa" in verdict.failed[0].reason
    assert "over other bytes" in verdict.failed[0].reason
    assert verdict.signatures == ()


def test_a_signature_whose_role_was_edited_is_named_although_the_platform_attested_it(
    files: Files, verify_anyway: VerifyAnyway, sign_report: SignReport
) -> None:
    true = sign_report(files["report.json"])
    promoted = true.model_copy(update={"signer": true.signer.model_copy(update={"role": SignerRole.QUALITY})})
    verdict = verify_anyway(files | signatures_of(true, promoted))
    assert [check.file for check in verdict.failed] == ["signatures.json"]
    assert verdict.signatures == (true,)


def test_a_bundle_that_nobody_signed_says_so(files: Files, verify_anyway: VerifyAnyway) -> None:
    verdict = verify_anyway(files | signatures_of())
    assert verdict.ok
    assert ("signatures.json", "not_checked", "nobody has signed") in {
        (check.file, check.status, check.reason) for check in verdict.checks
    }


def test_signatures_that_cannot_be_read_are_no_signatures(files: Files, verify_anyway: VerifyAnyway) -> None:
    assert blamed(verify_anyway(files | {"signatures.json": b"{}"})) == {"signatures.json"}
