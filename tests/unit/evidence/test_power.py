"""Sample sizes are the published ones, and studies of that size have the power they were planned for."""

import math

import numpy as np
import pytest

from domain.errors import NotEstimable
from evidence.statistics import power_proportion as pq
from evidence.statistics import proportion as pr
from evidence.statistics.power import Design, Sampling

BOUND_METHODS: tuple[pq.BoundMethod, ...] = ("normal", "wilson", "clopper-pearson")


def test_a_sensitivity_of_080_within_007_at_a_prevalence_of_10_percent_takes_1255() -> None:
    # Hajian-Tilaki, J Biomed Inform 48:193 (2014), p. 195
    found = pq.size_for_half_width(0.8, half_width=0.07, sampling=Sampling(share=0.1))
    assert (found.n, found.counted, found.power) == (1255, 126, None)
    assert found.needed == pytest.approx(125.435, abs=1e-3)


def test_a_design_says_what_was_assumed() -> None:
    found = pq.size_for_bound(0.9, bound=0.8, sampling=Sampling(share=0.2, cluster_size=3, icc=0.1))
    assert isinstance(found, Design)
    assert (found.alpha, found.sides, found.method) == (0.025, 1, "normal")
    assert found.assumed == {
        "expected": 0.9, "bound": 0.8, "share": 0.2, "cluster_size": 3, "cluster_size_cv": 0.0, "icc": 0.1,
        "design_effect": pytest.approx(1.2),
    }  # fmt: skip


def test_clusters_and_a_rare_finding_multiply_the_samples_and_are_rounded_once() -> None:
    plain = pq.size_for_bound(0.9, bound=0.8)
    sampling = Sampling(share=0.25, cluster_size=4, icc=0.2)
    found = pq.size_for_bound(0.9, bound=0.8, sampling=sampling)
    assert sampling.design_effect == pytest.approx(1.6)
    assert found.n == math.ceil(plain.needed * 1.6 / 0.25)
    assert found.clusters == math.ceil(found.n / 4)
    assert found.counted == math.ceil(plain.needed * 1.6)


def test_unequal_clusters_cost_more() -> None:
    assert Sampling(cluster_size=4, icc=0.2, cluster_size_cv=0.5).design_effect == pytest.approx(
        1 + (1.25 * 4 - 1) * 0.2
    )
    assert Sampling(cluster_size=4).design_effect == 1.0


@pytest.mark.parametrize("method", ["wilson", "clopper-pearson", "jeffreys", "agresti-coull"])
def test_an_interval_has_the_planned_half_width_on_average(method: pq.WidthMethod) -> None:
    from scipy.stats import binom

    n, means = pq.size_for_half_width(0.85, half_width=0.05, method=method).n, []
    for size in (n - 1, n):
        every = [pr.proportion(x, size, interval=method) for x in range(size + 1)]
        means.append(binom.pmf(np.arange(size + 1), size, 0.85) @ np.array([(e.high - e.low) / 2 for e in every]))
    assert means[1] <= 0.05 + 1e-6
    assert means[0] > 0.05 - 1e-6


def test_exact_intervals_take_more_samples_than_wilsons() -> None:
    exact, wilson = (pq.size_for_half_width(0.9, half_width=0.04, method=m).n for m in ("clopper-pearson", "wilson"))
    assert exact > wilson
    assert pq.size_for_half_width(0.5, half_width=0.004, method="wilson").n > 50_000


@pytest.mark.parametrize("method", BOUND_METHODS)
def test_simulated_studies_of_the_planned_size_reach_the_bound_as_often_as_planned(method: pq.BoundMethod) -> None:
    found = pq.size_for_bound(0.92, bound=0.85, power=0.85, method=method)
    draw = np.random.default_rng(1).binomial(found.n, 0.92, 1500)
    interval: pr.Interval = "clopper-pearson" if method == "clopper-pearson" else "wilson"
    lows = {x: pr.lower_limit(int(x), found.n, level=0.975, interval=interval).low for x in np.unique(draw)}
    met = np.mean([lows[x] >= 0.85 for x in draw])
    tolerance = 0.04 if method == "normal" else 0.03
    assert met == pytest.approx(found.power, abs=tolerance)


