"""Likelihood ratios of a published table, the relations between them, and what an empty cell does."""

import math

import pytest

from domain.errors import NotEstimable, TooFewSamples
from evidence.statistics.likelihood_ratio import diagnostic_odds_ratio, likelihood_ratios, positive_likelihood_ratio
from evidence.statistics.operating_point import Confusion

SCOTT = Confusion(true_positives=670, false_positives=202, false_negatives=74, true_negatives=640)


def test_ratios_of_scott_2008_are_those_of_epir() -> None:
    found = likelihood_ratios(SCOTT)
    positive, negative = found.positive, found.negative
    assert (positive.value, positive.low, positive.high) == pytest.approx((3.75372618, 3.32068844, 4.24323465))
    assert (negative.value, negative.low, negative.high) == pytest.approx((0.13085517, 0.10506432, 0.16297708))
    assert found.diagnostic_odds_ratio.value == pytest.approx(28.6861118544287)


def test_the_odds_ratio_is_the_quotient_of_the_two_ratios_and_its_interval_woolfs() -> None:
    from statsmodels.stats.contingency_tables import Table2x2

    found = likelihood_ratios(SCOTT, level=0.9)
    assert found.positive.value / found.negative.value == pytest.approx(found.diagnostic_odds_ratio.value)
    expected = Table2x2([[670, 202], [74, 640]]).oddsratio_confint(alpha=0.1)
    assert (found.diagnostic_odds_ratio.low, found.diagnostic_odds_ratio.high) == pytest.approx(expected)


def test_the_interval_is_symmetric_on_the_log_scale() -> None:
    found = positive_likelihood_ratio(SCOTT)
    assert math.log(found.high / found.value) == pytest.approx(math.log(found.value / found.low))
    assert (found.n, found.positives, found.method) == (1586, 744, "Simel, log")


def test_an_empty_cell_is_refused_unless_a_half_is_asked_for() -> None:
    perfect = Confusion(true_positives=9, false_positives=0, false_negatives=0, true_negatives=19)
    with pytest.raises(NotEstimable, match="empty"):
        likelihood_ratios(perfect)
    found = likelihood_ratios(perfect, add_half=True)
    assert found.positive.value == pytest.approx((9.5 / 10) / (0.5 / 20))
    assert found.diagnostic_odds_ratio.value == pytest.approx(9.5 * 19.5 / 0.25)
    assert "½" in found.negative.method


def test_no_ratio_without_both_classes() -> None:
    with pytest.raises(TooFewSamples):
        positive_likelihood_ratio(Confusion(5, 0, 5, 0), add_half=True)
    with pytest.raises(NotEstimable):
        diagnostic_odds_ratio(SCOTT, level=0.0)
