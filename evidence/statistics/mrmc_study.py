"""A reader study: several readers rate several cases with one or more tests (modalities), and the truth is known.

Which case was read by whom decides what can be compared and how: the design is recognised here, once, and every
analysis asks for it.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from domain.errors import NotEstimable, TooFewSamples
from evidence.statistics.estimate import Labels, as_labels, as_scores

Design = Literal[
    "factorial",
    "cases nested within readers",
    "cases nested within tests",
    "readers nested within tests",
    "split-plot",
    "partially paired",
]


@dataclass(frozen=True, slots=True, eq=False)
class ReaderStudy:
    """Ratings (tests, readers, cases), NaN where a reader did not read a case with a test; truth (cases,).

    Built by ``reader_study`` or ``crossed_study``, which refuse what cannot be analysed; larger ratings mean positive.
    """

    tests: tuple[str, ...]
    readers: tuple[str, ...]
    cases: tuple[str, ...]
    truth: Labels
    ratings: NDArray[np.float64]
    design: Design

    @property
    def read(self) -> NDArray[np.bool_]:
        """Which readings exist: (tests, readers, cases)."""
        return ~np.isnan(self.ratings)


def reader_study(
    *, readers: ArrayLike, tests: ArrayLike, cases: ArrayLike, truth: ArrayLike, ratings: ArrayLike
) -> ReaderStudy:
    """A study from a long table, one row per reading: five columns of shape (n,); names in sorted order.

    Designs: every reader reads every case with every test (*factorial*); each case is read by one reader (*cases nested
    within readers*) or with one test (*cases nested within tests*); each reader uses one test (*readers nested within
    tests*); groups of readers read their own group of cases with every test (*split-plot*, Obuchowski, Gallas and
    Hillis, Acad Radiol 19:1508, 2012); or every reader uses every test and some readings are missing (*partially
    paired*).

    Raises:
        TooFewSamples: no row.
        NotEstimable: columns of different lengths, a rating that is not finite, a truth that is neither 0 nor 1 or
            changes within a case, a reading given twice, or none of the designs above.
    """
    values = as_scores(ratings)
    labels = as_labels(truth, n=values.size)
    columns = [np.asarray(column) for column in (tests, readers, cases)]
    if any(column.shape != values.shape for column in columns):
        raise NotEstimable("The columns of the readings differ in length.")
    (test_names, test), (reader_names, reader), (case_names, case) = (
        np.unique(column, return_inverse=True) for column in columns
    )
    table = np.full((test_names.size, reader_names.size, case_names.size), np.nan)
    if np.unique(np.ravel_multi_index((test, reader, case), table.shape)).size < values.size:
        raise NotEstimable(
            "A reader reads a case twice with the same test.", next_step="Keep one reading, or name sessions as tests."
        )
    table[test, reader, case] = values
    of_case = np.zeros(case_names.size, dtype=np.bool_)
    of_case[case[labels]] = True
    if (of_case[case] != labels).any():
        raise NotEstimable("The truth of a case differs between its readings.")
    tests_read, readers_read, cases_read = (
        tuple(str(name) for name in names) for names in (test_names, reader_names, case_names)
    )
    return ReaderStudy(tests_read, readers_read, cases_read, of_case, table, _design(~np.isnan(table)))


def crossed_study(truth: ArrayLike, ratings: ArrayLike) -> ReaderStudy:
    """A study from truth (cases,) and ratings (tests, readers, cases), NaN where a case was not read; names are 1, 2 ….

    Raises:
        NotEstimable, TooFewSamples: as ``reader_study``.
    """
    table = np.asarray(ratings, dtype=np.float64)
    labels = np.asarray(truth)
    if table.ndim != 3 or labels.shape != table.shape[2:]:
        raise NotEstimable(f"Ratings of shape {table.shape} are not tests × readers × {labels.size} cases.")
    test, reader, case = np.nonzero(~np.isnan(table))
    return reader_study(
        readers=reader + 1, tests=test + 1, cases=case + 1, truth=labels[case], ratings=table[test, reader, case]
    )


def _design(read: NDArray[np.bool_]) -> Design:
    """The design of readings (tests, readers, cases)."""
    tests, readers, _ = read.shape
    cells = read.any(axis=2)
    if not cells.all():
        if tests > 1 and (cells.sum(axis=0) == 1).all():
            return "readers nested within tests"
        raise NotEstimable(
            "Some readers use several tests and others do not: this is no design that can be analysed.",
            next_step="Drop the readers, or the tests, that break the design.",
        )
    if read.all():
        return "factorial"
    if readers > 1 and (read.any(axis=0).sum(axis=0) == 1).all():
        return "cases nested within readers"
    if tests > 1 and (read.any(axis=1).sum(axis=0) == 1).all():
        return "cases nested within tests"
    return "split-plot" if _is_split_plot(read) else "partially paired"


def _is_split_plot(read: NDArray[np.bool_]) -> bool:
    """Whether readers fall into groups that read the same cases with every test, no case shared between groups."""
    groups = np.unique(read[0], axis=0)
    return bool((read == read[0]).all() and (groups.sum(axis=0) <= 1).all())


def need_readers(study_readers: int, *, at_least: int) -> None:
    """Refuse fewer readers than the analysis needs.

    Raises:
        TooFewSamples: as the name says.
    """
    if study_readers < at_least:
        raise TooFewSamples(
            f"{study_readers} reader(s) do not show how readers vary; {at_least} are needed.",
            next_step="Treat readers as fixed.",
        )
