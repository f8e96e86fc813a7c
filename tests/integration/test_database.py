"""Every repository on SQLite and on PostgreSQL."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from domain.codes import PNEUMONIA
from domain.dataset import DatasetVersion
from domain.drift import FeatureRow
from domain.errors import Conflict, IntegrityViolation, UnknownModelVersion, UnknownPrediction, UnknownStudy
from domain.identifiers import DEFAULT_TENANT, PredictionId, Sha256, StudyId, StudyInstanceUID, Tenant
from domain.intended_use import ImageAttributes, IntendedUse
from domain.model_version import ModelManifest, OperatingPoint
from domain.prediction import Done, Failed, Pending, Prediction, RefusedPrediction
from domain.preprocessing import Preprocessing
from domain.study import Instance, Study
from domain.traffic import Challenger, Role, TrafficPolicy
from infra.db.session import Database

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
OTHER = Tenant("other")
DONE = Done(
    probability=0.9, threshold=0.4, finding_present=True, model_version="chest@1", role=Role.CHAMPION,
    policy_version=1, fell_back=False, demo=False, instances=(), explained_instance=None, answered_at=NOW,
)  # fmt: skip


def instance(sop_instance_uid: str) -> Instance:
    return Instance(
        sop_instance_uid=sop_instance_uid, series_instance_uid="1.2", object_sha256=Sha256("a" * 64),
        image_format="dicom", attributes=ImageAttributes(modality="DX", age_years=4.5), attributes_from="dicom",
        rows=100, columns=200,
    )  # fmt: skip


def manifest(version: int, *, seed: int = 1) -> ModelManifest:
    return ModelManifest(
        task="chest", title="Chest", version=version, variant="network-seed1", demo=False,
        intended_use=IntendedUse(
            statement="s", modalities=frozenset({"DX"}), body_parts=frozenset({"CHEST"}),
            view_positions=frozenset({"PA"}),
        ),
        finding=PNEUMONIA, preprocessing=Preprocessing(size_px=96),
        operating_point=OperatingPoint(threshold=0.4, rule="r", chosen_on="tune"), engine="onnxruntime", explains=True,
        parameters=1, weights_sha256=Sha256("0" * 64), model_sha256=Sha256("1" * 64), report_sha256=Sha256("2" * 64),
        dataset_version=DatasetVersion(
            source="s", distribution="d", digest=Sha256("3" * 64), synthetic=True, counts={}, excluded={}, shards={}
        ),
        run_id="r", git_commit="c", git_dirty=False, seed=seed, performance=(), criteria=(), reference_answers=(),
        approver="demo",
    )  # fmt: skip


def test_a_study_comes_back_as_it_was_stored(database: Database, study: Study) -> None:
    stored = study.model_copy(update={"instances": (instance("1.1"), instance("1.2"))})
    with database.unit_of_work(DEFAULT_TENANT) as work:
        work.studies.add(stored)
        work.studies.add_instance(study.study_id, instance("1.3"))
    with database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
        found = work.studies.get(study.study_id)
        assert work.studies.find(study.study_instance_uid) == found
    assert found == study.model_copy(update={"instances": (instance("1.1"), instance("1.2"), instance("1.3"))})


def test_an_unknown_study_is_told_apart_from_one_not_yet_stored(database: Database) -> None:
    with database.unit_of_work(DEFAULT_TENANT) as work:
        assert work.studies.find(StudyInstanceUID("9.9")) is None
        with pytest.raises(UnknownStudy):
            work.studies.get(StudyId("st_none"))
        with pytest.raises(UnknownStudy):
            work.studies.add_instance(StudyId("st_none"), instance("1.1"))


def test_the_same_study_twice_is_a_conflict_and_stores_nothing(database: Database, study: Study) -> None:
    with database.unit_of_work(DEFAULT_TENANT) as work:
        work.studies.add(study)
    again = study.model_copy(update={"study_id": StudyId("st_2")})
    with pytest.raises(Conflict) as caught, database.unit_of_work(DEFAULT_TENANT) as work:
        work.outbox.put("predict", {})
        work.studies.add(again)
    assert study.study_instance_uid not in str(caught.value)
    assert caught.value.__cause__ is None  # a driver's message quotes the row
    with database.unit_of_work(DEFAULT_TENANT) as work:
        assert work.outbox.depth("predict") == 0


def test_pages_of_studies_follow_each_other_even_when_received_at_the_same_instant(
    database: Database, study: Study
) -> None:
    with database.unit_of_work(DEFAULT_TENANT) as work:
        for number in range(5):
            fresh = {"study_id": f"st_{number}", "study_instance_uid": f"1.{number}"}
            work.studies.add(study.model_copy(update=fresh))
    with database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
        first = work.studies.latest(2)
        second = work.studies.latest(2, before=first[-1].study_id)
        third = work.studies.latest(2, before=second[-1].study_id)
    assert [s.study_id for s in (*first, *second, *third)] == ["st_4", "st_3", "st_2", "st_1", "st_0"]


def test_what_one_tenant_stores_no_other_can_see_or_change(database: Database, pending: Prediction) -> None:
    with database.unit_of_work(DEFAULT_TENANT) as work:
        message = work.outbox.put("predict", {})
        work.predictions.set_explanation(pending.prediction_id, [[1.0]])
        work.traffic.change(TrafficPolicy(task="chest", policy_version=1, champion=1), by="a", why="w", at=NOW)
        work.addresses.set("chest", 1, "http://127.0.0.1:1")
        work.model_versions.add(manifest(1), "bento")
        work.shadow_scores.add(pending.prediction_id, "chest@2", 0.5, NOW)
    with database.unit_of_work(OTHER) as work:
        assert work.studies.find(StudyInstanceUID("1.2.3")) is None
        assert work.studies.latest(10) == ()
        assert work.predictions.of_study(pending.study_id) == work.predictions.with_state("pending") == ()
        assert work.predictions.explanation(pending.prediction_id) is None
        assert work.outbox.claim("predict", now=NOW, lease_s=1, limit=10) == ()
        assert work.traffic.current("chest") is None
        assert work.addresses.list() == work.model_versions.list() == ()
        assert work.shadow_scores.of(pending.prediction_id) == ()
        work.outbox.done(message)
        work.addresses.remove("chest", 1)
        with pytest.raises(UnknownPrediction):
            work.predictions.set_state(pending.prediction_id, DONE)
    with database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
        assert work.predictions.get(pending.prediction_id) == pending
        assert work.outbox.depth("predict") == len(work.addresses.list()) == 1


def test_the_same_identifiers_may_exist_in_two_tenants(database: Database, study: Study) -> None:
    for tenant in (DEFAULT_TENANT, OTHER):
        with database.unit_of_work(tenant) as work:
            work.studies.add(study)
    with database.unit_of_work(OTHER, read_only=True) as work:
        assert work.studies.get(study.study_id) == study


@pytest.mark.parametrize(
    "state", [DONE, RefusedPrediction(reasons=("modality is not stated",)), Failed(code="unavailable", attempts=5)]
)
def test_a_prediction_is_answered_once(database: Database, pending: Prediction, state: Done) -> None:
    with database.unit_of_work(DEFAULT_TENANT) as work:
        assert work.predictions.set_state(pending.prediction_id, state)
    with database.unit_of_work(DEFAULT_TENANT) as work:
        assert not work.predictions.set_state(pending.prediction_id, Failed(code="late", attempts=1))
        assert not work.predictions.set_state(pending.prediction_id, Pending())
        assert work.predictions.get(pending.prediction_id).state == state
        assert [p.state for p in work.predictions.of_study(pending.study_id)] == [state]
        assert work.predictions.with_state("pending") == ()
        assert len(work.predictions.with_state(state.kind)) == 1


def test_an_explanation_is_kept_with_its_prediction(database: Database, pending: Prediction) -> None:
    with database.unit_of_work(DEFAULT_TENANT) as work:
        assert work.predictions.explanation(pending.prediction_id) is None
        work.predictions.set_explanation(pending.prediction_id, [[0.25, 1.5], [-2.0, 1e-9]])
    with database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
        assert work.predictions.explanation(pending.prediction_id) == ((0.25, 1.5), (-2.0, 1e-9))


def test_a_prediction_needs_a_stored_study(database: Database) -> None:
    orphan = Prediction(prediction_id="pr_9", study_id="st_none", task="chest", requested_at=NOW, state=Pending())
    with pytest.raises(Conflict), database.unit_of_work(DEFAULT_TENANT) as work:
        work.predictions.add(orphan)


def test_a_block_that_raises_leaves_no_trace(database: Database, study: Study) -> None:
    with pytest.raises(RuntimeError, match="midway"), database.unit_of_work(DEFAULT_TENANT) as work:
        work.studies.add(study)
        work.outbox.put("predict", {})
        raise RuntimeError("midway")
    with database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
        assert work.studies.latest(1) == ()
        assert work.outbox.depth("predict") == 0


def test_a_read_only_unit_cannot_write(database: Database, study: Study) -> None:
    with database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
        assert work.studies.latest(1) == ()
        for write in (
            lambda: work.studies.add(study),
            lambda: work.outbox.claim("predict", now=NOW, lease_s=1, limit=1),
            lambda: work.addresses.remove("chest", 1),
        ):
            with pytest.raises(RuntimeError, match="only reads"):
                write()


def test_a_message_is_held_by_one_worker_until_its_lease_ends(database: Database) -> None:
    with database.unit_of_work(DEFAULT_TENANT) as work:
        number = work.outbox.put("predict", {"prediction_id": "pr_1"})
        work.outbox.put("else", {})
    with database.unit_of_work(DEFAULT_TENANT) as work:
        (message,) = work.outbox.claim("predict", now=NOW, lease_s=30, limit=10)
        assert (message.message_id, message.payload, message.attempts) == (number, {"prediction_id": "pr_1"}, 1)
    with database.unit_of_work(DEFAULT_TENANT) as work:
        assert work.outbox.claim("predict", now=NOW + timedelta(seconds=29), lease_s=30, limit=10) == ()
        assert work.outbox.depth("predict") == 1
        (again,) = work.outbox.claim("predict", now=NOW + timedelta(seconds=31), lease_s=30, limit=10)
        assert again.attempts == 2
        work.outbox.done(number)
        work.outbox.done(number)
        assert work.outbox.depth("predict") == 0


def test_a_message_given_back_waits_for_its_time(database: Database) -> None:
    later = NOW + timedelta(seconds=10)
    with database.unit_of_work(DEFAULT_TENANT) as work:
        number = work.outbox.put("predict", {})
        work.outbox.claim("predict", now=NOW, lease_s=60, limit=1)
        work.outbox.retry(number, not_before=later)
        assert work.outbox.claim("predict", now=NOW, lease_s=60, limit=1) == ()
        assert [m.attempts for m in work.outbox.claim("predict", now=later, lease_s=60, limit=1)] == [2]


def test_the_oldest_messages_are_claimed_first_and_numbers_never_return(database: Database) -> None:
    with database.unit_of_work(DEFAULT_TENANT) as work:
        numbers = [work.outbox.put("predict", {"n": n}) for n in range(4)]
        claimed = work.outbox.claim("predict", now=NOW, lease_s=60, limit=2)
        assert [m.payload["n"] for m in claimed] == [0, 1]
        work.outbox.done(numbers[-1])
        assert work.outbox.put("predict", {}) > numbers[-1]


def test_a_model_version_keeps_its_manifest_for_ever(database: Database) -> None:
    with database.unit_of_work(DEFAULT_TENANT) as work:
        work.model_versions.add(manifest(2), "here")
        work.model_versions.add(manifest(1), "there")
        work.model_versions.add(manifest(2), "moved")
        assert work.model_versions.get("chest", 2) == (manifest(2), "moved")
        assert [packaged.manifest.version for packaged in work.model_versions.list()] == [1, 2]
        assert work.model_versions.list("other") == ()
        with pytest.raises(IntegrityViolation):
            work.model_versions.add(manifest(2, seed=7), "moved")
        with pytest.raises(UnknownModelVersion):
            work.model_versions.get("chest", 3)


def test_traffic_policies_are_appended_with_the_reason(database: Database) -> None:
    first = TrafficPolicy(task="chest", policy_version=1, champion=1)
    second = TrafficPolicy(
        task="chest", policy_version=2, champion=2, challengers=(Challenger(version=3, share=0.2),), shadows=(1,)
    )
    with database.unit_of_work(DEFAULT_TENANT) as work:
        assert work.traffic.current("chest") is None
        work.traffic.change(first, by="demo", why="criteria met", at=NOW)
        work.traffic.change(second, by="Dr Ada", why="better", at=NOW + timedelta(hours=1))
    with database.unit_of_work(DEFAULT_TENANT) as work:
        assert work.traffic.current("chest") == second
        assert work.traffic.all_current() == (second,)
        history = work.traffic.history("chest")
        assert [(c.policy, c.by, c.why) for c in history] == [
            (first, "demo", "criteria met"),
            (second, "Dr Ada", "better"),
        ]
        assert history[0].at == NOW
        for stale in (1, 2, 4):
            with pytest.raises(Conflict):
                work.traffic.change(first.model_copy(update={"policy_version": stale}), by="a", why="w", at=NOW)


def test_an_address_is_replaced_and_removed(database: Database) -> None:
    with database.unit_of_work(DEFAULT_TENANT) as work:
        work.addresses.set("chest", 1, "http://127.0.0.1:1")
        work.addresses.set("chest", 1, "http://127.0.0.1:2")
        work.addresses.set("chest", 2, "http://127.0.0.1:3")
        listed = [one[:3] for one in work.addresses.list()]
        assert listed == [("chest", 1, "http://127.0.0.1:2"), ("chest", 2, "http://127.0.0.1:3")]
        work.addresses.remove("chest", 1)
        work.addresses.remove("chest", 1)
        assert [address.version for address in work.addresses.list()] == [2]


def test_a_window_of_feature_rows_begins_with_since_and_ends_before_until(database: Database) -> None:
    rows = [
        FeatureRow(
            prediction_id=PredictionId(f"pr_{hour}"), recorded_at=NOW + timedelta(hours=hour), task="chest",
            model_version="chest@1", site="a", probability=0.5, finding_present=True,
            image_features={"mean": 0.25}, embedding=(1.0, 2.0),
        )
        for hour in (2, 0, 1, 3)
    ]  # fmt: skip
    with database.unit_of_work(DEFAULT_TENANT) as work:
        for row in rows:
            work.feature_rows.add(row)
        window = work.feature_rows.window("chest", since=NOW + timedelta(hours=1), until=NOW + timedelta(hours=3))
        assert window == (rows[2], rows[0])
        assert work.feature_rows.window("other", since=NOW, until=NOW + timedelta(days=1)) == ()


def test_shadow_scores_are_kept_under_their_prediction(database: Database) -> None:
    with database.unit_of_work(DEFAULT_TENANT) as work:
        work.shadow_scores.add(PredictionId("pr_1"), "chest@3", 0.125, NOW)
        work.shadow_scores.add(PredictionId("pr_2"), "chest@3", 0.5, NOW)
        (score,) = work.shadow_scores.of(PredictionId("pr_1"))
    assert (score.model_version, score.probability, score.at) == ("chest@3", 0.125, NOW)


def test_an_instant_of_another_zone_comes_back_as_the_same_instant(database: Database, study: Study) -> None:
    abroad = NOW.replace(microsecond=123456).astimezone(timezone(timedelta(hours=5, minutes=30)))
    with database.unit_of_work(DEFAULT_TENANT) as work:
        work.studies.add(study.model_copy(update={"received_at": abroad}))
    with database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
        assert work.studies.get(study.study_id).received_at == abroad


def test_a_window_can_hold_one_row_of_each_patient(database: Database, pending: Prediction) -> None:
    again = pending.model_copy(update={"prediction_id": "pr_2"})
    stranger = pending.model_copy(update={"prediction_id": "pr_3", "study_id": StudyId("st_2")})
    with database.unit_of_work(DEFAULT_TENANT) as work:
        other = work.studies.get(pending.study_id).model_copy(
            update={"study_id": "st_2", "study_instance_uid": "1.2.4", "patient": "q" * 32}
        )
        work.studies.add(other)
        for prediction in (again, stranger):
            work.predictions.add(prediction)
        for hour, prediction in enumerate((pending, again, stranger)):
            row = FeatureRow(
                prediction_id=prediction.prediction_id, recorded_at=NOW + timedelta(hours=hour), task="chest",
                model_version="chest@1", site="here", probability=0.5, finding_present=True, image_features={},
            )  # fmt: skip
            work.feature_rows.add(row)
    with database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
        span = {"since": NOW, "until": NOW + timedelta(days=1)}
        every = work.feature_rows.window("chest", **span)
        first = work.feature_rows.window("chest", **span, one_per_patient=True)
    assert [row.prediction_id for row in every] == ["pr_1", "pr_2", "pr_3"]
    assert [row.prediction_id for row in first] == ["pr_1", "pr_3"]
