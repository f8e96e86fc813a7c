"""Curves of a scored set, average precision and likelihood ratios, with patients as the independent units."""

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from evidence import curves
from evidence.record import Provenance, ReportedModel, ValidationReport
from evidence.report import build_report
from evidence.results import results_of
from evidence.scored_set import ScoredSet
from evidence.statistics import decision_curve, precision_recall

Scorer = Callable[..., ScoredSet]


def alone(scored: ScoredSet) -> ScoredSet:
    return replace(scored, patient_keys=scored.sample_ids)


def test_kept_points_of_the_precision_recall_curve_lose_no_corner(scored: Scorer) -> None:
    test = scored()
    points, whole = curves.precision_recall_points(test), precision_recall.curve(test.labels, test.probabilities)
    every = list(zip(whole.recall.tolist(), whole.precision.tolist(), strict=True))
    assert set(points) <= set(every)
    assert (points[0], points[-1]) == (every[0], every[-1])
    for recall in set(whole.recall.tolist()):
        heights = [p for r, p in every if r == recall]
        assert {max(heights), min(heights)} == {p for r, p in points if r == recall}


def test_the_decision_curve_is_that_of_the_statistics_with_an_interval_at_each_threshold(scored: Scorer) -> None:
    test = scored()
    points = curves.decision_points(test, level=0.95)
    assert (points[0].threshold, points[-1].threshold) == (0.05, 0.95)
    assert all(point.interval[0] <= point.net_benefit <= point.interval[1] for point in points)
    half = next(point for point in points if point.threshold == 0.5)
    expected = decision_curve.decision_curve(test.labels, test.probabilities, thresholds=[0.5])[0]
    assert half.net_benefit == expected.model.value
    assert half.treat_all == expected.treat_all.value
    assert half.interventions_avoided == 100 * expected.interventions_avoided.value


def test_the_same_set_always_has_the_same_curve_within_a_second(scored: Scorer) -> None:
    test = scored(n=600)
    began = time.perf_counter()
    first = curves.decision_points(test, level=0.95)
    assert time.perf_counter() - began < 1.0
    assert curves.decision_points(test, level=0.95) == first


def test_average_precision_is_scikit_learns_and_counts_patients_where_they_repeat(scored: Scorer) -> None:
    test = scored()
    found = curves.further(test, threshold=0.4, level=0.95)["average_precision"]()
    assert found.value == pytest.approx(average_precision_score(test.labels, test.probabilities))
    assert "bootstrap of clusters" in found.method
    assert curves.further(alone(test), threshold=0.4, level=0.95)["average_precision"]().method == "logit"


def test_likelihood_ratios_are_those_of_the_table_and_twins_widen_them(scored: Scorer) -> None:
    once = scored()
    twin = scored(
        labels=np.repeat(once.labels[:120], 2), probabilities=np.repeat(once.probabilities[:120], 2), subgroups={},
        patient_keys=tuple(f"p{i // 2:04d}" for i in range(240)),
    )  # fmt: skip
    for name in ("likelihood_ratio_positive", "likelihood_ratio_negative"):
        clustered, naive = (curves.further(one, threshold=0.4, level=0.95)[name]() for one in (twin, alone(twin)))
        assert clustered.value == pytest.approx(naive.value)
        assert clustered.high / clustered.low > 1.2 * naive.high / naive.low
        assert "clustered" in clustered.method


def test_what_cannot_be_had_is_refused_with_the_reason(
    scored: Scorer, reported: ReportedModel, provenance: Provenance
) -> None:
    one = results_of(scored(labels=np.zeros(240, dtype=int)), threshold=0.4, level=0.95)
    assert (one.precision_recall, one.decision_curve) == ((), ())
    for name in ("decision_curve", "average_precision", "likelihood_ratio_positive", "likelihood_ratio_negative"):
        assert one.not_estimated[name]
    labels = np.arange(240) % 2
    perfect = scored(probabilities=labels * 0.9 + 0.05)
    report = build_report(reported, provenance=provenance, test=perfect)
    assert "cell of the table is empty" in report.test.not_estimated["likelihood_ratio_positive"]


def test_subgroups_have_none_of_these(report: ValidationReport) -> None:
    names = {"average_precision", "likelihood_ratio_positive", "likelihood_ratio_negative"}
    assert names <= {metric.name for metric in report.test.metrics}
    assert names <= {metric.name for outside in report.external for metric in outside.metrics}
    for stratum in report.test.subgroups:
        assert not names & ({metric.name for metric in stratum.metrics} | stratum.not_estimated.keys())
