"""Predictions: one state at a time, and the study's probability from its instances."""

import pytest
from pydantic import TypeAdapter, ValidationError

from domain.identifiers import SOPInstanceUID, sha256_of
from domain.prediction import Failed, InstanceScore, Pending, PredictionState, RefusedPrediction, study_probability

STATE: TypeAdapter[PredictionState] = TypeAdapter(PredictionState)


def score(probability: float) -> InstanceScore:
    return InstanceScore(
        sop_instance_uid=SOPInstanceUID("2.25.1"), object_sha256=sha256_of(b""), probability=probability
    )


def test_the_highest_instance_speaks_for_the_study() -> None:
    assert study_probability((score(0.2), score(0.9), score(0.4))) == 0.9


def test_a_study_without_a_score_has_no_probability() -> None:
    with pytest.raises(ValueError, match="empty"):
        study_probability(())


@pytest.mark.parametrize(
    "state",
    [Pending(), RefusedPrediction(reasons=("modality is not stated",)), Failed(code="model-unavailable", attempts=5)],
)
def test_a_state_survives_the_way_through_json(state: PredictionState) -> None:
    assert STATE.validate_json(STATE.dump_json(state)) == state


def test_a_state_of_no_known_kind_is_refused() -> None:
    with pytest.raises(ValidationError, match="kind"):
        STATE.validate_python({"kind": "maybe"})


def test_done_cannot_be_said_without_its_provenance() -> None:
    with pytest.raises(ValidationError, match="model_version"):
        STATE.validate_python({"kind": "done", "probability": 0.5, "threshold": 0.4, "finding_present": True})
