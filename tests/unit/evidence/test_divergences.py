"""Divergences agree with scipy and with sums by hand; empty cells are not hidden."""

import math

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import jensenshannon

from domain.errors import NotEstimable, TooFewSamples
from evidence.statistics import divergences

REFERENCE, CURRENT = [10, 20, 30, 25, 15], [5, 15, 35, 20, 25]


def test_divergences_are_those_of_scipy() -> None:
    assert divergences.kullback_leibler(REFERENCE, CURRENT) == pytest.approx(stats.entropy(REFERENCE, CURRENT))
    assert divergences.kullback_leibler(CURRENT, REFERENCE, base=2) == pytest.approx(
        stats.entropy(CURRENT, REFERENCE, base=2)
    )
    for base in (2.0, math.e):
        distance = jensenshannon(REFERENCE, CURRENT, base=base)
        assert divergences.jensen_shannon_distance(REFERENCE, CURRENT, base=base) == pytest.approx(distance)
        assert divergences.jensen_shannon(REFERENCE, CURRENT, base=base) == pytest.approx(distance**2)


def test_psi_is_the_sum_of_both_kullback_leibler_divergences() -> None:
    made = divergences.divergences(REFERENCE, CURRENT)
    assert made.psi == pytest.approx(made.kl_reference_current + made.kl_current_reference)
    assert made.psi == divergences.psi(CURRENT, REFERENCE)


def test_counts_and_shares_give_the_same() -> None:
    shares = np.array(REFERENCE) / 100
    assert divergences.psi(shares, CURRENT) == pytest.approx(divergences.psi(REFERENCE, CURRENT))


def test_distances_have_their_bounds() -> None:
    apart = [1, 0, 0], [0, 1, 1]
    assert divergences.hellinger(*apart) == pytest.approx(1.0)
    assert divergences.jensen_shannon(*apart, base=2) == pytest.approx(1.0)
    assert divergences.hellinger(REFERENCE, REFERENCE) == divergences.jensen_shannon(REFERENCE, REFERENCE) == 0.0
    coefficient = np.sqrt(np.array(REFERENCE) * CURRENT).sum() / 100
    assert divergences.hellinger(REFERENCE, CURRENT) == pytest.approx(math.sqrt(1 - coefficient))


def test_empty_cells_are_refused_infinite_or_filled_by_a_named_rule() -> None:
    before, now = [50, 50, 0], [40, 50, 10]
    with pytest.raises(NotEstimable):
        divergences.psi(before, now)
    assert divergences.kullback_leibler(now, before) == math.inf
    assert math.isfinite(divergences.kullback_leibler(before, now))
    floored = (0.4 - 0.5) * math.log(0.4 / 0.5) + (0.1 - 1e-4) * math.log(0.1 / 1e-4)
    assert divergences.psi(before, now, zeros="floor") == pytest.approx(floored)
    r, c = np.array([51, 51, 1]) / 103, np.array([41, 51, 11]) / 103
    assert divergences.psi(before, now, zeros="pseudocount", small=1.0) == pytest.approx(
        ((c - r) * np.log(c / r)).sum()
    )


def test_cells_hold_equal_shares_of_the_reference_and_all_of_the_current_window() -> None:
    draw = np.random.default_rng(0)
    made = divergences.cells(draw.normal(size=1000), draw.normal(3.0, size=300), count=10)
    assert made.reference.tolist() == [100] * 10
    assert made.current.sum() == 300
    assert made.edges.size == 9


def test_a_value_on_an_edge_goes_where_the_cell_is_closed() -> None:
    for closed, counts in (("right", [2, 1]), ("left", [1, 2])):
        assert divergences.counted([1, 2, 3], [5], edges=[2.0], closed=closed).reference.tolist() == counts


def test_edges_that_coincide_are_merged() -> None:
    made = divergences.cells([0.0] * 50 + list(range(1, 51)), [0.0, 1.0], count=10)
    assert (np.diff(made.edges) > 0).all()
    assert made.reference.sum() == 100
    assert made.reference.size == made.edges.size + 1 < 10


def test_wasserstein_moves_with_the_shift_and_its_unit() -> None:
    values = np.random.default_rng(1).normal(size=50)
    assert divergences.wasserstein(values, values + 2.0) == pytest.approx(2.0)
    assert divergences.wasserstein(10 * values, 10 * values[::-1] + 5.0) == pytest.approx(5.0)


def test_what_is_no_histogram_or_no_sample_is_refused() -> None:
    for before, now in (
        ([1, 2], [1, 2, 3]),
        ([0, 0], [1, 1]),
        ([-1, 2], [1, 1]),
        ([[1, 2]], [[1, 2]]),
        ([1, math.nan], [1, 1]),
    ):
        with pytest.raises(NotEstimable):
            divergences.hellinger(before, now)
    with pytest.raises(TooFewSamples):
        divergences.cells([1.0, 2.0], [1.0], count=10)
    with pytest.raises(TooFewSamples):
        divergences.wasserstein([], [1.0])
    with pytest.raises(NotEstimable):
        divergences.wasserstein([[1.0]], [1.0])
    with pytest.raises(NotEstimable):
        divergences.cells([1.0, 2.0], [1.0], count=1)
    with pytest.raises(NotEstimable):
        divergences.counted([1.0], [1.0], edges=[2.0, 2.0])
