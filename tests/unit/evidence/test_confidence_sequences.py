"""Sequences cover the truth at all times at once."""

import math

import numpy as np
import pytest
from scipy import integrate, stats

from domain.errors import NotEstimable, TooFewSamples
from evidence.statistics import confidence_sequences as cs


@pytest.mark.parametrize("kind", ["empirical_bernstein", "asymptotic", "paired", "paired_asymptotic"])
def test_the_truth_leaves_a_sequence_at_any_time_no_more_often_than_the_level_allows(kind: str) -> None:
    draw = np.random.default_rng(0)
    missed = 0
    for _ in range(300):
        one, other = draw.random((2, 400)) < np.array([[0.3], [0.2]])
        if kind.startswith("paired"):
            made, truth = cs.paired_difference(one, other, level=0.9, exact=kind == "paired"), 0.1
        else:
            made, truth = getattr(cs, kind)(one, level=0.9), 0.3
        late = slice(20, None) if "asymptotic" in kind else slice(None)  # that one holds for many values
        missed += bool(((made.low > truth) | (made.high < truth))[late].any())
    assert missed / 300 <= 0.1 + 2 * math.sqrt(0.09 / 300)


def test_empirical_bernstein_narrows_with_values_and_with_small_variance() -> None:
    draw = np.random.default_rng(1)
    steady, wild = 0.5 + 0.01 * draw.normal(size=2000), (draw.random(2000) < 0.5).astype(float)
    narrow, wide = cs.empirical_bernstein(steady), cs.empirical_bernstein(wild)
    assert narrow.high[-1] - narrow.low[-1] < 0.3 * (wide.high[-1] - wide.low[-1])
    assert (np.diff(wide.high) <= 0).all()
    assert (np.diff(wide.low) >= 0).all()


def test_bounds_scale_the_sequence() -> None:
    x = np.random.default_rng(2).random(50)
    plain, scaled = cs.empirical_bernstein(x), cs.empirical_bernstein(3 + 10 * x, bounds=(3.0, 13.0))
    assert scaled.low == pytest.approx(3 + 10 * plain.low)
    assert scaled.last().high == pytest.approx(3 + 10 * plain.last().high)


def test_asymptotic_sequence_is_narrowest_at_its_time_among_its_family() -> None:
    x = np.random.default_rng(3).normal(size=1000)

    def width(at: int) -> float:
        made = cs.asymptotic(x, tightest_at=at)
        return float(made.high[199] - made.low[199])

    assert width(200) < min(width(100), width(400))
    made = cs.asymptotic(x)
    assert made.value[99] == pytest.approx(x[:100].mean())
    assert made.high[0] == math.inf


def test_proportion_is_the_dual_of_the_beta_mixture() -> None:
    made = cs.proportion(7, 30)
    for p in (made.low, made.high):
        mixed, _ = integrate.quad(lambda q: stats.binom.pmf(7, 30, q), 0, 1)
        assert mixed / stats.binom.pmf(7, 30, p) == pytest.approx(20.0, rel=1e-6)
    assert made.low < 7 / 30 < made.high


def test_proportion_is_the_mirror_of_its_complement_and_touches_the_ends() -> None:
    one, other = cs.proportion(3, 40), cs.proportion(37, 40)
    assert one.low == pytest.approx(1 - other.high, abs=1e-12)
    assert cs.proportion(0, 10).low == 0.0
    assert cs.proportion(10, 10).high == 1.0
    assert cs.proportion(1, 10**9).high < 1e-6


def test_proportions_cover_at_all_times_and_so_does_their_difference() -> None:
    draw = np.random.default_rng(4)
    missed = 0
    for _ in range(150):
        counts = np.cumsum(draw.random((2, 120)) < 0.2, axis=1)
        missed += any(
            not cs.proportion_difference((int(counts[0, n]), n + 1), (int(counts[1, n]), n + 1), level=0.8).low
            <= 0.0
            <= cs.proportion_difference((int(counts[0, n]), n + 1), (int(counts[1, n]), n + 1), level=0.8).high
            for n in range(0, 120, 10)
        )
    assert missed / 150 <= 0.2


def test_difference_adds_what_both_arms_do_not_know() -> None:
    one, other = cs.proportion(60, 100, level=0.975), cs.proportion(40, 120, level=0.975)
    made = cs.proportion_difference((60, 100), (40, 120))
    assert (made.low, made.high) == pytest.approx((one.low - other.high, one.high - other.low))
    assert (made.n, made.positives) == (220, 100)


def test_what_has_no_sequence_is_refused() -> None:
    for values in ([1.5], [math.nan], [[0.5]]):
        with pytest.raises(NotEstimable):
            cs.empirical_bernstein(values)
    for empty in (cs.empirical_bernstein, cs.asymptotic):
        with pytest.raises(TooFewSamples):
            empty([])
        with pytest.raises(NotEstimable):
            empty([0.5], level=1.0)
    with pytest.raises(NotEstimable):
        cs.empirical_bernstein([0.5], bounds=(1.0, 0.0))
    with pytest.raises(NotEstimable):
        cs.asymptotic([0.5], tightest_at=0)
    with pytest.raises(NotEstimable):
        cs.paired_difference([0.5], [0.5, 0.2])
    with pytest.raises(TooFewSamples):
        cs.proportion(0, 0)
    for successes, prior in ((3, (1.0, 1.0)), (1, (0.0, 1.0))):
        with pytest.raises(NotEstimable):
            cs.proportion(successes, 2, prior=prior)
