"""Krippendorff's alpha is the published one, a count over all pairs, and what it must be at the ends."""

from itertools import permutations

import numpy as np
import pytest

from domain.errors import NotEstimable, TooFewSamples
from evidence.statistics import agreement, ratings
from evidence.statistics.krippendorff import Scale, krippendorff_alpha

# Krippendorff 2011, section C: 12 units, 4 observers, gaps.
FOUR = [
    [1, 1, None, 1], [2, 2, 3, 2], [3, 3, 3, 3], [3, 3, 3, 3], [2, 2, 2, 2], [1, 2, 3, 4],
    [4, 4, 4, 4], [1, 1, 2, 1], [2, 2, 2, 2], [None, 5, 5, 5], [None, None, 1, 1], [None, 3, None, None],
]  # fmt: skip
SCALES: tuple[Scale, ...] = ("nominal", "ordinal", "interval", "ratio")


def over_all_pairs(units: list[list[float]], scale: Scale) -> float:
    """Alpha from the definition: every ordered pair of ratings."""
    pool = [value for unit in units for value in unit]
    counts = {value: pool.count(value) for value in pool}

    def apart(a: float, b: float) -> float:
        if scale == "nominal":
            return float(a != b)
        if scale == "interval":
            return (a - b) ** 2
        if scale == "ratio":
            return ((a - b) / (a + b)) ** 2 if a + b else 0.0
        low, high = min(a, b), max(a, b)
        return float(sum(n for v, n in counts.items() if low <= v <= high) - (counts[a] + counts[b]) / 2) ** 2

    within = sum(sum(apart(a, b) for a, b in permutations(unit, 2)) / (len(unit) - 1) for unit in units)
    overall = sum(apart(a, b) for a, b in permutations(pool, 2)) / (len(pool) - 1)
    return 1 - within / overall


@pytest.mark.parametrize(
    ("scale", "expected"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849), ("ratio", 0.797)]
)
def test_alpha_of_the_published_example(scale: Scale, expected: float) -> None:
    found = krippendorff_alpha(FOUR, scale=scale, resamples=100)
    assert found.alpha.value == pytest.approx(expected, abs=5e-4)
    assert (found.pairable, found.alpha.n) == (40, 11)


@pytest.mark.parametrize("scale", SCALES)
def test_alpha_is_the_count_over_all_pairs(scale: Scale) -> None:
    draw = np.random.default_rng(2)
    matrix = np.round(draw.gamma(2, 2, size=(25, 1)) + draw.gamma(1, 1, size=(25, 4)))
    matrix[draw.random((25, 4)) < 0.3] = np.nan
    units = [row[~np.isnan(row)].tolist() for row in matrix]
    expected = over_all_pairs([unit for unit in units if len(unit) >= 2], scale)
    assert krippendorff_alpha(matrix, scale=scale, resamples=100).alpha.value == pytest.approx(expected)


def test_the_interval_scale_ignores_unit_and_origin_the_ordinal_any_order_keeping_change() -> None:
    matrix = np.random.default_rng(3).integers(1, 6, size=(30, 3)) + np.arange(30)[:, None] % 4
    interval = krippendorff_alpha(matrix, scale="interval", resamples=100).alpha
    shifted = krippendorff_alpha(matrix * 2.5 + 1e6, scale="interval", resamples=100).alpha
    assert shifted.value == pytest.approx(interval.value) and shifted.low == pytest.approx(interval.low)
    ordinal = krippendorff_alpha(matrix, scale="ordinal", resamples=100)
    assert krippendorff_alpha(np.exp(matrix), scale="ordinal", resamples=100) == ordinal


def test_nominal_alpha_nears_fleiss_kappa_as_units_grow() -> None:
    draw = np.random.default_rng(4)
    truth = draw.integers(0, 3, size=(600, 1))
    matrix = np.where(draw.random((600, 4)) < 0.7, truth, draw.integers(0, 3, size=(600, 4)))
    alpha = krippendorff_alpha(matrix, scale="nominal", resamples=100).alpha.value
    assert alpha == pytest.approx(agreement.fleiss_kappa(ratings.category_counts(matrix)[0]).kappa.value, abs=1e-3)


def test_the_interval_holds_the_truth_about_95_times_in_100_and_is_repeatable() -> None:
    held = 0
    for seed in range(100):
        draw = np.random.default_rng(seed)
        truth = draw.normal(0, 1, size=(60, 1))
        matrix = truth + draw.normal(0, 1, size=(60, 3))  # intraclass correlation one half
        found = krippendorff_alpha(matrix, scale="interval", resamples=200).alpha
        held += found.low <= 0.5 <= found.high
    assert held >= 86
    assert found == krippendorff_alpha(matrix, scale="interval", resamples=200).alpha


@pytest.mark.parametrize("scale", SCALES)
def test_raters_who_always_agree_get_one_and_an_interval_below_it(scale: Scale) -> None:
    found = krippendorff_alpha([[1, 1], [2, 2], [3, 3], [2, 2], [0.1, 0.1]], scale=scale).alpha
    assert found.value == found.high == 1.0 and found.low < 0.9


def test_words_are_nominal_or_have_stated_places() -> None:
    matrix = [["mild", "none"], ["severe", "severe"], ["none", "none"], ["mild", "severe"]]
    order = ["none", "mild", "severe"]
    places = [[order.index(word) for word in row] for row in matrix]
    for scale in SCALES[:3]:
        ours = krippendorff_alpha(matrix, scale=scale, categories=order)
        assert ours == krippendorff_alpha(places, scale=scale)
    with pytest.raises(NotEstimable):
        krippendorff_alpha(matrix, scale="interval")


def test_what_the_data_cannot_support_is_refused() -> None:
    for options in ({"level": 1.0}, {"resamples": 5}):
        with pytest.raises(NotEstimable):
            krippendorff_alpha(FOUR, scale="nominal", **options)
    for scale in SCALES:
        with pytest.raises(NotEstimable):
            krippendorff_alpha([[0.1, 0.1], [0.1, 0.1]], scale=scale)
    with pytest.raises(NotEstimable):
        krippendorff_alpha([[-1, 1], [2, 2]], scale="ratio")
    with pytest.raises(TooFewSamples):
        krippendorff_alpha([[1, 2], [1, None]], scale="nominal")
    with pytest.raises(TooFewSamples):  # one unit alone differs from the rest
        krippendorff_alpha([[1, 1], [1, 1], [1, 2]], scale="nominal")
