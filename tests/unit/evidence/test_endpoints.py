"""Endpoints and floors are held to their limits; what is missing, unusable or undecidable is said, never guessed."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from domain.change_control import TestSetOpening
from domain.errors import NotEstimable, PlanNotRegistered, TooFewSamples
from domain.identifiers import sha256_of
from domain.model_version import OperatingPoint
from evidence.endpoints import Rival, assess, deviations, floors, holds, reuse_cost
from evidence.judgement import EndpointResult
from evidence.plan import Bound, CalibrationBound, Endpoint, NonInferiority, Superiority, ValidationPlan, read_plan
from evidence.scored_set import ScoredSet

TASK = "chest_xray_pneumonia"
AUROC = Bound(kind="bound", metric="auroc", at_least=0.8)
NO_WORSE = NonInferiority(kind="non_inferiority", metric="auroc", against="champion", margin=0.05)
SENSITIVITY_NO_WORSE = NonInferiority(kind="non_inferiority", metric="sensitivity", against="champion", margin=0.05)
BETTER = Superiority(kind="superiority", metric="auroc", against="champion")
BETTER_THAN_BASELINE = Superiority(kind="superiority", metric="auroc", against="baseline")
Scorer = Callable[..., ScoredSet]


def judged(endpoint: Endpoint, test: ScoredSet, rivals: dict[str, Rival] | None = None, **how: Any) -> EndpointResult:
    found: dict[str, Any] = {"role": "primary", "threshold": 0.3, "alpha": 0.025, **how}
    return assess(endpoint, test=test, rivals=rivals or {}, **found)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("endpoint", "met"),
    [
        (AUROC, True),
        (Bound(kind="bound", metric="auroc", at_least=0.97), False),
        (Bound(kind="bound", metric="sensitivity", at_least=0.7), True),
        (Bound(kind="bound", metric="specificity", at_least=0.9), False),
        (Bound(kind="bound", metric="ppv", at_least=0.5), True),
        (Bound(kind="bound", metric="npv", at_least=0.5), True),
        (Bound(kind="bound", metric="brier", at_most=0.3), True),
        (Bound(kind="bound", metric="brier", at_most=0.05), False),
        (Bound(kind="bound", metric="expected_calibration_error", at_most=0.3), True),
        (CalibrationBound(kind="calibration", metric="calibration_slope", low=0.2, high=5.0), True),
        (CalibrationBound(kind="calibration", metric="calibration_slope", low=0.99, high=1.01), False),
        (CalibrationBound(kind="calibration", metric="calibration_in_the_large", low=-1.0, high=1.0), True),
        (CalibrationBound(kind="calibration", metric="calibration_intercept", low=-1.0, high=1.0), True),
    ],
)
def test_a_bound_is_met_by_the_end_of_the_interval_not_by_the_value(
    endpoint: Endpoint, met: bool, scored: Scorer
) -> None:
    found = judged(endpoint, scored())

    assert found.met is met, found.reason
    assert found.value is not None
    assert holds(endpoint, found.value.interval) is met
    assert found.value.level == pytest.approx(0.95)
    assert found.bound in found.reason
    assert found.p_value is None or (found.p_value <= 0.025) is met


def test_a_smaller_alpha_widens_the_interval(scored: Scorer) -> None:
    usual, strict = judged(AUROC, scored()), judged(AUROC, scored(), alpha=0.001)

    assert usual.value is not None
    assert strict.value is not None
    assert strict.value.interval[0] < usual.value.interval[0]
    assert strict.value.level == pytest.approx(0.998)


def test_what_cannot_be_estimated_is_not_met_and_says_why(scored: Scorer) -> None:
    found = judged(Bound(kind="bound", metric="ppv", at_least=0.5), scored(), threshold=1.0)

    assert not found.met
    assert found.value is None
    assert "no samples" in found.reason


def worse(test: ScoredSet, by: float) -> Rival:
    noise = np.random.default_rng(4).normal(0, by, len(test.sample_ids))
    probabilities = 1 / (1 + np.exp(-(np.log(test.probabilities / (1 - test.probabilities)) + noise)))
    return Rival(replace(test, model_version="chest_xray_pneumonia@1", probabilities=probabilities), 0.3)


def test_a_better_model_is_not_inferior_and_superior_and_the_other_way_round_neither(scored: Scorer) -> None:
    test = scored()
    rival = worse(test, 3.0)

    assert judged(NO_WORSE, test, {"champion": rival}).met
    assert judged(BETTER, test, {"champion": rival}).met
    swapped = {"champion": Rival(test, 0.3)}
    assert not judged(NO_WORSE, rival.scored, swapped).met
    assert not judged(BETTER, rival.scored, swapped).met


def test_each_models_calls_are_made_at_its_own_threshold(scored: Scorer) -> None:
    test = scored()

    low = judged(SENSITIVITY_NO_WORSE, test, {"champion": Rival(replace(test, model_version="other"), 0.05)})
    high = judged(SENSITIVITY_NO_WORSE, test, {"champion": Rival(replace(test, model_version="other"), 0.9)})

    assert not low.met
    assert high.met
    assert low.value is not None
    assert low.value.name == "sensitivity_difference"


def test_the_order_of_the_rivals_samples_does_not_matter(scored: Scorer) -> None:
    test = scored()
    rival = worse(test, 1.0)
    turned = replace(
        rival.scored, sample_ids=test.sample_ids[::-1], patient_keys=test.patient_keys[::-1],
        labels=test.labels[::-1], probabilities=rival.scored.probabilities[::-1], subgroups={},
    )  # fmt: skip

    assert judged(NO_WORSE, test, {"champion": rival}) == judged(NO_WORSE, test, {"champion": Rival(turned, 0.3)})


@pytest.mark.parametrize("endpoint", [NO_WORSE, SENSITIVITY_NO_WORSE])
def test_the_same_model_again_is_not_inferior_and_not_superior(endpoint: Endpoint, scored: Scorer) -> None:
    test = scored()
    same = {"champion": Rival(replace(test, model_version="chest_xray_pneumonia@1"), 0.3)}

    assert judged(endpoint, test, same).met
    assert judged(endpoint, test, same).reason == "the two answer alike on every film"
    assert not judged(BETTER, test, same).met


def test_equal_calls_on_few_films_by_other_scores_do_not_prove_non_inferiority(scored: Scorer) -> None:
    few = scored(n=40, separation=9.0)
    other = Rival(replace(few, probabilities=np.clip(few.probabilities * 0.99, 0, 1)), 0.3)

    found = judged(SENSITIVITY_NO_WORSE, few, {"champion": other}, threshold=0.3)

    assert found.value is not None
    assert found.value.value == 0.0
    assert not found.met


@pytest.mark.parametrize("endpoint", [NO_WORSE, BETTER])
def test_without_a_champion_a_comparison_with_it_does_not_apply_and_is_met(endpoint: Endpoint, scored: Scorer) -> None:
    found = judged(endpoint, scored())

    assert (found.applicable, found.met, found.reason) == (False, True, "there is no champion yet")


def test_a_missing_baseline_is_not_met(scored: Scorer) -> None:
    found = judged(BETTER_THAN_BASELINE, scored())

    assert (found.applicable, found.met) == (True, False)
    assert "no baseline" in found.reason


def test_a_rival_on_other_samples_is_not_met(scored: Scorer) -> None:
    found = judged(NO_WORSE, scored(), {"champion": Rival(scored(n=238), 0.3)})

    assert not found.met
    assert "same samples" in found.reason


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0, float("nan")])
def test_an_alpha_that_no_test_can_have_is_refused_by_name(alpha: float, scored: Scorer) -> None:
    with pytest.raises(NotEstimable, match="auroc_at_least: a one-sided alpha"):
        judged(AUROC, scored(), alpha=alpha)


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), -0.1, 1.2])
def test_a_score_that_is_no_probability_is_refused_with_the_sample_and_the_set(wrong: float, scored: Scorer) -> None:
    probabilities = scored().probabilities.copy()
    probabilities[[17, 40]] = wrong

    with pytest.raises(NotEstimable, match=r"2 samples have a score .* kermany_chest_xray@.*; the first is s0017"):
        judged(AUROC, scored(probabilities=probabilities))
    with pytest.raises(NotEstimable, match="scored by champion; the first is s0017"):
        judged(
            NO_WORSE, scored(), {"champion": Rival(scored(probabilities=probabilities, model_version="champion"), 0.3)}
        )


def test_a_label_other_than_declared_is_refused_with_the_sample(scored: Scorer) -> None:
    labels = scored().labels.copy()
    labels[5] = 2

    with pytest.raises(NotEstimable, match=r"1 samples have a label other than the declared 0 and 1 .* is s0005"):
        judged(AUROC, scored(labels=labels))


def test_an_empty_set_and_a_threshold_that_is_no_number_are_refused(scored: Scorer) -> None:
    with pytest.raises(TooFewSamples, match="no samples"):
        judged(AUROC, scored(n=0))
    with pytest.raises(NotEstimable, match="threshold"):
        judged(AUROC, scored(), threshold=float("nan"))


@pytest.fixture
def plan(plan_text: Callable[..., bytes]) -> Callable[..., ValidationPlan]:
    def make(**changes: Any) -> ValidationPlan:
        return read_plan(plan_text(**changes), task=TASK)[0]

    return make


def floor(group: str, metric: str = "auroc", at_least: float = 0.7, min_n: int = 30) -> dict[str, Any]:
    return {"group": group, "metric": metric, "at_least": at_least, "min_n": min_n}


def test_each_stratum_is_held_against_its_floor_and_a_small_one_decides_nothing(
    plan: Callable[..., ValidationPlan], scored: Scorer
) -> None:
    women, not_stated = floors(plan(subgroups=[floor("sex")]), scored(), threshold=0.3, alpha=0.025)

    assert (women.value, women.met, women.n) == ("F", True, 117)
    assert women.metric is not None
    assert women.metric.subgroup == "sex=F"
    assert (not_stated.value, not_stated.met, not_stated.metric) == ("not stated", None, None)
    assert not_stated.reason == "underpowered: 3 of 30 samples needed"


def test_a_poor_stratum_misses_its_floor(plan: Callable[..., ValidationPlan], scored: Scorer) -> None:
    test = scored()
    side = np.arange(240) % 4 < 2
    probabilities = np.where(side, test.probabilities, np.random.default_rng(1).random(240))
    split = replace(test, probabilities=probabilities, subgroups={"site": tuple("good" if s else "poor" for s in side)})

    found = {f.value: f.met for f in floors(plan(subgroups=[floor("site")]), split, threshold=0.3, alpha=0.025)}

    assert found == {"good": True, "poor": False}


@pytest.mark.parametrize("metric", ["sensitivity", "specificity", "auroc"])
def test_a_subtype_is_compared_with_every_film_without_the_finding(
    metric: str, plan: Callable[..., ValidationPlan], scored: Scorer
) -> None:
    test = scored()
    kinds = {kind: test.subgroups["subtype"].count(kind) for kind in ("bacteria", "virus")}

    found = floors(plan(subgroups=[floor("subtype", metric, 0.1)]), test, threshold=0.3, alpha=0.025)

    assert {result.value: result.n for result in found} == (
        dict.fromkeys(kinds, 120) if metric == "specificity" else kinds
    )
    assert all(result.metric is not None for result in found)


def test_a_group_that_the_test_set_does_not_record_is_not_met(
    plan: Callable[..., ValidationPlan], scored: Scorer
) -> None:
    (found,) = floors(plan(subgroups=[floor("view")]), scored(), threshold=0.3, alpha=0.025)

    assert found.met is False
    assert "does not say the view" in found.reason


def test_the_kth_distinct_model_is_judged_at_alpha_over_k(
    plan: Callable[..., ValidationPlan], opening: Callable[..., TestSetOpening]
) -> None:
    first, second, third = (sha256_of(name) for name in (b"1", b"2", b"3"))
    ledger = [
        opening(4, model_sha256=third),
        opening(1, model_sha256=first),
        opening(2, model_sha256=first),
        opening(3, model_sha256=second, purpose="reproduction"),
        opening(5, model_sha256=second),
    ]

    assert [reuse_cost(ledger, model, plan()).models for model in (first, third, second)] == [1, 2, 3]
    cost = reuse_cost(ledger, second, plan())
    assert cost.adjusted_alpha == pytest.approx(0.025 / 3)
    assert cost.error_if_unadjusted == pytest.approx(1 - 0.975**3)
    unadjusted = plan(test_set_reuse={"adjustment": "none", "max_models": 3})
    assert reuse_cost(ledger, second, unadjusted).adjusted_alpha == 0.025


def test_a_model_that_never_opened_the_test_set_has_no_rank(
    plan: Callable[..., ValidationPlan], opening: Callable[..., TestSetOpening]
) -> None:
    with pytest.raises(PlanNotRegistered, match="no opening"):
        reuse_cost([opening(1, purpose="reproduction")], opening().model_sha256, plan())


def test_what_was_done_otherwise_than_planned_is_said(plan: Callable[..., ValidationPlan], scored: Scorer) -> None:
    point = OperatingPoint(threshold=0.5, rule="half", chosen_on="not chosen")

    said = deviations(plan(), scored(n=150), min_sensitivity=0.9, operating_point=point)

    assert said == (
        "auroc_at_least: 150 samples where 200 were planned.",
        "auroc_at_least: 75 samples with the finding where 100 were planned.",
        "auroc_at_least: 75 samples without the finding where 100 were planned.",
        "auroc_at_least: 1.50 samples per patient where 1.00 were assumed.",
        "The task chooses its threshold for a sensitivity of 0.9, the plan says 0.95.",
        "The threshold was not chosen on tuning data.",
    )
    one_each = tuple(f"p{i}" for i in range(240))
    assert deviations(plan(), scored(patient_keys=one_each), min_sensitivity=0.95) == ()
