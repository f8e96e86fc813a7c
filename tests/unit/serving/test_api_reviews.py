"""A clinician says what an answered study shows: kept, attributed, audited, and only where there was an answer."""

from collections.abc import Callable
from typing import Any

import pytest

from domain.identifiers import DEFAULT_TENANT
from domain.model_version import ModelManifest
from domain.prediction import Abstained, Done, Failed, PredictionState
from domain.traffic import Role, TrafficPolicy
from infra.clock import now
from infra.db.session import Database

FIELDS = {"patient_id": "P-4711", "modality": "DX", "body_part_examined": "CHEST", "view_position": "PA"}
BODY = {"task": "chest", "source": "review", "finding_present": True}
COMMON: dict[str, Any] = {
    "model_version": "chest@1", "role": Role.CHAMPION, "policy_version": 1, "fell_back": False, "answered_at": now(),
}  # fmt: skip
DONE = Done(
    probability=0.75, threshold=0.4, finding_present=True, demo=False, instances=(), explained_instance=None, **COMMON
)
ABSTAINED = Abstained(reasons=("too unlike",), instances=(), **COMMON)


@pytest.fixture(autouse=True)
def promoted(database: Database, manifest: Callable[..., ModelManifest]) -> None:
    with database.unit_of_work(DEFAULT_TENANT) as work:
        work.model_versions.add(manifest(), "/bento")
        policy = TrafficPolicy(task="chest", policy_version=1, champion=1)
        work.traffic.change(policy, by="Dr Bo", why="w", at=now())


def study_with(client: Any, film: bytes, database: Database, state: PredictionState | None) -> tuple[str, str]:
    """A study whose prediction has that state, pending where there is none, and the prediction's identifier."""
    study = str(client.post("/api/v1/studies", files={"files": ("f", film)}, data=FIELDS).json()["study_id"])
    with database.unit_of_work(DEFAULT_TENANT) as work:
        (prediction,) = work.predictions.of_study(study)
        if state is not None:
            work.predictions.set_state(prediction.prediction_id, state)
    return study, prediction.prediction_id


@pytest.mark.parametrize("state", [DONE, ABSTAINED], ids=["answered", "abstained from"])
def test_a_review_is_kept_with_who_said_it_and_audited_by_its_prediction(
    state: PredictionState, client: Any, film: Any, database: Database
) -> None:
    study, prediction = study_with(client, film(), database, state)
    first = client.post(f"/api/v1/studies/{study}/reviews", json=BODY)
    later = {**BODY, "source": "reference standard", "finding_present": False}
    assert (first.status_code, client.post(f"/api/v1/studies/{study}/reviews", json=later).status_code) == (201, 201)
    assert (first.json()["by"], first.json()["finding_present"]) == ("clinician", True)
    told = client.get(f"/api/v1/studies/{study}/reviews").json()["reviews"]
    assert [(one["source"], one["finding_present"]) for one in told] == [
        ("review", True),
        ("reference standard", False),
    ]
    with database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
        assert len(work.reviews.of_task("chest")) == 2
        audited = [(one.action.value, one.agent) for one in work.audit.of(prediction)]
        assert [one for one in audited if one[0] == "review.recorded"] == [("review.recorded", "clinician")] * 2
        assert "study.read" in [one.action.value for one in work.audit.of(study)]


@pytest.mark.parametrize("state", [None, Failed(code="model-unavailable", attempts=5)], ids=["pending", "failed"])
def test_where_no_version_has_answered_there_is_nothing_to_review(
    state: PredictionState | None, client: Any, film: Any, database: Database
) -> None:
    study, _ = study_with(client, film(), database, state)
    response = client.post(f"/api/v1/studies/{study}/reviews", json=BODY)
    assert (response.status_code, response.json()["code"]) == (404, "unknown-prediction")
    with database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
        assert work.reviews.of_task("chest") == ()


def test_a_task_that_nobody_answered_has_nothing_to_review(client: Any, film: Any, database: Database) -> None:
    study, _ = study_with(client, film(), database, DONE)
    assert client.post(f"/api/v1/studies/{study}/reviews", json={**BODY, "task": "other"}).status_code == 404


def test_an_unknown_study_has_no_reviews(client: Any) -> None:
    for response in (
        client.get("/api/v1/studies/st_x/reviews"),
        client.post("/api/v1/studies/st_x/reviews", json=BODY),
    ):
        assert (response.status_code, response.json()["code"]) == (404, "unknown-study")


@pytest.mark.parametrize(
    "body", [{}, {**BODY, "source": "guess"}, {**BODY, "finding_present": "perhaps"}, {**BODY, "patient": "P-4711"}]
)
def test_what_is_no_statement_is_refused(body: dict[str, object], client: Any) -> None:
    response = client.post("/api/v1/studies/st_1/reviews", json=body)
    assert (response.status_code, response.json()["code"]) == (422, "invalid-field")
    assert "P-4711" not in response.text


def test_an_engineer_neither_reviews_nor_reads_reviews(client: Any) -> None:
    client.auth = ("engineer", "pw engineer")
    for response in (
        client.get("/api/v1/studies/st_1/reviews"),
        client.post("/api/v1/studies/st_1/reviews", json=BODY),
    ):
        assert (response.status_code, response.json()["code"]) == (403, "not-permitted")
