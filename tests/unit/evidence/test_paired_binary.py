"""Paired decisions: published tests and intervals, the score interval by brute force, and non-inferiority."""

import math

import numpy as np
import pytest

from domain.errors import NotEstimable, TooFewSamples
from evidence.statistics import paired_binary as pb
from evidence.statistics.paired_intervals import METHODS, Method, restricted_rate, score_z

CAVO = pb.PairedTable(59, 6, 16, 80)  # Cavo et al. 2012, in Fagerland, Lydersen, Laake (2017), chapter 8


def mirrored(table: pb.PairedTable) -> pb.PairedTable:
    return pb.PairedTable(table.both, table.second_only, table.first_only, table.neither)


def test_mcnemars_tests_are_the_published_ones() -> None:
    found = pb.mcnemar(CAVO)
    assert found.z == pytest.approx(-2.132, abs=5e-4)
    assert found.asymptotic == pytest.approx(0.033006, abs=5e-7)
    assert found.continuity_corrected == pytest.approx(0.055009, abs=5e-7)
    assert found.exact == pytest.approx(0.052479, abs=5e-7)
    assert found.mid_p == pytest.approx(0.034690, abs=5e-7)
    assert found.discordant == 22


@pytest.mark.parametrize(("b", "c"), [(0, 5), (3, 4), (10, 25), (7, 7), (60, 20)])
def test_mcnemars_tests_are_those_of_statsmodels_and_scipy(b: int, c: int) -> None:
    from scipy.stats import binomtest
    from statsmodels.stats.contingency_tables import mcnemar

    found, cells = pb.mcnemar(pb.PairedTable(9, b, c, 11)), [[9, b], [c, 11]]
    assert found.exact == pytest.approx(binomtest(b, b + c).pvalue)
    assert found.asymptotic == pytest.approx(mcnemar(cells, exact=False, correction=False).pvalue)
    if b != c:  # statsmodels takes the absolute value of |b − c| − 1 even there
        assert found.continuity_corrected == pytest.approx(mcnemar(cells, exact=False, correction=True).pvalue)


def test_mid_p_values_are_nearer_to_uniform_than_exact_ones() -> None:
    from scipy.stats import binom

    weights = binom.pmf(np.arange(31), 30, 0.5)
    every = [pb.mcnemar(pb.PairedTable(0, b, 30 - b, 0)) for b in range(31)]
    mid, exact = (float(weights @ np.array(p)) for p in ([e.mid_p for e in every], [e.exact for e in every]))
    assert mid == pytest.approx(0.5, abs=0.01)
    assert exact > 0.55


def test_tests_that_never_disagree_do_not_differ() -> None:
    assert pb.mcnemar(pb.PairedTable(5, 0, 0, 5)) == pb.McNemar(0.0, 1.0, 1.0, 1.0, 1.0, 0)


@pytest.mark.parametrize(
    ("interval", "low", "high"),
    [  # contingencytables 3.0.1; the uncorrected φ as its help prints it
        ("tango", -0.124023, -0.005433),
        ("newcombe", -0.118621, -0.004625),
        ("newcombe-uncorrected", -0.1174, -0.0059),
        ("wald", -0.118400, -0.005824),
        ("bonett-price", -0.119499, -0.003201),
    ],
)
def test_intervals_are_the_published_ones(interval: Method, low: float, high: float) -> None:
    found = pb.difference(CAVO, interval=interval)
    assert found.value == pytest.approx(-10 / 161)
    assert (found.low, found.high) == pytest.approx((low, high), abs=6e-5)
    assert found.method == METHODS[interval]


@pytest.mark.parametrize("interval", list(METHODS))
def test_exchanging_the_tests_mirrors_the_interval(interval: Method) -> None:
    draw = np.random.default_rng(0)
    for counts in [*draw.multinomial(40, [0.4, 0.1, 0.2, 0.3], size=20).tolist(), [5, 0, 0, 5], [0, 8, 0, 0]]:
        table = pb.PairedTable(*counts)
        one = pb.difference(table, interval=interval)
        other = pb.difference(mirrored(table), interval=interval)
        assert (one.low, one.high) == pytest.approx((-other.high, -other.low), abs=1e-9)
        assert -1.0 <= one.low <= one.high <= 1.0


@pytest.mark.parametrize("cells", [(59, 6, 16, 80), (10, 3, 0, 7), (4, 1, 1, 4)])
@pytest.mark.parametrize("delta", [-0.3, -0.05, 0.0, 0.1])
def test_the_restricted_rate_maximises_the_likelihood(cells: tuple[int, int, int, int], delta: float) -> None:
    from scipy.optimize import minimize_scalar

    _, b, c, _ = cells
    n = sum(cells)

    def loss(q: float) -> float:
        terms = ((b, q + delta), (c, q), (n - b - c, 1 - 2 * q - delta))
        return -sum(count * math.log(max(rate, 1e-300)) for count, rate in terms if count)

    best = minimize_scalar(loss, bounds=(max(0.0, -delta), (1 - delta) / 2), method="bounded", options={"xatol": 1e-10})
    assert restricted_rate(b, c, n, delta) == pytest.approx(best.x, abs=1e-5)


def test_the_score_interval_holds_exactly_the_differences_that_are_not_rejected() -> None:
    for table in (CAVO, pb.PairedTable(20, 3, 0, 5), pb.PairedTable(10, 0, 0, 10), pb.PairedTable(0, 10, 0, 0)):
        found = pb.difference(table, level=0.9)
        grid = np.linspace(-0.999, 0.999, 1999)
        kept = [d for d in grid if abs(score_z(table.first_only, table.second_only, table.n, d)) <= 1.6448536]
        assert min(kept) == pytest.approx(max(found.low, -0.999), abs=1.01e-3)
        assert max(kept) == pytest.approx(min(found.high, 0.999), abs=1.01e-3)


