"""One- and two-sided tests are exact, with ties too."""

import math
from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from domain.errors import NotEstimable, TooFewSamples
from evidence.statistics import drift
from evidence.statistics.kolmogorov_smirnov import Alternative, kolmogorov_smirnov

ALTERNATIVES: tuple[Alternative, ...] = ("two-sided", "greater", "less")


@pytest.mark.parametrize("alternative", ALTERNATIVES)
@pytest.mark.parametrize(("n", "m"), [(15, 12), (30, 41), (8, 50)])
def test_without_ties_p_values_are_scipys_exact_ones(n: int, m: int, alternative: Alternative) -> None:
    draw = np.random.default_rng(n)
    x, y = draw.normal(size=n), draw.normal(0.3, size=m)
    expected = stats.ks_2samp(x, y, alternative=alternative, method="exact")
    made = kolmogorov_smirnov(x, y, alternative=alternative)
    assert (made.statistic, made.p_value) == pytest.approx((expected.statistic, expected.pvalue), rel=1e-9)
    assert made.method == "exact"


@pytest.mark.parametrize("alternative", ALTERNATIVES)
@pytest.mark.parametrize("pooled", [[1, 1, 2, 3, 3, 3, 4, 5], [0, 0, 0, 0, 1, 1, 1, 1]])
def test_with_ties_p_is_the_share_of_all_deals_at_least_as_far_apart(
    pooled: list[int], alternative: Alternative
) -> None:
    values = np.array(pooled, dtype=float)
    deals = [(values[list(d)], np.delete(values, d)) for d in combinations(range(8), 3)]
    apart = np.array([kolmogorov_smirnov(*deal, alternative=alternative).statistic for deal in deals])
    for deal, distance in list(zip(deals, apart, strict=True))[::5]:
        p = kolmogorov_smirnov(*deal, alternative=alternative).p_value
        assert p == pytest.approx(np.mean(apart >= distance - 1e-12), abs=1e-12)


def test_greater_means_that_the_first_sample_is_smaller() -> None:
    low, high = np.arange(20.0), np.arange(20.0) + 12
    assert kolmogorov_smirnov(low, high, alternative="greater").p_value < 0.01
    less = kolmogorov_smirnov(low, high, alternative="less")
    assert (less.statistic, less.p_value) == (0.0, 1.0)


def test_limits_are_kolmogorovs_and_smirnovs_without_correction() -> None:
    draw = np.random.default_rng(5)
    x, y = draw.normal(size=40), draw.normal(0.5, size=30)
    z = math.sqrt(40 * 30 / 70)
    two = kolmogorov_smirnov(x, y, method="limit")
    assert two.p_value == pytest.approx(stats.kstwobign.sf(two.statistic * z))
    one = kolmogorov_smirnov(x, y, alternative="greater", method="limit")
    assert one.p_value == pytest.approx(math.exp(-2 * (one.statistic * z) ** 2))


def test_large_samples_say_that_they_use_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drift, "EXACT_UP_TO", 10)
    x = np.arange(10.0)
    for alternative in ALTERNATIVES:
        assert kolmogorov_smirnov(x, x + 1, alternative=alternative).method == "limit"


def test_what_is_no_sample_is_refused() -> None:
    with pytest.raises(TooFewSamples):
        kolmogorov_smirnov([], [1.0])
    for bad in ([[1.0]], [math.nan]):
        with pytest.raises(NotEstimable):
            kolmogorov_smirnov(bad, [1.0])
