"""Area under the ROC curve for more than two classes: the mean over pairs of classes.

Hand and Till, Machine Learning 45:171 (2001). Unlike the mean of «one against the rest», it does not depend on how
common the classes are.
"""

from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from domain.errors import NotEstimable, OneClassOnly
from evidence.statistics.bootstrap import DEFAULT, Resampling, cluster_bootstrap
from evidence.statistics.clusters import any_missing
from evidence.statistics.estimate import Estimate, Scores, as_scores
from evidence.statistics.placements import placements

Direction = Literal["medians", "best", "higher", "lower"]


@dataclass(frozen=True, slots=True)
class PairArea:
    """A(i, j) of two classes, as they sort: the mean of ``first_given``, A(i | j) by the score for i, and
    ``second_given``, A(j | i) by the score for j; the same where one score serves both.
    """

    first: Any
    second: Any
    first_given: float
    second_given: float

    @property
    def area(self) -> float:
        """A(i, j)."""
        return (self.first_given + self.second_given) / 2.0


@dataclass(frozen=True, slots=True)
class MulticlassArea:
    """``m`` is the mean of the pairs' areas: 0.5 by chance, 1 when every pair is told apart."""

    m: float
    pairs: tuple[PairArea, ...]
    n: int


def hand_till(
    classes: ArrayLike, scores: ArrayLike, *, direction: Direction = "medians", order: tuple[Any, ...] | None = None
) -> MulticlassArea:
    """Hand and Till's M for classes (n,) of at least two kinds.

    Scores (n,), one for all classes: ``direction`` says which class of a pair, as they sort, should score higher.
    "higher" is the later, "lower" the earlier, "medians" whichever has the higher median (as R's pROC; the later when
    equal), "best" whichever makes the area larger. The last two look at the data and so cannot fall far below 0.5: for
    an ordered scale fixed beforehand, take "higher" or "lower".

    Scores (n, c), one column per class: a sample should score highest in the column of its own class. ``order`` (c,)
    names the columns' classes; left out, they are the classes present as they sort. ``direction`` plays no part.

    Raises:
        OneClassOnly: one class only.
        NotEstimable: scores that are not finite or do not fit, a missing class, columns that do not match the classes.
    """
    values, kinds = as_scores(scores), np.asarray(classes)
    if kinds.ndim != 1 or values.shape[:1] != kinds.shape or values.ndim > 2:
        raise NotEstimable(f"Scores of shape {values.shape} do not fit classes of shape {kinds.shape}.")
    if any_missing(kinds):
        raise NotEstimable("A sample has no class.")
    present = np.unique(kinds)
    if present.size < 2:
        raise OneClassOnly("There is only one class.", next_step="Use samples of at least two classes.")
    if values.ndim == 2:
        columns = _columns(present.tolist(), order, count=values.shape[1])
        pairs = tuple(_by_columns(kinds, values, pair, columns) for pair in combinations(present.tolist(), 2))
    else:
        pairs = tuple(_by_one_score(kinds, values, pair, direction) for pair in combinations(present.tolist(), 2))
    return MulticlassArea(float(np.mean([pair.area for pair in pairs])), pairs, kinds.size)


def hand_till_interval(
    classes: ArrayLike,
    scores: ArrayLike,
    patients: ArrayLike,
    *,
    direction: Direction = "higher",
    order: tuple[Any, ...] | None = None,
    resampling: Resampling = DEFAULT,
) -> Estimate:
    """Hand and Till's M with its interval by resampling patients (n,); a resample must hold every class.

    Raises:
        OneClassOnly, TooFewSamples, NotEstimable: as ``hand_till`` and ``bootstrap.cluster_bootstrap``.
    """
    kinds, values = np.asarray(classes), as_scores(scores)
    count = len(hand_till(kinds, values, direction=direction, order=order).pairs)

    def statistic(rows: NDArray[np.intp]) -> float:
        if values.ndim == 2 and np.unique(kinds[rows]).size < np.unique(kinds).size:
            raise OneClassOnly("A resample lacks a class.")
        found = hand_till(kinds[rows], values[rows], direction=direction, order=order)
        if len(found.pairs) < count:
            raise OneClassOnly("A resample lacks a class.")
        return found.m

    return cluster_bootstrap(patients, statistic, resampling=resampling)


def _columns(present: list[Any], order: tuple[Any, ...] | None, *, count: int) -> dict[Any, int]:
    named = list(order) if order is not None else present
    if len(named) != count or len(set(named)) != count or not set(present) <= set(named):
        raise NotEstimable(f"{count} columns do not stand for the {len(present)} classes.", next_step="Name them.")
    return {name: column for column, name in enumerate(named)}


def _by_columns(kinds: NDArray[Any], values: Scores, pair: tuple[Any, Any], columns: dict[Any, int]) -> PairArea:
    first, second = kinds == pair[0], kinds == pair[1]
    own, other = values[:, columns[pair[0]]], values[:, columns[pair[1]]]
    return PairArea(*pair, _area(own[first], own[second]), _area(other[second], other[first]))


def _by_one_score(kinds: NDArray[Any], values: Scores, pair: tuple[Any, Any], direction: Direction) -> PairArea:
    earlier, later = values[kinds == pair[0]], values[kinds == pair[1]]
    area = _area(later, earlier)
    rising = {
        "higher": True,
        "lower": False,
        "medians": bool(np.median(earlier) <= np.median(later)),
        "best": area >= 0.5,
    }[direction]
    return PairArea(*pair, area if rising else 1.0 - area, area if rising else 1.0 - area)


def _area(above: Scores, below: Scores) -> float:
    """Chance that a value of the first lies above one of the second, ties one half."""
    labels = np.repeat([1, 0], [above.size, below.size])
    return float(placements(labels, np.concatenate([above, below])).areas[0])
