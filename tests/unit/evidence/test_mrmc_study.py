"""A reader study recognises its design, and refuses tables that are none."""

import numpy as np
import pytest

from domain.errors import NotEstimable, TooFewSamples
from evidence.statistics.mrmc_study import crossed_study, reader_study

TRUTH = np.array([0, 1, 0, 1, 0, 1, 0, 1])


def ratings(tests: int = 2, readers: int = 4, *, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(TRUTH, 1.0, (tests, readers, 8))


def without(table: np.ndarray, *unread: tuple) -> np.ndarray:
    for cells in unread:
        table[cells] = np.nan
    return table


FIRST, LAST = slice(0, 4), slice(4, 8)


@pytest.mark.parametrize(
    ("unread", "design"),
    [
        ([], "factorial"),
        ([(slice(None), r, c) for r in range(4) for c in range(8) if c // 2 != r], "cases nested within readers"),
        ([(0, slice(None), FIRST), (1, slice(None), LAST)], "cases nested within tests"),
        ([(0, slice(0, 2)), (1, slice(2, 4))], "readers nested within tests"),
        ([(slice(None), slice(0, 2), FIRST), (slice(None), slice(2, 4), LAST)], "split-plot"),
        ([(0, 1, 3)], "partially paired"),
    ],
)
def test_design_follows_from_who_read_what(unread: list[tuple], design: str) -> None:
    assert crossed_study(TRUTH, without(ratings(), *unread)).design == design


def test_one_reader_or_one_test_who_reads_all_is_factorial() -> None:
    assert crossed_study(TRUTH, ratings(readers=1)).design == "factorial"
    assert crossed_study(TRUTH, ratings(tests=1)).design == "factorial"


def test_rows_may_come_in_any_order() -> None:
    table = ratings()
    test, reader, case = np.nonzero(np.isfinite(table))
    order = np.random.default_rng(1).permutation(test.size)
    study = reader_study(
        readers=np.array(["ann", "bob", "cat", "dan"])[reader][order],
        tests=np.array(["ct", "mr"])[test][order],
        cases=case[order],
        truth=TRUTH[case][order],
        ratings=table[test, reader, case][order],
    )
    assert (study.tests, study.readers) == (("ct", "mr"), ("ann", "bob", "cat", "dan"))
    assert study.ratings == pytest.approx(table)
    assert study.truth.tolist() == TRUTH.astype(bool).tolist()


def test_whole_numbers_sort_as_numbers() -> None:
    study = reader_study(readers=[10, 9], tests=[1, 1], cases=[1, 2], truth=[0, 1], ratings=[1.0, 2.0])
    assert study.readers == ("9", "10")


@pytest.mark.parametrize(
    "change",
    [
        {"ratings": [1.0, np.nan, 3.0, 4.0]},
        {"truth": [0, 2, 0, 1]},
        {"truth": [0, 1, 1, 1]},
        {"cases": [1, 1, 1, 2]},
        {"readers": [1, 1, 2]},
    ],
    ids=["not finite", "truth not 0 or 1", "truth changes", "read twice", "short column"],
)
def test_tables_that_contradict_themselves_are_refused(change: dict) -> None:
    rows = {"readers": [1, 1, 2, 2], "tests": [1] * 4, "cases": [1, 2] * 2, "truth": [0, 1] * 2, "ratings": [1.0] * 4}
    with pytest.raises(NotEstimable):
        reader_study(**(rows | change))


def test_a_table_without_rows_is_refused() -> None:
    with pytest.raises(TooFewSamples):
        reader_study(readers=[], tests=[], cases=[], truth=[], ratings=[])


def test_some_readers_with_one_test_and_others_with_two_is_no_design() -> None:
    with pytest.raises(NotEstimable, match="no design"):
        crossed_study(TRUTH, without(ratings(), (0, 1)))


def test_ratings_must_be_tests_by_readers_by_cases() -> None:
    with pytest.raises(NotEstimable):
        crossed_study(TRUTH, ratings()[0])
