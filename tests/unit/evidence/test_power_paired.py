"""Sample sizes of paired decisions: published ones, exact power by enumeration, and simulated studies."""

import numpy as np
import pytest

from domain.errors import NotEstimable
from evidence.statistics import paired_binary as pb
from evidence.statistics import power_paired as pp
from evidence.statistics.power import Sampling

CHOW = pp.DiscordantRates.from_ratio(0.4, discordant=0.7)


def simulated(n: int, rates: pp.DiscordantRates, *, studies: int) -> list[pb.PairedTable]:
    cells = [0.5 - rates.discordant / 2, rates.first_only, rates.second_only, 0.5 - rates.discordant / 2]
    return [pb.PairedTable(*c) for c in np.random.default_rng(0).multinomial(n, cells, size=studies).tolist()]


def test_the_number_of_pairs_of_chow_is_the_printed_one() -> None:
    # Chow, Shao, Wang, Sample Size Calculations in Clinical Research (2003), example 6.4.3
    found = pp.size_for_mcnemar(CHOW)
    assert found.n == 59
    assert found.needed == pytest.approx(58.6322379106118, abs=1e-9)


def test_connors_formula_in_his_own_terms() -> None:
    psi, delta = CHOW.discordant, CHOW.difference
    expected = (1.959964 * np.sqrt(psi) + 0.841621 * np.sqrt(psi - delta**2)) ** 2 / delta**2
    assert pp.size_for_mcnemar(CHOW).needed == pytest.approx(expected, rel=1e-6)
    assert pp.size_for_mcnemar(CHOW, method="miettinen").needed < expected


@pytest.mark.parametrize("method", ["exact", "mid-p"])
def test_exact_power_is_the_sum_over_every_table(method: pp.Method) -> None:
    from math import factorial

    rates, n, total = pp.DiscordantRates(0.25, 0.05), 30, 0.0
    for b in range(n + 1):
        for c in range(n + 1 - b):
            test = pb.mcnemar(pb.PairedTable(n - b - c, b, c, 0))
            if (test.exact if method == "exact" else test.mid_p) <= 0.05:
                ways = factorial(n) / (factorial(b) * factorial(c) * factorial(n - b - c))
                total += ways * 0.25**b * 0.05**c * 0.7 ** (n - b - c)
    assert pp.power_for_mcnemar(n, rates, method=method).power == pytest.approx(total, abs=1e-9)


def test_exact_sizes_reach_their_power_with_the_fewest_pairs() -> None:
    for method, connors in (("exact", 59), ("mid-p", 57)):
        found = pp.size_for_mcnemar(CHOW, method=method)
        assert found.n >= connors
        assert (found.power or 0) >= 0.8 > (pp.power_for_mcnemar(found.n - 1, CHOW, method=method).power or 1)


def test_the_size_of_mcnemars_tests_is_at_most_alpha_for_the_exact_and_near_it_for_mid_p() -> None:
    equal = pp.DiscordantRates(0.1, 0.1)
    exact, mid = (pp.power_for_mcnemar(200, equal, method=m).power or 1 for m in ("exact", "mid-p"))
    assert exact < 0.05
    assert exact < mid < 0.052


@pytest.mark.parametrize("method", ["connor", "miettinen", "mid-p"])
def test_simulated_studies_of_the_planned_size_find_the_difference(method: pp.Method) -> None:
    rates = pp.DiscordantRates(0.15, 0.06)
    found = pp.size_for_mcnemar(rates, method=method)
    tests = [pb.mcnemar(table) for table in simulated(found.n, rates, studies=1000)]
    hits = np.mean([(t.mid_p if method == "mid-p" else t.asymptotic) <= 0.05 for t in tests])
    assert hits == pytest.approx(0.8, abs=0.045)


@pytest.mark.parametrize("rates", [pp.DiscordantRates(0.05, 0.05), pp.DiscordantRates(0.08, 0.06)])
def test_simulated_studies_of_the_planned_size_show_non_inferiority(rates: pp.DiscordantRates) -> None:
    found = pp.size_for_paired_non_inferiority(rates, margin=0.06, power=0.9)
    met = [pb.non_inferiority(t, margin=0.06).met for t in simulated(found.n, rates, studies=1000)]
    assert np.mean(met) == pytest.approx(found.power, abs=0.04)


def test_rates_from_sensitivities_and_disagreement() -> None:
    rates = pp.DiscordantRates.from_shares(0.9, 0.85, discordant=0.11)
    assert (rates.first_only, rates.second_only) == pytest.approx((0.08, 0.03))
    assert (rates.difference, rates.discordant) == pytest.approx((0.05, 0.11))


def test_size_and_power_are_inverse_to_each_other() -> None:
    sampling, rates = Sampling(share=0.4, cluster_size=3, icc=0.1), pp.DiscordantRates(0.08, 0.05)
    design = pp.size_for_mcnemar(rates, sampling=sampling)
    again = pp.power_for_mcnemar(design.n, rates, sampling=sampling)
    assert design.power == pytest.approx(again.power)
    design = pp.size_for_paired_non_inferiority(rates, margin=0.05, sampling=sampling)
    again = pp.power_for_paired_non_inferiority(design.n, rates, margin=0.05, sampling=sampling)
    assert design.power == pytest.approx(again.power)
    assert 0.8 <= (again.power or 0) < 0.81
    assert design.assumed["margin"] == 0.05


def test_what_cannot_be_planned_is_refused() -> None:
    equal = pp.DiscordantRates(0.1, 0.1)
    with pytest.raises(NotEstimable, match="beyond the bound"):
        pp.size_for_mcnemar(equal)
    with pytest.raises(NotEstimable, match="beyond the bound"):
        pp.size_for_paired_non_inferiority(pp.DiscordantRates(0.05, 0.1), margin=0.05)
    for margin in (-0.05, 0.0, 1.0):
        with pytest.raises(NotEstimable, match="margin"):
            pp.size_for_paired_non_inferiority(equal, margin=margin)
    for first, second in ((0.0, 0.0), (-0.1, 0.2), (0.6, 0.5), (float("nan"), 0.1)):
        with pytest.raises(NotEstimable):
            pp.DiscordantRates(first, second)
    with pytest.raises(NotEstimable):
        pp.DiscordantRates.from_ratio(0.0, discordant=0.2)
    with pytest.raises(NotEstimable):
        pp.DiscordantRates.from_shares(0.9, 0.5, discordant=0.2)
    with pytest.raises(NotEstimable):
        pp.size_for_mcnemar(CHOW, alpha=1.0)
    with pytest.raises(NotEstimable):
        pp.size_for_mcnemar(CHOW, method="lachin")  # type: ignore[arg-type]
    with pytest.raises(NotEstimable):
        pp.power_for_mcnemar(0, CHOW)
    with pytest.raises(NotEstimable, match="ten million"):
        pp.size_for_mcnemar(pp.DiscordantRates(0.1, 0.0999), method="exact")
