"""Spearman's rank correlation: a published value, ties, shapes, refusals."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from domain.errors import NotEstimable, TooFewSamples
from evidence.statistics.rank_correlation import spearman


def test_a_known_example() -> None:
    quotient = [106, 100, 86, 101, 99, 103, 97, 113, 112, 110]
    hours = [7, 27, 2, 50, 28, 29, 20, 12, 6, 17]

    assert spearman(quotient, hours) == pytest.approx(-29 / 165)


def test_ties_share_their_rank_as_in_scipy() -> None:
    draw = np.random.default_rng(1)
    a, b = draw.integers(0, 5, 60), draw.integers(0, 5, 60)

    assert spearman(a, b) == pytest.approx(spearmanr(a, b).statistic)


def test_two_maps_in_the_same_order_correlate_whatever_their_scale() -> None:
    activation_map = np.random.default_rng(1).normal(size=(6, 6))

    assert spearman(activation_map, np.exp(3 * activation_map)) == pytest.approx(1)
    assert spearman(activation_map, -activation_map) == pytest.approx(-1)


@pytest.mark.parametrize(
    ("a", "b"), [([1, 2, 3], [1, 2]), ([1, 2, 3], [4, 4, 4]), ([1, 2, 3], [1, 2, np.inf]), ([[1, 2, 3]], [1, 2, 3])]
)
def test_values_without_pairs_order_or_finiteness_are_refused(a: list[float], b: list[float]) -> None:
    with pytest.raises(NotEstimable):
        spearman(a, b)


def test_two_pairs_are_too_few() -> None:
    with pytest.raises(TooFewSamples):
        spearman([1, 2], [1, 2])
