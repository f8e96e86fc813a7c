"""Localisation studies: readers mark suspicious places on each case and rate each mark (free-response paradigm).

A mark on a lesion is a lesion localisation, any other a non-lesion localisation. A case without marks is read, not
missing; an unmarked lesion, and a case without non-lesion marks, rank below every mark. Chakraborty and Berbaum, Med
Phys 31:2313 (2004); Chakraborty, *Observer Performance Methods for Diagnostic Imaging*, CRC 2017.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from domain.errors import NotEstimable, OneClassOnly, TooFewSamples
from evidence.statistics.estimate import as_scores

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class FrocStudy:
    """A fully crossed localisation study; −∞ stands for "no mark".

    ``lesions`` (cases,) counts lesions, ``weights`` (cases, most lesions) sum to 1 in each diseased case and are 0
    beyond its lesions; ``non_lesion`` (tests, readers, cases, most marks) and ``lesion`` (tests, readers, cases, most
    lesions) hold ratings.
    """

    tests: tuple[str, ...]
    readers: tuple[str, ...]
    cases: tuple[str, ...]
    lesions: NDArray[np.int64]
    weights: Array
    non_lesion: Array
    lesion: Array

    def reading(self, test: int, reader: int) -> "Reading":
        """All marks of one reader with one test."""
        return Reading(self.lesions, self.weights, self.non_lesion[test, reader], self.lesion[test, reader])


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """One reader's marks with one test: as ``FrocStudy``, without its first two axes."""

    lesions: NDArray[np.int64]
    weights: Array
    non_lesion: Array
    lesion: Array

    @property
    def diseased(self) -> NDArray[np.bool_]:
        """Cases (cases,) with a lesion."""
        return self.lesions > 0

    @property
    def exists(self) -> NDArray[np.bool_]:
        """Which lesions exist (cases, most lesions)."""
        found: NDArray[np.bool_] = np.arange(self.lesion.shape[1]) < self.lesions[:, None]
        return found

    def some(self, cases: NDArray[np.int64]) -> "Reading":
        """The same for some cases, in that order; repeats are kept."""
        return Reading(self.lesions[cases], self.weights[cases], self.non_lesion[cases], self.lesion[cases])


@dataclass(frozen=True, slots=True, eq=False)
class Marks:
    """A long table, one row per mark, columns (n,): test, reader, case, lesion (from 1; 0 for none) and rating."""

    tests: ArrayLike
    readers: ArrayLike
    cases: ArrayLike
    lesions: ArrayLike
    ratings: ArrayLike


def froc_study(
    cases: ArrayLike,
    lesions: ArrayLike,
    marks: Marks,
    *,
    weights: ArrayLike | None = None,
) -> FrocStudy:
    """A study from its cases (n,), the number of lesions of each (n,), and the marks.

    ``weights`` (n, most lesions) say how much each lesion matters, and are scaled to 1 within a case; left out, lesions
    of a case share equally. Of several marks on one lesion the highest counts. Tests and readers are those that marked
    anything.

    Raises:
        TooFewSamples: no mark.
        OneClassOnly: no case with, or none without, lesions.
        NotEstimable: a case named twice, a mark on an unknown case or lesion, a rating that is not finite, or weights
            that are negative, not finite or all 0 in a diseased case.
    """
    names, counts = np.asarray(cases), np.asarray(lesions)
    order = np.argsort(names, kind="stable")
    names, counts = names[order], _counts(counts, n=names.size)[order]
    if np.unique(names).size < names.size:
        raise NotEstimable("A case is listed twice.")
    if (counts > 0).all() or (counts == 0).all():
        raise OneClassOnly("A localisation study needs cases with and without lesions.")
    case, numbers, ratings = _placed(marks, names, counts)
    test_names, test = np.unique(np.asarray(marks.tests), return_inverse=True)
    reader_names, reader = np.unique(np.asarray(marks.readers), return_inverse=True)
    shape = (test_names.size, reader_names.size, names.size)
    flat = np.ravel_multi_index((test, reader, case), shape)
    table = None if weights is None else np.asarray(weights, dtype=np.float64)[order]
    on_lesion = numbers > 0
    lesion = np.full((*shape, int(counts.max())), -np.inf)
    place = (*np.unravel_index(flat[on_lesion], shape), numbers[on_lesion] - 1)
    np.maximum.at(lesion, place, ratings[on_lesion])
    return FrocStudy(
        tests=tuple(str(name) for name in test_names),
        readers=tuple(str(name) for name in reader_names),
        cases=tuple(str(name) for name in names),
        lesions=counts,
        weights=_weights(counts, table),
        non_lesion=_padded(flat[~on_lesion], ratings[~on_lesion], shape),
        lesion=lesion,
    )


def _placed(
    marks: Marks, names: NDArray[np.generic], counts: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], Array]:
    """Row of the case, number of the lesion and rating of each mark (n,); ``names`` are sorted."""
    ratings, numbers = as_scores(marks.ratings), np.asarray(marks.lesions)
    if ratings.size == 0:
        raise TooFewSamples("There are no marks.")
    marked = np.asarray(marks.cases)
    case = np.minimum(np.searchsorted(names, marked), names.size - 1)
    if (names[case] != marked).any():
        raise NotEstimable("A mark lies on a case that is not listed.")
    if not np.isin(numbers, np.arange(counts.max() + 1)).all() or (numbers > counts[case]).any():
        raise NotEstimable("A mark names a lesion that its case does not have.")
    return case, numbers.astype(np.int64), ratings


def _counts(lesions: NDArray[np.generic], *, n: int) -> NDArray[np.int64]:
    if lesions.shape != (n,) or n == 0:
        raise NotEstimable(f"There are {lesions.size} lesion counts for {n} cases.")
    whole = lesions.astype(np.int64)
    if (whole != lesions).any() or whole.min() < 0:
        raise NotEstimable("A number of lesions is not a whole number from 0.")
    return whole


def _weights(counts: NDArray[np.int64], given: Array | None) -> Array:
    exists = np.arange(counts.max()) < counts[:, None]
    if given is not None and given.shape != exists.shape:
        raise NotEstimable(f"Weights of shape {given.shape} are not those of {exists.shape} lesions.")
    raw = np.where(exists, 1.0 if given is None else given, 0.0)
    total = raw.sum(axis=1)
    if not np.isfinite(raw).all() or raw.min() < 0 or (total[counts > 0] <= 0).any():
        raise NotEstimable("Weights of lesions must be positive and finite.")
    return np.asarray(raw / np.where(total > 0, total, 1.0)[:, None])


def _padded(cells: NDArray[np.int64], ratings: Array, shape: tuple[int, int, int]) -> Array:
    """Ratings by cell in rows of equal length (…, most marks), filled up with −∞."""
    order = np.argsort(cells, kind="stable")
    cells, ratings = cells[order], ratings[order]
    size = int(np.prod(shape))
    counts = np.bincount(cells, minlength=size)
    table = np.full((size, max(int(counts.max()), 1)), -np.inf)
    starts = np.cumsum(counts) - counts
    table[cells, np.arange(cells.size) - starts[cells]] = ratings
    return table.reshape(*shape, -1)
