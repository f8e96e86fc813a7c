"""Intake: everything in one commit or nothing, the same bytes once, declared attributes as declared."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from domain.access import Principal
from domain.audit import AuditAction
from domain.errors import BadInput, EmptyBody, UnknownStudy
from domain.identifiers import DEFAULT_TENANT, Tenant
from domain.prediction import Failed, Prediction
from domain.study import Study
from domain.traffic import TrafficPolicy
from infra.clock import now
from infra.db.session import Database
from serving.demo import DEMO_TASK
from serving.intake import TOPIC, Declared, Intake, Receipt

Film = Callable[..., bytes]
Declare = Callable[..., Declared]


def stored(
    database: Database, receipt: Receipt, *, tenant: Tenant = DEFAULT_TENANT
) -> tuple[Study, tuple[Prediction, ...], int]:
    with database.unit_of_work(tenant, read_only=True) as work:
        return work.studies.get(receipt.study_id), work.predictions.of_study(receipt.study_id), work.outbox.depth(TOPIC)


def test_an_acknowledged_study_is_on_disk_in_the_database_and_asked_for(
    intake: Intake, database: Database, film: Film, declared: Declare, clinician: Principal
) -> None:
    receipt = intake.receive([film()], declared=declared(), by=clinician)
    study, predictions, depth = stored(database, receipt)
    assert intake.objects.get(DEFAULT_TENANT, study.instances[0].object_sha256) == film()
    assert [(p.task, p.state.kind) for p in predictions] == [(DEMO_TASK, "pending")]
    assert (depth, receipt.created) == (1, True)
    with database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
        assert [event.action for event in work.audit.of(receipt.study_id)] == [AuditAction.STUDY_RECEIVED]


def test_a_png_gets_uids_below_2_25_and_its_attributes_are_marked_as_declared(
    intake: Intake, database: Database, film: Film, declared: Declare, clinician: Principal
) -> None:
    study, _, _ = stored(database, intake.receive([film()], declared=declared(), by=clinician))
    instance = study.instances[0]
    uids = (study.study_instance_uid, instance.series_instance_uid, instance.sop_instance_uid)
    assert len(set(uids)) == 3
    assert all(uid.startswith("2.25.") and len(uid) <= 64 for uid in uids)
    assert (instance.attributes_from, instance.attributes.view_position) == ("declared", "PA")
    assert (instance.rows, instance.columns) == (64, 48)


def test_the_same_bytes_again_are_the_same_study_and_no_second_prediction(
    intake: Intake, database: Database, film: Film, declared: Declare, clinician: Principal
) -> None:
    first = intake.receive([film()], declared=declared(), by=clinician)
    again = intake.receive([film()], declared=declared(), by=clinician)
    _, predictions, depth = stored(database, again)
    assert (again.study_id, again.created) == (first.study_id, False)
    assert (len(predictions), depth) == (1, 1)


def test_the_same_bytes_at_once_are_stored_once(
    intake: Intake, database: Database, film: Film, declared: Declare, clinician: Principal
) -> None:
    receipts: list[Receipt] = []
    senders = [
        threading.Thread(target=lambda: receipts.append(intake.receive([film()], declared=declared(), by=clinician)))
        for _ in range(8)
    ]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert len({receipt.study_id for receipt in receipts}) == 1
    assert [receipt.created for receipt in receipts].count(True) == 1
    assert stored(database, receipts[0])[2] == 1


def test_the_same_bytes_with_corrected_declarations_are_asked_for_again(
    intake: Intake, film: Film, declared: Declare, clinician: Principal
) -> None:
    forgotten = intake.receive([film()], declared=declared(view_position=None), by=clinician)
    corrected = intake.receive([film()], declared=declared(), by=clinician)
    assert corrected.created
    assert corrected.study_id != forgotten.study_id


def test_the_same_bytes_of_another_patient_are_another_study(
    intake: Intake, film: Film, declared: Declare, clinician: Principal
) -> None:
    first = intake.receive([film()], declared=declared(), by=clinician)
    other = intake.receive([film()], declared=declared(patient_id="patient-2"), by=clinician)
    assert other.study_id != first.study_id


def test_one_bad_image_stores_none(
    intake: Intake, database: Database, film: Film, declared: Declare, clinician: Principal, tmp_path: Path
) -> None:
    with pytest.raises(BadInput):
        intake.receive([film(), b"not an image"], declared=declared(), by=clinician)
    with database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
        assert work.studies.latest(5) == ()
        assert work.outbox.depth(TOPIC) == 0
    assert not [path for path in (tmp_path / "objects").rglob("*") if path.is_file()]


@pytest.mark.parametrize("uploads", [[], [b""]])
def test_an_upload_without_bytes_is_refused(
    uploads: list[bytes], intake: Intake, declared: Declare, clinician: Principal
) -> None:
    with pytest.raises(EmptyBody):
        intake.receive(uploads, declared=declared(), by=clinician)


def test_several_images_are_one_study(
    intake: Intake, database: Database, film: Film, declared: Declare, clinician: Principal
) -> None:
    receipt = intake.receive([film(1), film(2), film(1)], declared=declared(), by=clinician)
    study, predictions, _ = stored(database, receipt)
    assert (len(study.instances), len(predictions)) == (2, 1)


def test_each_task_with_a_policy_is_asked(
    intake: Intake, database: Database, film: Film, declared: Declare, clinician: Principal
) -> None:
    with database.unit_of_work(DEFAULT_TENANT) as work:
        for task in ("chest", "hand"):
            work.traffic.change(TrafficPolicy(task=task, policy_version=1, champion=1), by="t", why="t", at=now())
    _, predictions, depth = stored(database, intake.receive([film()], declared=declared(), by=clinician))
    assert ({p.task for p in predictions}, depth) == ({"chest", "hand"}, 2)


def test_no_row_holds_the_patients_identifier(
    intake: Intake, film: Film, declared: Declare, clinician: Principal, tmp_path: Path
) -> None:
    intake.receive([film()], declared=declared(patient_id="Müller-X4711"), by=clinician)
    intake.database.close()
    kept = b"".join(path.read_bytes() for path in tmp_path.glob("platform.db*"))
    assert b"X4711" not in kept  # no digest spells it by chance: X is no hexadecimal digit


def test_images_without_a_patient_are_kept_apart(
    intake: Intake, database: Database, film: Film, declared: Declare, clinician: Principal
) -> None:
    first = intake.receive([film(1)], declared=declared(patient_id=None), by=clinician)
    second = intake.receive([film(2)], declared=declared(patient_id=None), by=clinician)
    assert stored(database, first)[0].patient != stored(database, second)[0].patient


def test_another_tenants_study_cannot_be_read(
    intake: Intake, database: Database, film: Film, declared: Declare, clinician: Principal
) -> None:
    receipt = intake.receive([film()], declared=declared(), by=clinician)
    with pytest.raises(UnknownStudy):
        stored(database, receipt, tenant=Tenant("other"))


def test_the_same_bytes_after_a_failure_are_asked_for_again(
    intake: Intake, database: Database, film: Film, declared: Declare, clinician: Principal
) -> None:
    receipt = intake.receive([film()], declared=declared(), by=clinician)
    (failed,) = stored(database, receipt)[1]
    with database.unit_of_work(DEFAULT_TENANT) as work:
        work.predictions.set_state(failed.prediction_id, Failed(code="model-unavailable", attempts=5))
    intake.receive([film()], declared=declared(), by=clinician)
    assert sorted(p.state.kind for p in stored(database, receipt)[1]) == ["failed", "pending"]


def test_the_same_bytes_after_a_promotion_are_asked_of_the_promoted_task(
    intake: Intake, database: Database, film: Film, declared: Declare, clinician: Principal
) -> None:
    receipt = intake.receive([film()], declared=declared(), by=clinician)
    with database.unit_of_work(DEFAULT_TENANT) as work:
        work.traffic.change(TrafficPolicy(task="chest", policy_version=1, champion=1), by="t", why="t", at=now())
    intake.receive([film()], declared=declared(), by=clinician)
    assert {p.task for p in stored(database, receipt)[1]} == {DEMO_TASK, "chest"}
