"""MMD² is its double sum, and its permutation test keeps its error rate."""

import math

import numpy as np
import pytest

from domain.errors import NotEstimable, TooFewSamples
from evidence.statistics.mmd import mmd


def by_sums(x: np.ndarray, y: np.ndarray, sigma: float) -> tuple[float, float]:
    def kernel(a: np.ndarray, b: np.ndarray) -> float:
        return math.exp(-((a - b) ** 2).sum() / (2 * sigma**2))

    n, m = len(x), len(y)
    xx = [[kernel(a, b) for b in x] for a in x]
    yy = [[kernel(a, b) for b in y] for a in y]
    cross = np.mean([[kernel(a, b) for b in y] for a in x])
    unbiased = (np.sum(xx) - n) / (n * (n - 1)) + (np.sum(yy) - m) / (m * (m - 1)) - 2 * cross
    return float(unbiased), float(np.mean(xx) + np.mean(yy) - 2 * cross)


def test_statistics_are_the_double_sums() -> None:
    draw = np.random.default_rng(0)
    x, y = draw.normal(size=(7, 3)), draw.normal(0.5, size=(9, 3))
    made = mmd(x, y, bandwidth=1.3, permutations=0)
    assert (made.unbiased, made.biased) == pytest.approx(by_sums(x, y, 1.3))
    assert made.p_value == 1.0


def test_bandwidth_left_out_is_the_median_distance_of_distinct_pairs() -> None:
    made = mmd([0.0, 1.0], [3.0, 7.0], permutations=9)
    assert made.bandwidth == pytest.approx(np.median([1, 3, 7, 2, 6, 4]))


def test_windows_from_one_distribution_are_rarely_told_apart_and_shifted_ones_are() -> None:
    draw = np.random.default_rng(1)
    p = [mmd(draw.normal(size=(20, 2)), draw.normal(size=(15, 2)), permutations=99).p_value for _ in range(200)]
    assert np.mean(np.array(p) <= 0.1) == pytest.approx(0.1, abs=0.05)
    assert mmd(draw.normal(size=(60, 2)), draw.normal(1.0, size=(60, 2)), permutations=199).p_value == 1 / 200


def test_the_seed_decides_the_permutations() -> None:
    draw = np.random.default_rng(2)
    x, y = draw.normal(size=20), draw.normal(0.4, size=20)
    assert mmd(x, y, seed=3) == mmd(x, y, seed=3)


def test_what_has_no_discrepancy_is_refused() -> None:
    with pytest.raises(TooFewSamples):
        mmd([1.0], [1.0, 2.0])
    for x, y, bandwidth in (
        ([[1.0, 2.0]] * 3, [[1.0]] * 3, None),
        ([1.0, 1.0], [1.0, 1.0], None),
        ([1.0, 2.0], [1.0, 2.0], 0.0),
        ([1.0, math.nan], [1.0, 2.0], None),
        (np.zeros((2, 2, 2)), np.zeros((2, 2, 2)), None),
        (np.arange(5000.0), np.arange(5000.0), None),
    ):
        with pytest.raises(NotEstimable):
            mmd(x, y, bandwidth=bandwidth)
