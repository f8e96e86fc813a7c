"""From a study to its outcome: refused with every reason, or the highest probability of its eligible instances."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from domain.errors import ModelUnavailable, UnsupportedImageKind
from domain.identifiers import Pseudonym, SeriesInstanceUID, SOPInstanceUID, StudyId, StudyInstanceUID, sha256_of
from domain.intended_use import ImageAttributes
from domain.model_version import ConformalSets, ModelManifest
from domain.prediction import Abstained, Done, ImageScore, RefusedPrediction, RoutedScore, ScoredInstance
from domain.study import Instance, Study
from domain.traffic import Role
from serving.predict import Outcome, predict_study

NOW = datetime(2026, 1, 1, tzinfo=UTC)
Make = Callable[..., ModelManifest]
UNLIKE = "The film is unlike those the model was developed on (distance 31.2, limit 24.0)."


def instance(number: int, **changes: Any) -> Instance:
    stated = {"modality": "DX", "body_part_examined": "CHEST", "view_position": "PA", "age_years": 4.0, **changes}
    return Instance(
        sop_instance_uid=SOPInstanceUID(f"1.2.{number}"), series_instance_uid=SeriesInstanceUID("1.2"),
        object_sha256=sha256_of(bytes([number])), image_format="png", attributes=ImageAttributes(**stated),
        attributes_from="declared", rows=64, columns=64,
    )  # fmt: skip


def study(*instances: Instance) -> Study:
    return Study(
        study_id=StudyId("st_1"), study_instance_uid=StudyInstanceUID("1"), patient=Pseudonym("p"), received_at=NOW,
        instances=instances,
    )  # fmt: skip


def routed(probability: float, *, version: int = 1, explained: bool = True, fell_back: bool = False) -> RoutedScore:
    score = ImageScore(probability=probability, image_features={}, activation_map=((1.0, 0.0),) if explained else None)
    return RoutedScore(
        score=score, model_version=f"chest@{version}", role=Role.CHAMPION, policy_version=3, fell_back=fell_back
    )


def unlike(probability: float, *, reason: str = UNLIKE) -> RoutedScore:
    found = routed(probability)
    return found.model_copy(update={"score": found.score.model_copy(update={"abstained": reason, "distance": 31.2})})


def predict(
    of: Study, scores: dict[str, RoutedScore | Exception], manifest: Make, *, patient_stated: bool = True
) -> Outcome:
    def score(one: Instance) -> RoutedScore:
        answer = scores[one.sop_instance_uid]
        if isinstance(answer, Exception):
            raise answer
        return answer

    return predict_study(
        of, champion=manifest(), patient_stated=patient_stated, score=score, manifest_of=lambda _: manifest(),
        now=lambda: NOW,
    )  # fmt: skip


def test_the_highest_probability_of_the_eligible_instances_is_the_studys(manifest: Make) -> None:
    three = study(instance(1), instance(2), instance(3, view_position="LL"))
    outcome = predict(three, {"1.2.1": routed(0.2), "1.2.2": routed(0.7)}, manifest)
    assert isinstance(outcome.state, Done)
    assert (outcome.state.probability, outcome.state.finding_present) == (0.7, True)
    assert [kept.probability for kept in outcome.state.instances] == [0.2, 0.7]
    assert outcome.state.explained_instance == "1.2.2"


@pytest.mark.parametrize(("probability", "present"), [(0.3999, False), (0.4, True), (0.9, True)])
def test_the_finding_is_present_from_the_threshold_on(probability: float, present: bool, manifest: Make) -> None:
    outcome = predict(study(instance(1)), {"1.2.1": routed(probability)}, manifest)
    assert isinstance(outcome.state, Done)
    assert (outcome.state.finding_present, outcome.state.threshold) == (present, 0.4)


def test_a_study_outside_the_intended_use_is_refused_before_pixels_are_read(manifest: Make) -> None:
    wrong = study(instance(1, modality="CT", age_years=40))
    outcome = predict(wrong, {"1.2.1": AssertionError("pixels were read")}, manifest)  # type: ignore[dict-item]
    assert outcome.state == RefusedPrediction(reasons=("modality is not one of CR, DX", "age_years is above 18"))


def test_a_study_of_an_unknown_patient_is_refused(manifest: Make) -> None:
    outcome = predict(study(instance(1)), {}, manifest, patient_stated=False)
    assert outcome.state == RefusedPrediction(reasons=("patient_id is not stated",))


def test_each_instance_of_a_refused_study_has_its_reasons(manifest: Make) -> None:
    outcome = predict(study(instance(1, view_position=None), instance(2, modality="MR")), {}, manifest)
    assert outcome.state == RefusedPrediction(
        reasons=("instance 1: view_position is not stated", "instance 2: modality is not one of CR, DX")
    )


def test_an_image_that_cannot_be_scored_is_a_reason_and_not_a_failure(manifest: Make) -> None:
    outcome = predict(study(instance(1)), {"1.2.1": UnsupportedImageKind("The image has no contrast.")}, manifest)
    assert outcome.state == RefusedPrediction(reasons=("The image has no contrast.",))


def test_one_unusable_image_does_not_spoil_the_others(manifest: Make) -> None:
    scores = {"1.2.1": UnsupportedImageKind("The image has no contrast."), "1.2.2": routed(0.6)}
    outcome = predict(study(instance(1), instance(2)), scores, manifest)
    assert isinstance(outcome.state, Done)
    assert len(outcome.state.instances) == 1


def test_one_study_is_never_answered_by_two_versions(manifest: Make) -> None:
    scores = {"1.2.1": routed(0.2, version=1), "1.2.2": routed(0.7, version=2)}
    with pytest.raises(ModelUnavailable):
        predict(study(instance(1), instance(2)), scores, manifest)


def test_an_answer_without_a_map_explains_no_instance(manifest: Make) -> None:
    outcome = predict(study(instance(1)), {"1.2.1": routed(0.2, explained=False)}, manifest)
    assert isinstance(outcome.state, Done)
    assert (outcome.state.explained_instance, outcome.explained) == (None, None)


def test_a_fallback_is_told(manifest: Make) -> None:
    outcome = predict(study(instance(1)), {"1.2.1": routed(0.2, fell_back=True)}, manifest)
    assert isinstance(outcome.state, Done)
    assert outcome.state.fell_back


def test_a_film_unlike_the_training_data_is_abstained_from_with_the_reason(manifest: Make) -> None:
    outcome = predict(study(instance(1)), {"1.2.1": unlike(0.97)}, manifest)
    assert outcome.state == Abstained(
        reasons=(UNLIKE,), model_version="chest@1", role=Role.CHAMPION, policy_version=3, fell_back=False,
        answered_at=NOW,
        instances=(ScoredInstance(sop_instance_uid=SOPInstanceUID("1.2.1"), object_sha256=sha256_of(b"\x01")),),
    )  # fmt: skip
    assert "0.97" not in outcome.state.model_dump_json()
    assert outcome.explained is None
    assert [one.routed.score.probability for one in outcome.scored] == [0.97]  # for monitoring


def test_one_unlike_film_is_enough_and_is_named_among_several(manifest: Make) -> None:
    scores = {"1.2.1": routed(0.9), "1.2.2": unlike(0.1), "1.2.3": routed(0.8)}
    outcome = predict(study(instance(1), instance(2), instance(3)), scores, manifest)
    assert isinstance(outcome.state, Abstained)
    assert outcome.state.reasons == (f"instance 2: {UNLIKE}",)
    assert len(outcome.state.instances) == 3


def test_the_prediction_set_is_that_of_the_film_that_decides(manifest: Make) -> None:
    sets = ConformalSets(coverage=0.9, least_present=0.3, most_absent=0.5, n_present=9, n_absent=9, fitted_on="t")

    def judged(probability: float, *possible: str) -> RoutedScore:
        found = routed(probability)
        return found.model_copy(update={"score": found.score.model_copy(update={"prediction_set": possible})})

    scores = {"1.2.1": judged(0.1, "absent"), "1.2.2": judged(0.45, "present", "absent")}
    outcome = predict(study(instance(1), instance(2)), scores, lambda **_: manifest(conformal=sets))
    assert isinstance(outcome.state, Done)
    assert (outcome.state.prediction_set, outcome.state.coverage) == (("present", "absent"), 0.9)


def test_a_version_without_prediction_sets_states_no_coverage(manifest: Make) -> None:
    outcome = predict(study(instance(1)), {"1.2.1": routed(0.2)}, manifest)
    assert isinstance(outcome.state, Done)
    assert (outcome.state.prediction_set, outcome.state.coverage) == (None, None)
