"""Ratings become codes, counts and tables without losing or inventing one."""

import numpy as np
import pytest

from domain.errors import NotEstimable, TooFewSamples
from evidence.statistics import ratings


def test_numbers_sort_by_size_and_gaps_are_kept_apart() -> None:
    codes, known = ratings.coded([[10, 2], [None, float("nan")], [2, 9]])
    assert known == (2.0, 9.0, 10.0)
    assert codes.tolist() == [[2, 0], [-1, -1], [0, 1]]


def test_stated_categories_fix_the_order_and_keep_the_unused() -> None:
    counts, known = ratings.category_counts([["mild", "severe"], ["mild", ""]], categories=["none", "mild", "severe"])
    assert known == ("none", "mild", "severe")
    assert counts.tolist() == [[0, 1, 1], [0, 1, 0]]


def test_a_cross_table_is_scikit_learns_confusion_matrix() -> None:
    from sklearn.metrics import confusion_matrix

    first, second = np.random.default_rng(0).integers(0, 4, size=(2, 200))
    assert np.array_equal(ratings.cross_table(first, second)[0], confusion_matrix(first, second))


def test_counts_of_a_table_are_those_of_its_pairs() -> None:
    first, second = np.random.default_rng(1).integers(0, 3, size=(2, 60))
    direct = ratings.category_counts(np.stack([first, second], axis=1))[0]
    through = ratings.counts_of_table(ratings.cross_table(first, second)[0])
    assert sorted(map(tuple, direct)) == sorted(map(tuple, through))


@pytest.mark.parametrize(
    "matrix",
    [[1, 2, 3], [["a", 1], ["b", 2]], [[1, float("inf")], [2, 2]]],
    ids=["not a matrix", "words and numbers", "infinite"],
)
def test_ratings_that_make_no_sense_are_refused(matrix: list[object]) -> None:
    with pytest.raises(NotEstimable):
        ratings.coded(matrix)


def test_ratings_outside_the_scale_missing_pairs_and_empty_matrices_are_refused() -> None:
    with pytest.raises(NotEstimable):
        ratings.coded([["a", "b"]], categories=["a"])
    with pytest.raises(NotEstimable):
        ratings.coded([["a", "a"]], categories=["a", "a"])
    with pytest.raises(TooFewSamples):
        ratings.coded([[None, None]])
    with pytest.raises(NotEstimable):
        ratings.cross_table([1, None], [1, 2])
    with pytest.raises(NotEstimable):
        ratings.cross_table([1], [1, 2])
    for table in ([[1, 2]], [[1, -1], [1, 1]], [[1.5, 0], [0, 1]], [[3]]):
        with pytest.raises(NotEstimable):
            ratings.as_table(table)
    with pytest.raises(TooFewSamples):
        ratings.as_table([[1, 0], [0, 0]])