def test_without_disagreement_the_score_interval_is_wilsons_for_no_success() -> None:
    found = pb.difference(pb.PairedTable(10, 0, 0, 10))
    assert found.value == 0.0
    assert (found.low, found.high) == pytest.approx((-0.161125158052819, 0.161125158052819), abs=1e-9)


@pytest.mark.parametrize(("interval", "lowest"), [("tango", 0.93), ("newcombe", 0.93), ("bonett-price", 0.93)])
def test_intervals_of_small_samples_cover_the_difference(interval: Method, lowest: float) -> None:
    draw = np.random.default_rng(1)
    tables = draw.multinomial(50, [0.6, 0.05, 0.15, 0.2], size=500).tolist()
    found = [pb.difference(pb.PairedTable(*counts), interval=interval) for counts in tables]
    assert np.mean([e.low <= -0.1 <= e.high for e in found]) >= lowest


def test_decisions_become_a_table_of_each_class() -> None:
    labels = [1, 1, 1, 0, 0, 0]
    first, second = [1, 1, 0, 1, 0, 0], [1, 0, 0, 0, 0, 1]
    assert pb.paired_table(first, second) == pb.PairedTable(1, 2, 1, 2)
    assert pb.sensitivity_table(labels, first, second) == pb.PairedTable(1, 1, 0, 1, positives=3)
    assert pb.specificity_table(labels, first, second) == pb.PairedTable(1, 1, 1, 0)


def test_a_paired_difference_of_sensitivities_is_the_difference_of_the_two_sensitivities() -> None:
    from evidence.statistics import operating_point as op

    draw = np.random.default_rng(8)
    labels, first, second = (draw.integers(0, 2, 90) for _ in range(3))
    found = pb.difference(pb.sensitivity_table(labels, first, second))
    one, other = (op.sensitivity(op.confusion(labels, calls, threshold=0.5)).value for calls in (first, second))
    assert found.value == pytest.approx(one - other)
    assert found.n == found.positives == labels.sum()
    found = pb.difference(pb.specificity_table(labels, first, second))
    one, other = (op.specificity(op.confusion(labels, calls, threshold=0.5)).value for calls in (first, second))
    assert found.value == pytest.approx(one - other)
    assert found.positives == 0


def test_non_inferiority_is_met_exactly_when_the_interval_lies_above_minus_the_margin() -> None:
    draw = np.random.default_rng(2)
    met = 0
    for counts in draw.multinomial(80, [0.7, 0.06, 0.06, 0.18], size=300).tolist():
        found = pb.non_inferiority(pb.PairedTable(*counts), margin=0.08, alpha=0.05)
        assert found.met == (found.difference.low >= -0.08) == (found.p_value <= 0.05)
        assert found.difference.level == pytest.approx(0.9)
        met += found.met
    assert 0 < met < 300


def test_at_the_margin_non_inferiority_is_claimed_no_more_often_than_alpha() -> None:
    draw = np.random.default_rng(3)
    tables = draw.multinomial(150, [0.7, 0.05, 0.15, 0.1], size=2000).tolist()
    claimed = np.mean([pb.non_inferiority(pb.PairedTable(*counts), margin=0.1).met for counts in tables])
    assert 0.015 <= claimed <= 0.035


def test_superiority_is_mcnemars_test_of_one_side() -> None:
    better = mirrored(CAVO)
    found = pb.superiority(better)
    assert found.z == pytest.approx(pb.mcnemar(better).z)
    assert found.p_value == pytest.approx(pb.mcnemar(better).asymptotic / 2)
    assert found.met
    assert not pb.superiority(CAVO).met


@pytest.mark.parametrize("margin", [-0.05, 0.0, 1.0, float("nan")])
def test_a_margin_of_the_wrong_sign_is_refused(margin: float) -> None:
    with pytest.raises(NotEstimable, match="margin"):
        pb.non_inferiority(CAVO, margin=margin)


def test_what_is_no_paired_design_is_refused() -> None:
    empty = pb.PairedTable(0, 0, 0, 0)
    for refused in (pb.mcnemar, pb.difference, pb.superiority):
        with pytest.raises(TooFewSamples):
            refused(empty)
    with pytest.raises(NotEstimable):
        pb.PairedTable(1, -1, 0, 0)
    with pytest.raises(NotEstimable):
        pb.PairedTable(1, 1, 0, 0, positives=3)
    with pytest.raises(NotEstimable):
        pb.paired_table([1, 0], [1, 0, 1])
    with pytest.raises(NotEstimable):
        pb.paired_table([1, 2], [1, 0])
    with pytest.raises(TooFewSamples):
        pb.paired_table([], [])
    with pytest.raises(TooFewSamples):
        pb.sensitivity_table([0, 0], [1, 0], [1, 0])
    with pytest.raises(TooFewSamples):
        pb.specificity_table([1, 1], [1, 0], [1, 0])
    with pytest.raises(NotEstimable):
        pb.difference(CAVO, level=1.0)
    with pytest.raises(NotEstimable):
        pb.difference(CAVO, interval="exact")  # type: ignore[arg-type]
    with pytest.raises(NotEstimable):
        pb.non_inferiority(CAVO, margin=0.1, alpha=0.5)
