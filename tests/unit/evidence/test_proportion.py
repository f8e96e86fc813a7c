"""Intervals of a proportion are those of other programs, keep their level, and are exact at 0 of n and n of n."""

import numpy as np
import pytest

from domain.errors import NotEstimable, TooFewSamples
from evidence.statistics import proportion as pr

EVERY = tuple(pr.NAMES)
STATSMODELS = {"wilson": "wilson", "clopper-pearson": "beta", "agresti-coull": "agresti_coull", "jeffreys": "jeffreys"}


@pytest.mark.parametrize("interval", EVERY)
@pytest.mark.parametrize("level", [0.8, 0.95, 0.999])
def test_limits_are_those_of_statsmodels(interval: pr.Interval, level: float) -> None:
    from statsmodels.stats.proportion import proportion_confint

    for successes, n in ((1, 3), (7, 20), (81, 263), (990, 1000)):
        found = pr.proportion(successes, n, level=level, interval=interval)
        expected = proportion_confint(successes, n, alpha=1 - level, method=STATSMODELS[interval])
        assert (found.low, found.high) == pytest.approx(np.clip(expected, 0, 1), abs=1e-9)
        assert (found.value, found.method, found.n) == (successes / n, pr.NAMES[interval], n)


@pytest.mark.parametrize("interval", EVERY)
def test_at_none_and_at_all_one_end_is_exact(interval: pr.Interval) -> None:
    none, every = (pr.proportion(x, 37, interval=interval) for x in (0, 37))
    assert none.low == 0.0
    assert every.high == 1.0
    assert 0.0 < none.high < 0.2


@pytest.mark.parametrize("interval", EVERY)
def test_exchanging_successes_and_failures_mirrors_the_interval(interval: pr.Interval) -> None:
    for x in range(13):
        one, other = pr.proportion(x, 12, interval=interval), pr.proportion(12 - x, 12, interval=interval)
        assert (one.low, one.high) == pytest.approx((1 - other.high, 1 - other.low), abs=1e-12)
        assert one.low <= one.value <= one.high


@pytest.mark.parametrize(("interval", "lowest"), [("clopper-pearson", 0.95), ("wilson", 0.93), ("agresti-coull", 0.93)])
def test_coverage_over_the_binomial_distribution_keeps_the_level(interval: pr.Interval, lowest: float) -> None:
    from scipy.stats import binom

    limits = np.array([(e.low, e.high) for e in (pr.proportion(x, 60, interval=interval) for x in range(61))])
    for p in np.linspace(0.15, 0.85, 29):
        inside = (limits[:, 0] <= p) & (p <= limits[:, 1])
        assert binom.pmf(np.arange(61), 60, p)[inside].sum() >= lowest


def test_one_sided_limit_of_fifty_of_fifty_is_the_root_of_alpha() -> None:
    assert pr.lower_limit(50, 50, level=0.975).low == pytest.approx(0.025 ** (1 / 50), abs=1e-12)
    assert pr.upper_limit(0, 100).high == pytest.approx(1 - 0.05**0.01, abs=1e-12)  # near 3 / n
    assert pr.lower_limit(0, 5).low == 0.0
    assert pr.upper_limit(5, 5).high == 1.0


@pytest.mark.parametrize("interval", EVERY)
def test_one_sided_limits_are_the_ends_of_a_two_sided_interval_of_the_doubled_error(interval: pr.Interval) -> None:
    both = pr.proportion(17, 23, level=0.9, interval=interval)
    low, high = (limit(17, 23, level=0.95, interval=interval) for limit in (pr.lower_limit, pr.upper_limit))
    assert (low.low, low.high) == (pytest.approx(both.low, abs=1e-12), 1.0)
    assert (high.low, high.high) == (0.0, pytest.approx(both.high, abs=1e-12))
    assert "one-sided" in low.method


def test_each_name_gives_its_interval() -> None:
    assert pr.clopper_pearson(3, 9) == pr.proportion(3, 9, interval="clopper-pearson")
    assert pr.agresti_coull(3, 9) == pr.proportion(3, 9, interval="agresti-coull")
    assert pr.wilson(3, 9, positives=9) == pr.proportion(3, 9, positives=9)


def test_what_is_no_proportion_is_refused() -> None:
    with pytest.raises(TooFewSamples):
        pr.clopper_pearson(0, 0)
    for bad in ((-1, 5), (6, 5)):
        with pytest.raises(NotEstimable):
            pr.proportion(*bad)
    for level in (0.0, 1.0, 1.5, float("nan")):
        with pytest.raises(NotEstimable):
            pr.proportion(1, 5, level=level)
        with pytest.raises(NotEstimable):
            pr.lower_limit(1, 5, level=level)
    with pytest.raises(NotEstimable):
        pr.lower_limit(1, 5, level=0.4)
    with pytest.raises(NotEstimable, match="wald"):
        pr.proportion(1, 5, interval="wald")  # type: ignore[arg-type]
