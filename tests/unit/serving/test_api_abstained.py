"""Whatever the facade tells of a prediction that was abstained from, its probability is not in it."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from domain.identifiers import DEFAULT_TENANT
from domain.model_version import ModelManifest
from domain.prediction import Abstained, ScoredInstance
from domain.traffic import Role, TrafficPolicy
from infra.clock import now
from infra.db.session import Database

FIELDS = {"patient_id": "P-4711", "modality": "DX", "body_part_examined": "CHEST", "view_position": "PA"}
UNLIKE = "The film is unlike those the model was developed on (distance 31.2, limit 24.0)."


@pytest.fixture
def study(client: Any, film: Any, database: Database, manifest: Callable[..., ModelManifest]) -> dict[str, Any]:
    """A study that version 1 abstained on."""
    with database.unit_of_work(DEFAULT_TENANT) as work:
        work.model_versions.add(manifest(), "/nowhere")
        work.traffic.change(TrafficPolicy(task="chest", policy_version=1, champion=1), by="t", why="t", at=now())
    sent = client.post("/api/v1/studies", files={"files": ("f", film())}, data=FIELDS).json()
    with database.unit_of_work(DEFAULT_TENANT) as work:
        stored = work.studies.get(sent["study_id"]).instances[0]
        looked_at = ScoredInstance(sop_instance_uid=stored.sop_instance_uid, object_sha256=stored.object_sha256)
        (prediction,) = work.predictions.of_study(sent["study_id"])
        state = Abstained(
            reasons=(UNLIKE,), model_version="chest@1", role=Role.CHAMPION, policy_version=1, fell_back=False,
            answered_at=now(), instances=(looked_at,),
        )  # fmt: skip
        work.predictions.set_state(prediction.prediction_id, state)
    answer: dict[str, Any] = client.get(f"/api/v1/studies/{sent['study_id']}").json()
    return answer


def test_the_reason_is_told_with_who_abstained_and_no_probability(client: Any, study: dict[str, Any]) -> None:
    (prediction,) = study["predictions"]
    assert (prediction["state"], prediction["reasons"]) == ("abstained", [UNLIKE])
    assert (prediction["model_version"], prediction["finding"]["meaning"]) == ("chest@1", "Pneumonia")
    assert client.get(f"/api/v1/predictions/{prediction['prediction_id']}").json() == prediction
    told = json.dumps(study)
    for word in ("probability", "decision", "threshold", "prediction_set"):
        assert f'"{word}"' not in told


def test_it_has_no_pictures_that_could_be_read_as_an_answer(client: Any, study: dict[str, Any]) -> None:
    address = f"/api/v1/predictions/{study['predictions'][0]['prediction_id']}"
    for picture in ("heatmap", "film"):
        response = client.get(f"{address}/{picture}")
        assert (response.status_code, response.json()["code"]) == (404, "no-explanation")


def test_it_is_walked_back_to_image_and_version(client: Any, study: dict[str, Any]) -> None:
    trace = client.get(study["predictions"][0]["trace"]).json()
    statuses = {link["kind"]: link["status"] for link in trace["links"]}
    assert (statuses["prediction"], statuses["image"], trace["model_version"]) == ("verified", "verified", "chest@1")


def test_the_history_of_the_study_names_the_version_and_its_policy(client: Any, study: dict[str, Any]) -> None:
    (told,) = client.get(f"/api/v1/studies/{study['study_id']}/history").json()["answers"]
    assert (told["abstained"], told["threshold"], told["model_version"], told["policy_version"]) == (
        True, None, "chest@1", 1,
    )  # fmt: skip
    assert told["evidence"]["approver"] == "Dr Ada"
