"""A localisation study is built from marks and lesions, or refused with the reason."""

import numpy as np
import pytest

from domain.errors import NotEstimable, OneClassOnly, TooFewSamples
from evidence.statistics.froc import FrocStudy, Marks, froc_study

CASES, LESIONS = [3, 1, 2], [2, 0, 1]
MARKS = {
    "tests": [1, 1, 1, 1, 1],
    "readers": ["b", "b", "b", "a", "b"],
    "cases": [1, 3, 3, 2, 1],
    "lesions": [0, 2, 2, 1, 0],
    "ratings": [1.0, 2.0, 3.0, 4.0, 5.0],
}


def built(**changes: list) -> FrocStudy:
    return froc_study(CASES, LESIONS, Marks(**(MARKS | changes)))


def test_marks_find_their_places() -> None:
    study = built()
    assert (study.cases, study.readers) == (("1", "2", "3"), ("a", "b"))
    reading = study.reading(0, 1)
    assert sorted(reading.non_lesion[0].tolist()) == [1.0, 5.0]
    assert reading.lesions.tolist() == [0, 1, 2]
    assert study.reading(0, 0).lesion[1, 0] == 4.0
    assert reading.diseased.tolist() == [False, True, True]


def test_of_two_marks_on_one_lesion_the_higher_counts() -> None:
    assert built().reading(0, 1).lesion[2].tolist() == [-np.inf, 3.0]


def test_lesions_of_a_case_share_its_weight() -> None:
    assert built().weights.tolist() == [[0, 0], [1, 0], [0.5, 0.5]]
    given = froc_study(CASES, LESIONS, Marks(**MARKS), weights=[[1, 3], [9, 9], [2, 0]])
    assert given.weights.tolist() == [[0, 0], [1, 0], [0.25, 0.75]]


@pytest.mark.parametrize(
    "changes",
    [
        {"cases": [1, 3, 3, 2, 9]},
        {"lesions": [1, 2, 2, 1, 0]},
        {"lesions": [0, 2, 2, 1, -1]},
        {"ratings": [1.0, 2.0, np.nan, 4.0, 5.0]},
    ],
    ids=["unknown case", "lesion of a case without", "negative lesion", "not finite"],
)
def test_marks_that_cannot_be_placed_are_refused(changes: dict[str, list]) -> None:
    with pytest.raises(NotEstimable):
        built(**changes)


@pytest.mark.parametrize(
    ("cases", "lesions", "weights"),
    [
        ([1, 1, 2], LESIONS, None),
        (CASES, [2, 0], None),
        (CASES, [2, 0, 1.5], None),
        (CASES, LESIONS, [[1, -1], [0, 0], [1, 0]]),
        (CASES, LESIONS, [[0, 0], [0, 0], [1, 0]]),
        (CASES, LESIONS, [[1], [1], [1]]),
    ],
    ids=["case twice", "too few counts", "half a lesion", "negative weight", "no weight", "shape of weights"],
)
def test_cases_that_contradict_themselves_are_refused(cases: list, lesions: list, weights: list | None) -> None:
    with pytest.raises(NotEstimable):
        froc_study(cases, lesions, Marks(**MARKS), weights=weights)


def test_a_study_needs_marks_and_both_kinds_of_case() -> None:
    with pytest.raises(TooFewSamples):
        built(**{name: [] for name in MARKS})
    for lesions in ([0, 0, 0], [2, 1, 1]):
        with pytest.raises(OneClassOnly):
            froc_study(CASES, lesions, Marks(**MARKS))