def test_exact_power_is_that_of_the_binomial_test() -> None:
    from scipy.stats import binom, binomtest

    met = [x for x in range(81) if binomtest(x, 80, 0.8, alternative="greater").pvalue <= 0.025]
    found = pq.power_for_bound(80, expected=0.9, bound=0.8, method="clopper-pearson")
    assert found.power == pytest.approx(binom.pmf(met, 80, 0.9).sum())


@pytest.mark.parametrize("method", ["wilson", "clopper-pearson"])
def test_exact_sizes_are_the_first_from_which_the_power_never_falls_short_again(method: pq.BoundMethod) -> None:
    n = pq.size_for_bound(0.9, bound=0.75, method=method).n
    powers = [pq.power_for_bound(m, expected=0.9, bound=0.75, method=method).power or 0 for m in range(n - 1, n + 200)]
    assert powers[0] < 0.8
    assert min(powers[1:]) >= 0.8


def test_power_at_the_bound_is_at_most_alpha_for_the_exact_test() -> None:
    for n in (20, 61, 150, 333):
        found = pq.power_for_bound(n, expected=0.8, bound=0.8, alpha=0.05, method="clopper-pearson")
        assert found.power is not None
        assert found.power <= 0.05


def test_size_and_power_are_inverse_to_each_other() -> None:
    sampling = Sampling(share=0.3, cluster_size=2, icc=0.3)
    found = pq.size_for_bound(0.93, bound=0.88, power=0.9, sampling=sampling)
    again = pq.power_for_bound(found.n, expected=0.93, bound=0.88, sampling=sampling)
    assert found.power == pytest.approx(again.power)
    assert 0.9 <= (again.power or 0) < 0.901
    assert (again.n, again.clusters) == (found.n, found.clusters)


def test_more_is_needed_for_more_power_and_a_smaller_distance() -> None:
    sizes = [pq.size_for_bound(0.9, bound=0.8, power=p, method="clopper-pearson").n for p in (0.7, 0.8, 0.9, 0.99)]
    assert sizes == sorted(sizes)
    sizes = [pq.size_for_bound(0.9, bound=b, method="wilson").n for b in (0.5, 0.7, 0.85, 0.89)]
    assert sizes == sorted(sizes)


def test_what_cannot_be_planned_is_refused() -> None:
    with pytest.raises(NotEstimable, match="beyond the bound"):
        pq.size_for_bound(0.8, bound=0.8)
    with pytest.raises(NotEstimable, match="beyond the bound"):
        pq.size_for_bound(0.8, bound=0.9, method="wilson")
    for bad in (0.0, 1.0, 1.2, float("nan")):
        with pytest.raises(NotEstimable):
            pq.size_for_bound(bad, bound=0.5)
        with pytest.raises(NotEstimable):
            pq.size_for_bound(0.9, bound=0.8, power=bad)
        with pytest.raises(NotEstimable):
            pq.size_for_half_width(0.9, half_width=bad)
        with pytest.raises(NotEstimable):
            pq.size_for_bound(0.9, bound=0.8, alpha=bad)
    with pytest.raises(NotEstimable):
        pq.power_for_bound(0, expected=0.9, bound=0.8)
    with pytest.raises(NotEstimable, match="ten million"):
        pq.size_for_bound(0.9, bound=0.8999, method="clopper-pearson")
    with pytest.raises(NotEstimable, match="ten million"):
        pq.size_for_half_width(0.5, half_width=1e-4, method="wilson")
    with pytest.raises(NotEstimable):
        pq.size_for_bound(0.9, bound=0.8, method="jeffreys")  # type: ignore[arg-type]
    with pytest.raises(NotEstimable):
        pq.size_for_half_width(0.9, half_width=0.1, method="wald")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "bad",
    [{"share": 0.0}, {"share": 1.1}, {"cluster_size": 0.5}, {"cluster_size_cv": -1.0}, {"icc": -0.1}, {"icc": 1.1}],
)
def test_an_impossible_sampling_is_refused(bad: dict[str, float]) -> None:
    with pytest.raises(NotEstimable):
        Sampling(**bad)
