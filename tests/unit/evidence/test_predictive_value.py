"""Predictive values follow Bayes' rule at the stated prevalence, and their intervals keep their level."""

import math

import numpy as np
import pytest

from domain.errors import NotEstimable, TooFewSamples
from evidence.statistics import operating_point as op
from evidence.statistics.predictive_value import npv_at, ppv_at

COUNTS = op.Confusion(true_positives=90, false_positives=20, false_negatives=10, true_negatives=180)


def test_at_the_prevalence_of_the_samples_they_are_the_shares_of_the_table() -> None:
    share = COUNTS.positives / COUNTS.n
    assert ppv_at(COUNTS, prevalence=share).value == pytest.approx(op.ppv(COUNTS).value)
    assert npv_at(COUNTS, prevalence=share).value == pytest.approx(op.npv(COUNTS).value)


def test_at_one_percent_most_positive_calls_are_false() -> None:
    found = ppv_at(COUNTS, prevalence=0.01)
    assert found.value == pytest.approx(0.01 * 0.9 / (0.01 * 0.9 + 0.99 * 0.1))
    assert "prevalence 0.01" in found.method
    assert (found.n, found.positives) == (300, 100)


def test_the_logit_variance_is_that_of_the_delta_method() -> None:
    def logit(se: float, sp: float) -> float:
        ppv = 0.2 * se / (0.2 * se + 0.8 * (1 - sp))
        return math.log(ppv / (1 - ppv))

    se, sp, step = 0.9, 0.9, 1e-6
    by_se = (logit(se + step, sp) - logit(se - step, sp)) / (2 * step)
    by_sp = (logit(se, sp + step) - logit(se, sp - step)) / (2 * step)
    error = math.sqrt(by_se**2 * se * (1 - se) / 100 + by_sp**2 * sp * (1 - sp) / 200)
    found = ppv_at(COUNTS, prevalence=0.2)
    ends = [math.log(x / (1 - x)) for x in (found.low, found.high)]
    assert ends == pytest.approx([logit(se, sp) - 1.959964 * error, logit(se, sp) + 1.959964 * error], abs=1e-5)


def test_exchanging_the_classes_exchanges_the_two_values() -> None:
    mirrored = op.Confusion(true_positives=180, false_positives=10, false_negatives=20, true_negatives=90)
    one, other = ppv_at(COUNTS, prevalence=0.3), npv_at(mirrored, prevalence=0.7)
    assert (one.value, one.low, one.high) == pytest.approx((other.value, other.low, other.high))


def test_intervals_cover_the_true_value() -> None:
    draw = np.random.default_rng(3)
    hits = {"ppv": 0, "npv": 0}
    true_ppv = 0.05 * 0.85 / (0.05 * 0.85 + 0.95 * 0.1)
    true_npv = 0.95 * 0.9 / (0.95 * 0.9 + 0.05 * 0.15)
    for tp, tn in zip(draw.binomial(60, 0.85, 800), draw.binomial(90, 0.9, 800), strict=True):
        counts = op.Confusion(int(tp), 90 - int(tn), 60 - int(tp), int(tn))
        ppv, npv = ppv_at(counts, prevalence=0.05), npv_at(counts, prevalence=0.05)
        hits["ppv"] += ppv.low <= true_ppv <= ppv.high
        hits["npv"] += npv.low <= true_npv <= npv.high
    assert all(0.93 <= hit / 800 <= 0.985 for hit in hits.values()), hits


def test_an_empty_cell_gives_the_adjusted_interval_around_the_value() -> None:
    perfect = op.Confusion(true_positives=20, false_positives=0, false_negatives=0, true_negatives=30)
    found = ppv_at(perfect, prevalence=0.1)
    assert (found.value, found.high) == (1.0, 1.0)
    assert 0.2 < found.low < 0.9
    assert found.method.startswith("adjusted logit")


def test_what_has_no_predictive_value_is_refused() -> None:
    for prevalence in (0.0, 1.0, -0.1, float("nan")):
        with pytest.raises(NotEstimable):
            ppv_at(COUNTS, prevalence=prevalence)
    with pytest.raises(TooFewSamples):
        npv_at(op.Confusion(5, 0, 5, 0), prevalence=0.1)
    with pytest.raises(NotEstimable):
        ppv_at(op.Confusion(0, 0, 5, 5), prevalence=0.1)
    with pytest.raises(NotEstimable):
        npv_at(op.Confusion(5, 5, 0, 0), prevalence=0.1)
    with pytest.raises(NotEstimable):
        npv_at(COUNTS, prevalence=0.1, level=1.0)
