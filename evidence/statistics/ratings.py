"""Ratings as a matrix of subjects and raters: categories found, counts and cross tables made, gaps kept apart."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from domain.errors import NotEstimable, TooFewSamples

Codes = NDArray[np.intp]
Floats = NDArray[np.float64]
MISSING = -1


def coded(ratings: Any, *, categories: Sequence[Any] | None = None) -> tuple[Codes, tuple[Any, ...]]:
    """Ratings (subjects, raters) as positions in the sorted categories, −1 where there is none (None, NaN or "").

    Numbers sort by size, words by letter; ``categories`` states another order, or categories nobody used.

    Raises:
        NotEstimable: not a matrix, numbers mixed with words, an infinite number, or a rating outside the categories.
        TooFewSamples: no rating at all.
    """
    matrix = np.asarray(ratings, dtype=object)
    if matrix.ndim != 2:
        raise NotEstimable(f"Ratings of shape {matrix.shape} are no matrix of subjects and raters.")
    flat = [_plain(rating) for rating in matrix.ravel()]
    there = [rating for rating in flat if rating is not None]
    if not there:
        raise TooFewSamples("There is no rating.")
    if len({isinstance(rating, str) for rating in there}) > 1:
        raise NotEstimable("Numbers and words are mixed in the ratings.")
    if any(isinstance(rating, float) and math.isinf(rating) for rating in there):
        raise NotEstimable("A rating is infinite.")
    known = sorted(set(there)) if categories is None else [_plain(category) for category in categories]
    place: dict[Any, int] = {category: k for k, category in enumerate(known)}
    place[None] = MISSING
    if len(place) != len(known) + 1:
        raise NotEstimable("A category is named twice, or has no name.")
    if not set(there) <= place.keys():
        raise NotEstimable("A rating is none of the categories stated.")
    codes = np.fromiter((place[rating] for rating in flat), dtype=np.intp, count=len(flat))
    return codes.reshape(matrix.shape), tuple(known)


def category_counts(ratings: Any, *, categories: Sequence[Any] | None = None) -> tuple[Floats, tuple[Any, ...]]:
    """How many raters put each subject into each category (subjects, categories), and the categories.

    Raises:
        NotEstimable, TooFewSamples: as ``coded``.
    """
    codes, known = coded(ratings, categories=categories)
    counts = np.zeros((codes.shape[0], len(known)))
    rows, columns = np.nonzero(codes != MISSING)
    np.add.at(counts, (rows, codes[rows, columns]), 1.0)
    return counts, known


def cross_table(first: Any, second: Any, *, categories: Sequence[Any] | None = None) -> tuple[Floats, tuple[Any, ...]]:
    """Subjects by category of the first rater (rows) and of the second (columns), from their ratings (n,) each.

    Raises:
        NotEstimable: differing lengths, a gap, or as ``coded``.
        TooFewSamples: no rating.
    """
    one, two = np.asarray(first, dtype=object), np.asarray(second, dtype=object)
    if one.shape != two.shape or one.ndim != 1:
        raise NotEstimable(f"{one.size} and {two.size} ratings are no pairs.")
    codes, known = coded(np.stack([one, two], axis=1), categories=categories)
    if (codes == MISSING).any():
        raise NotEstimable("A rating is missing.", next_step="Leave out the subject, or use Krippendorff's alpha.")
    table = np.zeros((len(known), len(known)))
    np.add.at(table, (codes[:, 0], codes[:, 1]), 1.0)
    return table, known


def counts_of_table(table: ArrayLike) -> Floats:
    """Counts (subjects, categories) of two raters from their cross table (k, k).

    Raises:
        NotEstimable, TooFewSamples: as ``as_table``.
    """
    cells = as_table(table)
    rows, columns = np.nonzero(cells)
    eye = np.eye(cells.shape[0])
    counts: Floats = np.repeat(eye[rows] + eye[columns], cells[rows, columns].astype(np.intp), axis=0)
    return counts


def as_table(table: ArrayLike) -> Floats:
    """A cross table (k, k) of whole counts, k ≥ 2.

    Raises:
        NotEstimable: not square, or a cell that is no count.
        TooFewSamples: fewer than two subjects.
    """
    cells = _counted(table)
    if cells.shape[0] != cells.shape[1] or cells.shape[0] < 2:
        raise NotEstimable(f"A table of shape {cells.shape} is no cross table of two raters.")
    if cells.sum() < 2:
        raise TooFewSamples(f"{int(cells.sum())} subjects are too few to judge agreement.")
    return cells


def as_counts(counts: ArrayLike) -> Floats:
    """Counts of raters (subjects, categories), two categories or more; subjects nobody rated are left out.

    Raises:
        NotEstimable: not such a matrix.
        TooFewSamples: fewer than two subjects.
    """
    cells = _counted(counts)
    if cells.shape[1] < 2:
        raise NotEstimable("One category alone: there is nothing to disagree about.")
    cells = np.compress(cells.sum(axis=1) > 0, cells, axis=0)
    if cells.shape[0] < 2:
        raise TooFewSamples(f"{cells.shape[0]} subjects are too few to judge agreement.")
    return cells


def as_numbers(ratings: ArrayLike) -> Floats:
    """A complete matrix (subjects, raters) of finite numbers, at least 2 × 2.

    Raises:
        NotEstimable: not a matrix of numbers, or one is missing or infinite.
        TooFewSamples: fewer than two subjects or raters.
    """
    try:
        matrix = np.asarray(ratings, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise NotEstimable("A rating is not a number, or a row is shorter than another.") from error
    if matrix.ndim != 2:
        raise NotEstimable(f"Ratings of shape {matrix.shape} are no matrix of subjects and raters.")
    if not np.isfinite(matrix).all():
        raise NotEstimable("A rating is missing or infinite.", next_step="Leave out the subject, and say so.")
    if min(matrix.shape) < 2:
        raise TooFewSamples(f"{matrix.shape[0]} subjects and {matrix.shape[1]} raters are too few.")
    return matrix


def _counted(counts: ArrayLike) -> Floats:
    cells = np.asarray(counts, dtype=np.float64)
    if cells.ndim != 2 or not np.isfinite(cells).all() or (cells < 0).any() or (cells != np.round(cells)).any():
        raise NotEstimable("A table of counts holds something else than whole numbers.")
    return cells


def _plain(rating: Any) -> Any:
    """A word, a float, or None where there is no rating."""
    if rating is None or (isinstance(rating, str) and not rating.strip()):
        return None
    if isinstance(rating, str):
        return str(rating)
    number = float(rating)
    return None if math.isnan(number) else number
