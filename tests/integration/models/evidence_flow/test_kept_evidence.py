"""What was promoted can be proved later: from what was kept, byte for byte, when the working copy has moved on."""

import io
import shutil
import zipfile
from datetime import UTC, datetime
from typing import Any

import pytest

from domain.electronic_signature import SignatureMeaning, SignerRole
from domain.errors import IntegrityViolation, NotFound, UnknownRun
from domain.identifiers import Pseudonym, StudyId, StudyInstanceUID, sha256_of
from domain.prediction import Done, InstanceScore, Pending, Prediction
from domain.study import Study
from domain.traffic import Role
from evidence import bundle
from evidence.lineage import LinkKind
from infra.keys import platform_key
from pipelines import bundles, kept_evidence, signing, walk
from pipelines.wiring import Offline

pytestmark = pytest.mark.slow
TASK = "chest_xray_pneumonia"
AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
DEAD = "http://127.0.0.1:9"


def bundle_of(installation: Any) -> bytes:
    return bundles.bundle_of(TASK, installation.in_force().champion, root=installation.root)


def files_in(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def public_key(installation: Any) -> bytes:
    return platform_key(installation.root.settings.secrets).public_pem


def sign(installation: Any) -> None:
    passphrase = "correct horse battery"
    signing.add_signer(
        "carl", printed_name="Dr. Carl Example", role=SignerRole.CLINICIAN, passphrase=passphrase,
        root=installation.root,
    )  # fmt: skip
    signing.sign_report(
        TASK, "network-seed1", name="carl", passphrase=passphrase, meaning=SignatureMeaning.REVIEW,
        root=installation.root,
    )  # fmt: skip


def overwrite(installation: Any) -> None:
    """As after another training and validation: nothing of the promoted one is left in the working copy."""
    for kind in ("checkpoints", "reports", "predictions"):
        shutil.rmtree(installation.root.store(kind, TASK))
    shutil.copytree(installation.trainings.checkpoints("worse"), installation.root.store("checkpoints", TASK))


def test_a_bundle_verifies_and_made_again_has_the_same_bytes(promoted: Any, first_bundle: bytes) -> None:
    verdict = bundle.verify(first_bundle, public_key=public_key(promoted))
    assert verdict.ok, verdict.failed
    assert verdict.trust == "key given"
    assert files_in(first_bundle)["report.json"] == promoted.report_file().read_bytes()
    overwrite(promoted)
    assert bundle_of(promoted) == first_bundle


def test_any_altered_file_of_a_bundle_is_named(promoted: Any, first_bundle: bytes) -> None:
    files = files_in(first_bundle)
    assert bundle.FILES | {"report.pdf"} < files.keys()
    for name, content in files.items():
        middle = len(content) // 2
        altered = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
        verdict = bundle.verify(bundle.pack({**files, name: altered}), public_key=public_key(promoted))
        assert not verdict.ok
        assert name in {check.file for check in verdict.failed}, name


def test_the_report_printed_again_has_the_same_bytes(promoted: Any, first_bundle: bytes) -> None:
    data = promoted.report_file().read_bytes()
    printed = bundles.pages(data, promoted.report_file().with_name("gallery.json").read_bytes(), ())
    bundled = files_in(first_bundle)
    assert printed == {name: bundled[name] for name in ("report.html", "report.pdf")}
    assert sha256_of(data).encode() in printed["report.html"]
    assert printed["report.pdf"].startswith(b"%PDF-")


def test_a_later_signature_appears_in_page_and_bundle_and_changes_nothing_else(
    promoted: Any, first_bundle: bytes
) -> None:
    before = files_in(first_bundle)
    report = promoted.report_file().read_bytes()
    sign(promoted)
    data = bundle_of(promoted)
    after = files_in(data)
    assert before.keys() == after.keys()
    assert {name for name in after if after[name] != before[name]} == {
        "signatures.json", "report.html", "report.pdf", "attestation.dsse.json",
    }  # fmt: skip
    assert promoted.report_file().read_bytes() == report
    assert b"Dr. Carl Example" in after["report.html"]
    assert b"Dr. Carl Example" not in before["report.html"]
    verdict = bundle.verify(data, public_key=public_key(promoted))
    assert verdict.ok, verdict.failed
    assert [given.signer.name for given in verdict.signatures] == ["carl"]


def test_evidence_is_kept_for_what_the_gate_judged_alone(promoted: Any) -> None:
    champion = promoted.in_force().champion
    kept = kept_evidence.read_kept(TASK, champion, root=promoted.root)
    assert (kept_evidence.WEIGHTS in kept, kept["decision.json"] != b"") == (True, True)
    (baseline,) = promoted.packaged() - {champion}
    with pytest.raises(NotFound, match=f"No evidence of {TASK}@{baseline} is kept"):
        bundles.bundle_of(TASK, baseline, root=promoted.root)


def test_a_kept_file_that_was_altered_in_the_store_is_not_bundled(promoted: Any) -> None:
    digest = kept_evidence.names_kept(TASK, promoted.in_force().champion, root=promoted.root)["plan.yaml"]
    (stored,) = (path for path in promoted.root.settings.objects.rglob(f"*{digest[-20:]}*") if path.is_file())
    stored.chmod(0o600)
    stored.write_bytes(stored.read_bytes() + b"\n")
    with pytest.raises(IntegrityViolation):
        bundle_of(promoted)


@pytest.fixture
def answered(promoted: Any) -> Any:
    """The installation with a study that the champion answered, whose film lies in the object store."""
    root, policy = promoted.root, promoted.in_force()
    film = root.objects.put(root.tenant, b"a film's bytes")
    study = Study(
        study_id=StudyId("st_1"), study_instance_uid=StudyInstanceUID("1.2.3"), patient=Pseudonym("p" * 32),
        received_at=AT, instances=(),
    )  # fmt: skip
    state = Done(
        probability=0.9, threshold=0.2, finding_present=True, model_version=f"{TASK}@{policy.champion}",
        role=Role.CHAMPION, policy_version=policy.policy_version, fell_back=False, demo=True,
        instances=(InstanceScore(sop_instance_uid="1.2.3.4", object_sha256=film, probability=0.9),),
        explained_instance=None, answered_at=AT,
    )  # fmt: skip
    prediction = Prediction(prediction_id="pr_1", study_id=study.study_id, task=TASK, requested_at=AT, state=Pending())
    with root.database.unit_of_work(root.tenant) as work:
        work.studies.add(study)
        work.predictions.add(prediction)
        work.predictions.set_state(prediction.prediction_id, state)
    return promoted


def test_every_link_verifies_without_mlflow_and_after_another_training_took_the_working_copy(answered: Any) -> None:
    overwrite(answered)
    alone = Offline(answered.root.settings.model_copy(update={"mlflow_uri": DEAD}))
    traced, links = walk.walk_back("pr_1", alone)
    alone.database.close()
    walk.require_verified(links)
    assert {link.link.kind for link in links} == set(LinkKind)
    assert all(link.size_bytes for link in links)
    assert (traced.model_version, traced.approver) == (f"{TASK}@{answered.in_force().champion}", "Dr. First")


def test_data_that_were_replaced_are_not_passed_off_as_those_it_learnt_from(answered: Any) -> None:
    answered.lay("worse")  # its manifest of samples is another
    links = walk.walk_back("pr_1", answered.root)[1]
    assert {link.link.kind for link in links if link.status != "verified"} == {LinkKind.DATASET_VERSION}
    with pytest.raises(IntegrityViolation, match=r"dataset_version phantom_chest.* is altered"):
        walk.require_verified(links)


def test_a_run_that_mlflow_does_not_know_is_no_evidence(promoted: Any) -> None:
    with pytest.raises(UnknownRun):
        kept_evidence.run_record(promoted.root, "f" * 32)
