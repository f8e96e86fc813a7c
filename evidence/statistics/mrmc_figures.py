"""Figures of merit: what one reader's ratings of all cases with one test are worth, as a number.

A figure is a value, not a class to inherit from: any function of truth (n,) and ratings (n,) can be made one. The area
also says what it becomes when each case is left out, without being computed again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from domain.errors import NotEstimable, OneClassOnly
from evidence.statistics.estimate import Labels, Scores, need_both_classes
from evidence.statistics.roc import curve

Kind = Literal["all", "positive", "negative"]
Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FigureOfMerit:
    """``value`` of truth (n,) and ratings (n,); ``cases`` says which of them it looks at.

    ``leave_one_out``, where given, returns (n,): the value without each case. ``bounds`` are the smallest and largest
    value it can take; intervals are cut there.
    """

    name: str
    value: Callable[[Labels, Scores], float]
    cases: Kind = "all"
    leave_one_out: Callable[[Labels, Scores], Vector] | None = None
    bounds: tuple[float, float] = (0.0, 1.0)

    def used(self, truth: Labels) -> Labels:
        """The cases (n,) this figure looks at."""
        if self.cases == "all":
            return np.ones(truth.size, dtype=np.bool_)
        return truth if self.cases == "positive" else ~truth


def empirical_auc() -> FigureOfMerit:
    """The area under the empirical ROC curve (Mann–Whitney), ties counting one half."""
    return FigureOfMerit("empirical AUC", _auc, leave_one_out=_auc_without_each)


def sensitivity(threshold: float) -> FigureOfMerit:
    """Share of positive cases rated at least ``threshold``."""

    def share(truth: Labels, ratings: Scores) -> float:
        return _share(ratings[truth] >= threshold)

    return FigureOfMerit(f"sensitivity at rating ≥ {threshold:g}", share, "positive")


def specificity(threshold: float) -> FigureOfMerit:
    """Share of negative cases rated below ``threshold``."""

    def share(truth: Labels, ratings: Scores) -> float:
        return _share(ratings[~truth] < threshold)

    return FigureOfMerit(f"specificity at rating < {threshold:g}", share, "negative")


def partial_auc(
    *, low: float, high: float, over: Literal["specificity", "sensitivity"] = "specificity", normalised: bool = False
) -> FigureOfMerit:
    """Area under the empirical curve for specificities in [low, high], or right of it for sensitivities in [low, high].

    ``normalised`` divides by high − low (the mean sensitivity, or specificity, over that range), which is not McClish's
    correction. Jiang, Metz and Nishikawa, Radiology 201:745 (1996).

    Raises:
        NotEstimable: low and high are no range inside [0, 1].
    """
    if not 0.0 <= low < high <= 1.0:
        raise NotEstimable(f"From {low} to {high} is no range of {over}.")

    def area(truth: Labels, ratings: Scores) -> float:
        points = curve(truth, ratings)
        false, true = points.false_positive_rate, points.true_positive_rate
        # Both focuses are an integral of a falling line over a rising one: sensitivity over 1 − specificity, or
        # specificity over sensitivity.
        part = _area(false, true, 1 - high, 1 - low) if over == "specificity" else _area(true, 1 - false, low, high)
        return part / (high - low) if normalised else part

    name = f"partial AUC, {over} {low:g}–{high:g}" + (", normalised" if normalised else "")
    return FigureOfMerit(name, area, bounds=(0.0, 1.0 if normalised else high - low))


def sensitivity_at_specificity(target: float) -> FigureOfMerit:
    """Sensitivity read off the empirical curve (straight lines between points) at a specificity; the highest at a step.

    Raises:
        NotEstimable: the target lies outside [0, 1].
    """
    _need_share(target)

    def height(truth: Labels, ratings: Scores) -> float:
        points = curve(truth, ratings)
        return _height(points.false_positive_rate, points.true_positive_rate, 1 - target)

    return FigureOfMerit(f"sensitivity at specificity {target:g}", height)


def specificity_at_sensitivity(target: float) -> FigureOfMerit:
    """Specificity read off the empirical curve at a sensitivity; the highest at a step.

    Raises:
        NotEstimable: the target lies outside [0, 1].
    """
    _need_share(target)

    def height(truth: Labels, ratings: Scores) -> float:
        points = curve(truth, ratings)
        return _height(1 - points.true_positive_rate[::-1], 1 - points.false_positive_rate[::-1], 1 - target)

    return FigureOfMerit(f"specificity at sensitivity {target:g}", height)


def expected_utility(slope: float = 1.0) -> FigureOfMerit:
    """Largest sensitivity − slope · (1 − specificity) on the curve (Abbey et al., Acad Radiol 20:798, 2013); slope 1 is
    Youden's index.
    """

    def utility(truth: Labels, ratings: Scores) -> float:
        points = curve(truth, ratings)
        return float((points.true_positive_rate - slope * points.false_positive_rate).max())

    return FigureOfMerit(f"expected utility, slope {slope:g}", utility)


def placements(truth: Labels, ratings: Scores) -> tuple[Vector, Vector]:
    """Of each positive, the share of negatives rated lower; of each negative, the share of positives rated higher.

    Ties count one half; O(n log n).

    Raises:
        OneClassOnly: no positive or no negative case.
    """
    need_both_classes(truth)
    positives, negatives = ratings[truth], ratings[~truth]
    return share_below(negatives, positives), 1.0 - share_below(positives, negatives)


def share_below(others: Scores, values: Scores) -> Vector:
    """Of each value, the share of the others that are smaller, ties counting one half."""
    ordered = np.sort(others)
    below = np.searchsorted(ordered, values, side="left") + np.searchsorted(ordered, values, side="right")
    share: Vector = below / (2.0 * others.size)
    return share


def _auc(truth: Labels, ratings: Scores) -> float:
    return float(placements(truth, ratings)[0].mean())


def _auc_without_each(truth: Labels, ratings: Scores) -> Vector:
    of_positives, of_negatives = placements(truth, ratings)
    if min(of_positives.size, of_negatives.size) < 2:
        raise NotEstimable("Without its only case of a class an area does not exist.")
    left_out = np.empty(truth.size)
    for chosen, placed in ((truth, of_positives), (~truth, of_negatives)):
        left_out[chosen] = (placed.sum() - placed) / (placed.size - 1)
    return left_out


def _share(called: NDArray[np.bool_]) -> float:
    if called.size == 0:
        raise OneClassOnly("A proportion of no cases has no value.")
    return float(called.mean())


def _area(x: Vector, y: Vector, low: float, high: float) -> float:
    """Integral from low to high of the line through points (x rising, y); vertical steps have no width."""
    start, end = np.clip(x[:-1], low, high), np.clip(x[1:], low, high)
    width = np.diff(x)
    rise = np.divide(np.diff(y), width, out=np.zeros_like(width), where=width > 0)
    middle = y[:-1] + rise * ((start + end) / 2 - x[:-1])
    return float(((end - start) * middle).sum())


def _height(x: Vector, y: Vector, at: float) -> float:
    """The highest y at x = at of a line that rises with x."""
    after = int(np.searchsorted(x, at + 1e-12, side="right"))
    if after == x.size:
        return float(y[-1])
    share = (at - x[after - 1]) / (x[after] - x[after - 1])
    return float(y[after - 1] + max(share, 0.0) * (y[after] - y[after - 1]))


def _need_share(target: float) -> None:
    if not 0.0 <= target <= 1.0:
        raise NotEstimable(f"{target} is no sensitivity or specificity.")
