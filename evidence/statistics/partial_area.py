"""The area under part of the ROC curve: where specificity is high enough to use, or sensitivity.

McClish, Med Decis Making 9:190 (1989), for the range of false-positive rates and for the correction; Jiang, Metz and
Nishikawa, Radiology 201:745 (1996), for ranges of sensitivity.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from domain.errors import NotEstimable
from evidence.statistics.bootstrap import Resampling, cluster_bootstrap
from evidence.statistics.estimate import Estimate, as_labels, as_scores
from evidence.statistics.roc import RocCurve, curve

Focus = Literal["specificity", "sensitivity"]
Vector = NDArray[np.float64]
PERCENTILE = Resampling(method="percentile")


@dataclass(frozen=True, slots=True)
class PartialArea:
    """Area where the focus lies between ``low`` and ``high``.

    ``raw`` is at most high − low. ``corrected`` (McClish) maps chance to 0.5 and perfection to 1; below chance it is
    below 0.5, and is not cut. scikit-learn's ``roc_auc_score(max_fpr=…)`` is the corrected value.
    """

    raw: float
    corrected: float
    focus: Focus
    low: float
    high: float

    @property
    def mean(self) -> float:
        """Raw area over the width of the range: mean sensitivity (or mean specificity) in the range."""
        return self.raw / (self.high - self.low)


def partial_area(
    labels: ArrayLike, scores: ArrayLike, *, between: tuple[float, float], focus: Focus = "specificity"
) -> PartialArea:
    """Partial area of scores (n,) for labels (n,): sensitivity integrated over the specificities ``between`` two
    values, or specificity over the sensitivities (area to the right of the curve), along straight lines between points.

    Raises:
        OneClassOnly: no positive or no negative sample.
        NotEstimable: numbers that are not finite, or a range that is empty or leaves [0, 1].
    """
    return of_curve(curve(labels, scores), between=between, focus=focus)


def of_curve(roc_curve: RocCurve, *, between: tuple[float, float], focus: Focus = "specificity") -> PartialArea:
    """As ``partial_area``, of a curve that is at hand.

    Raises:
        NotEstimable: a range that is empty or leaves [0, 1].
    """
    low, high = min(between), max(between)
    if not 0.0 <= low < high <= 1.0:
        raise NotEstimable(f"There is no area over {focus} from {low} to {high}.", next_step="Give two values in 0–1.")
    if focus == "specificity":
        raw = _between(roc_curve.false_positive_rate, roc_curve.true_positive_rate, 1.0 - high, 1.0 - low)
    else:
        raw = _between(roc_curve.true_positive_rate, 1.0 - roc_curve.false_positive_rate, low, high)
    # By chance sensitivity is 1 − specificity, so that either focus loses the same triangle.
    chance = ((1.0 - low) ** 2 - (1.0 - high) ** 2) / 2.0
    corrected = (1.0 + (raw - chance) / (high - low - chance)) / 2.0
    return PartialArea(raw, corrected, focus, low, high)


def partial_area_interval(
    labels: ArrayLike,
    scores: ArrayLike,
    patients: ArrayLike,
    *,
    between: tuple[float, float],
    focus: Focus = "specificity",
    corrected: bool = False,
    resampling: Resampling = PERCENTILE,
) -> Estimate:
    """The raw or the corrected partial area with its interval by resampling patients (n,).

    Raises:
        OneClassOnly, TooFewSamples, NotEstimable: as ``partial_area`` and ``bootstrap.cluster_bootstrap``.
    """
    values = as_scores(scores)
    truth = as_labels(labels, n=values.size)

    def statistic(rows: NDArray[np.intp]) -> float:
        found = partial_area(truth[rows], values[rows], between=between, focus=focus)
        return found.corrected if corrected else found.raw

    return cluster_bootstrap(patients, statistic, positives=int(truth.sum()), resampling=resampling)


def _between(x: Vector, y: Vector, low: float, high: float) -> float:
    """Trapezia under the path (x, y), x rising, from low to high; upright pieces have no width."""
    left, right = np.clip(x[:-1], low, high), np.clip(x[1:], low, high)
    width = np.diff(x)
    slope = np.divide(np.diff(y), width, out=np.zeros_like(width), where=width > 0)
    middle = y[:-1] + slope * ((left + right) / 2.0 - x[:-1])
    return float(((right - left) * middle).sum())
