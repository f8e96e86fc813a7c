"""The precision–recall curve and the rival areas under it, each by its name.

Samples of one score are one point of the curve. Between two points precision is not a straight line in recall: false
positives are shared out evenly over the true positives gained (Davis and Goadrich, ICML 2006, page 233).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evidence.statistics.estimate import Estimate, as_labels, as_scores, need_both_classes, normal_quantile
from evidence.statistics.operating_point import wilson
from evidence.statistics.placements import tie_groups

Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PrecisionRecallCurve:
    """One point per distinct score, thresholds falling; positive means score ≥ threshold. The last precision is the
    prevalence.
    """

    thresholds: Vector
    recall: Vector
    precision: Vector
    true_positives: NDArray[np.int64]
    false_positives: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class PrecisionRecallAreas:
    """Four areas that are all called «PR-AUC»; ``prevalence`` is what chance gives.

    * ``average_precision``: steps, Σ (Rₙ − Rₙ₋₁) Pₙ, as scikit-learn's ``average_precision_score``.
    * ``davis_goadrich``: trapezia at every whole true positive, along the curve described above.
    * ``integral``: that curve integrated in closed form (Keilwagen, Grosse and Grau, PLoS ONE 9:e92209, 2014).
    * ``linear_trapezoid``: straight lines from point to point, from (0, 1); too high, and only here to be compared with
      software that gives it.
    """

    average_precision: float
    davis_goadrich: float
    integral: float
    linear_trapezoid: float
    prevalence: float


def curve(labels: ArrayLike, scores: ArrayLike) -> PrecisionRecallCurve:
    """The empirical precision–recall curve of scores (n,) for labels (n,) in {0, 1}, larger meaning positive.

    Raises:
        OneClassOnly: no positive or no negative sample.
        NotEstimable: numbers that are not finite.
    """
    values = as_scores(scores)
    truth = as_labels(labels, n=values.size)
    need_both_classes(truth)
    order = np.argsort(-values, kind="stable")
    called = tie_groups(values[order]).end
    true_positives = np.cumsum(truth[order])[called - 1]
    return PrecisionRecallCurve(
        values[order][called - 1],
        true_positives / true_positives[-1],
        true_positives / called,
        true_positives.astype(np.int64),
        (called - true_positives).astype(np.int64),
    )


def areas(labels: ArrayLike, scores: ArrayLike) -> PrecisionRecallAreas:
    """All areas under the curve of scores (n,) for labels (n,).

    Raises:
        OneClassOnly, NotEstimable: as ``curve``.
    """
    found = curve(labels, scores)
    gained = np.diff(found.recall, prepend=0.0)
    before = np.concatenate([[1.0], found.precision[:-1]])
    return PrecisionRecallAreas(
        average_precision=float((gained * found.precision).sum()),
        davis_goadrich=_davis_goadrich(found),
        integral=_integral(found),
        linear_trapezoid=float((gained * (before + found.precision)).sum() / 2.0),
        prevalence=float(found.precision[-1]),
    )


def average_precision(labels: ArrayLike, scores: ArrayLike, *, level: float = 0.95) -> Estimate:
    """Average precision of scores (n,) with the logit interval of Boyd, Eng and Page, ECML PKDD 2013, LNCS 8190:451:
    logit(A) ± z / √(m·A·(1 − A)) with m positives.

    It assumes independent samples and treats the value like a proportion of the positives; with several samples of a
    patient, or few positives, use ``bootstrap.cluster_bootstrap``. At a value of 1 Wilson's interval on the positives
    stands in and is named in ``method``.

    Raises:
        OneClassOnly, NotEstimable: as ``curve``, or a level outside (0, 1).
    """
    found = curve(labels, scores)
    value = areas(labels, scores).average_precision
    positives, n = int(found.true_positives[-1]), int(found.true_positives[-1] + found.false_positives[-1])
    z = normal_quantile(level)
    if value >= 1.0:
        edge = wilson(positives, positives, level=level)
        return Estimate(value, edge.low, 1.0, level, "Wilson on the positives", n, positives)
    centre, half = math.log(value / (1.0 - value)), z / math.sqrt(positives * value * (1.0 - value))
    low, high = (1.0 / (1.0 + math.exp(-x)) if x > -700.0 else 0.0 for x in (centre - half, centre + half))
    return Estimate(value, low, high, level, "logit", n, positives)


@dataclass(frozen=True, slots=True)
class _Pieces:
    """The stretches between points on which true positives are gained: those before and gained, false positives before
    and per true positive gained.
    """

    before: Vector
    gained: Vector
    false_before: Vector
    rate: Vector

    @classmethod
    def of(cls, found: PrecisionRecallCurve) -> "_Pieces":
        gained = np.diff(found.true_positives, prepend=0)
        use = gained > 0
        false_gained = np.diff(found.false_positives, prepend=0)[use]
        return cls(
            (found.true_positives[use] - gained[use]).astype(np.float64),
            gained[use].astype(np.float64),
            (found.false_positives[use] - false_gained).astype(np.float64),
            false_gained / gained[use],
        )


def _davis_goadrich(found: PrecisionRecallCurve) -> float:
    pieces = _Pieces.of(found)
    times = pieces.gained.astype(np.intp)
    step: Vector = (np.arange(int(times.sum())) - np.repeat(np.cumsum(times) - times, times)).astype(np.float64)
    before, false_before, rate = (
        np.repeat(of, times) for of in (pieces.before, pieces.false_before, pieces.rate)
    )  # fmt: skip

    def precision(true_positives: Vector, at: Vector) -> Vector:
        called = true_positives + false_before + rate * at
        # Before the first call there is no precision; the limit along the first stretch stands for it.
        return np.divide(true_positives, called, out=1.0 / (1.0 + rate), where=called > 0)

    heights = precision(before + step, step) + precision(before + step + 1, step + 1)
    return float(heights.sum() / 2.0 / found.true_positives[-1])


def _integral(found: PrecisionRecallCurve) -> float:
    """∫ t / (a·t + b) dt over the true positives t, where false positives are (a − 1)·t + b on each stretch."""
    pieces = _Pieces.of(found)
    a, b = 1.0 + pieces.rate, pieces.false_before - pieces.rate * pieces.before
    start, end = pieces.before, pieces.before + pieces.gained
    bent = np.abs(b) > 1e-12 * (1.0 + pieces.false_before)
    growth = np.divide(a * end + b, a * start + b, out=np.ones_like(a), where=bent)
    return float(((pieces.gained - b / a * np.log(growth)) / a).sum() / found.true_positives[-1])
