"""Coverage, kinds of sets and abstention, measured on films that fitted neither."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from domain.acceptance import MetricValue
from domain.identifiers import sha256_of
from domain.model_version import ConformalSets, OutOfDistribution
from domain.prediction import ImageScore
from evidence.results import results_of
from evidence.scored_set import ScoredSet
from evidence.uncertainty import ANSWERED, JudgedSet, uncertainty_of
from evidence.uncertainty_record import SetUncertainty, UncertaintyResults

SETS = ConformalSets(coverage=0.9, least_present=0.3, most_absent=0.6, n_present=9, n_absent=9, fitted_on="t")
LIMIT = OutOfDistribution(
    file="uncertainty.npz", file_sha256=sha256_of(b"npz"), limit=5.0, quantile=0.995, n=300, fitted_on="t"
)


def judged(scored: ScoredSet, *, abstained: Callable[[int], bool] = lambda i: i % 10 == 0) -> JudgedSet:
    scores = []
    for i, probability in enumerate(scored.probabilities.tolist()):
        possible = [name for name, holds in (("present", probability >= 0.3), ("absent", probability <= 0.6)) if holds]
        scores.append(
            ImageScore.model_validate(
                {"probability": probability, "image_features": {}, "prediction_set": possible,
                 "abstained": "Unlike." if abstained(i) else None}
            )
        )  # fmt: skip
    return JudgedSet(scored, scores)


def measured(*sets: JudgedSet, **changes: Any) -> UncertaintyResults:
    stated = {"conformal": SETS, "out_of_distribution": LIMIT, "not_fitted": (), "threshold": 0.4, "level": 0.95}
    return uncertainty_of(sets, **{**stated, **changes})


def by_name(found: SetUncertainty) -> dict[str, MetricValue]:
    return {value.name: value for value in found.metrics}


def test_coverage_is_counted_within_each_class_and_on_all_films(scored: Callable[..., ScoredSet]) -> None:
    films = scored()
    (found,) = measured(judged(films)).sets
    values, present = by_name(found), films.labels == 1
    assert values["conformal_coverage_present"].value == pytest.approx((films.probabilities[present] >= 0.3).mean())
    assert values["conformal_coverage_absent"].value == pytest.approx((films.probabilities[~present] <= 0.6).mean())
    assert (values["conformal_coverage_present"].n, values["conformal_coverage_absent"].n) == (120, 120)
    kinds = [values[f"sets_of_{kind}"].value for kind in ("one", "both", "neither")]
    assert sum(kinds) == pytest.approx(1.0)
    assert kinds[1] == pytest.approx(((films.probabilities >= 0.3) & (films.probabilities <= 0.6)).mean())


def test_sets_that_hold_nothing_are_counted_as_such(scored: Callable[..., ScoredSet]) -> None:
    films = scored()
    scores = [ImageScore(probability=0.5, image_features={}, prediction_set=()) for _ in films.sample_ids]
    (found,) = measured(JudgedSet(films, scores)).sets
    values = by_name(found)
    assert (values["sets_of_neither"].value, values["conformal_coverage_present"].value) == (1.0, 0.0)


def test_intervals_know_that_a_patient_has_several_films(scored: Callable[..., ScoredSet]) -> None:
    films = scored()
    of_whole_patients = {key: int(key[1:]) % 7 == 0 for key in films.patient_keys}
    clustered = judged(films, abstained=lambda i: of_whole_patients[films.patient_keys[i]])
    value = by_name(measured(clustered).sets[0])["abstention_share"]
    assert "clustered" in value.method
    assert value.interval[0] < value.value < value.interval[1]


def test_the_films_not_abstained_on_are_described_apart_and_the_primary_figures_untouched(
    scored: Callable[..., ScoredSet],
) -> None:
    films = scored()
    wrong = (films.probabilities >= 0.4) != (films.labels == 1)
    (found,) = measured(judged(films, abstained=lambda i: bool(wrong[i]))).sets
    values = by_name(found)
    assert (values["sensitivity"].value, values["specificity"].value, values["auroc"].value) == (1.0, 1.0, 1.0)
    assert {values[name].subgroup for name in ("auroc", "sensitivity", "specificity")} == {ANSWERED}
    assert values["auroc"].n == 240 - int(wrong.sum()) == 240 - found.abstained
    primary = {value.name: value.value for value in results_of(films, threshold=0.4, level=0.95).metrics}
    assert primary["sensitivity"] < 1.0


def test_what_cannot_be_had_is_told_with_its_reason(scored: Callable[..., ScoredSet]) -> None:
    films = scored()
    (found,) = measured(judged(films, abstained=lambda i: bool(films.labels[i]))).sets
    assert set(found.not_estimated) == {"auroc", "sensitivity"}
    (all_gone,) = measured(judged(films, abstained=lambda _: True)).sets
    assert set(all_gone.not_estimated) == {"auroc", "sensitivity", "specificity"}
    assert by_name(all_gone)["abstention_share"].value == 1.0


def test_a_version_without_a_distance_reports_its_sets_and_why(scored: Callable[..., ScoredSet]) -> None:
    why = ("Never abstains: the model learns no features of its own.",)
    found = measured(judged(scored()), out_of_distribution=None, not_fitted=why)
    assert found.not_fitted == why
    assert "abstention_share" not in by_name(found.sets[0])
    assert "conformal_coverage_present" in by_name(found.sets[0])
    assert "conformal_coverage_present" not in by_name(measured(judged(scored()), conformal=None).sets[0])


def test_each_set_is_named_and_the_same_scores_give_the_same_record(scored: Callable[..., ScoredSet]) -> None:
    outside = scored(source="nih_chest_xray", split="external", seed=4)
    found = measured(judged(scored()), judged(outside))
    assert [(one.source, str(one.split)) for one in found.sets] == [
        ("kermany_chest_xray", "test"), ("nih_chest_xray", "external"),
    ]  # fmt: skip
    assert found.model_dump_json() == measured(judged(scored()), judged(outside)).model_dump_json()
    assert all(np.isfinite([value.value, *value.interval]).all() for one in found.sets for value in one.metrics)
