"""The curves of one reader's marks: FROC, AFROC and their weighted kin, and lesions found at a false-mark rate.

Chakraborty, *Observer Performance Methods for Diagnostic Imaging*, CRC 2017. Abscissae: false marks per case (FROC),
or the share of cases whose highest false mark counts (AFROC).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from domain.errors import NotEstimable, OneClassOnly
from evidence.statistics.estimate import as_scores
from evidence.statistics.froc import Reading

Array = NDArray[np.float64]
LUNA16_RATES = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
CurveName = Literal["AFROC", "wAFROC", "AFROC1", "wAFROC1"]


@dataclass(frozen=True, slots=True, eq=False)
class OperatingCurve:
    """One point per distinct rating, falling thresholds, from (0, 0); a mark counts when its rating ≥ threshold.

    AFROC curves end at (1, 1), the last, straight part belonging to no threshold (−∞); the FROC curve ends at its last
    mark.
    """

    thresholds: Array
    false_marks: Array
    lesions_found: Array

    @property
    def area(self) -> float:
        """Area under the straight lines between points, as far as the curve reaches."""
        return float(np.trapezoid(self.lesions_found, self.false_marks))


def froc(reading: Reading, *, weighted: bool = False) -> OperatingCurve:
    """Share of lesions found (of lesion weights, per diseased case) against false marks per case, over all cases.

    Raises:
        OneClassOnly: no lesion.
    """
    weight, false = _weight(reading, weighted), reading.non_lesion[np.isfinite(reading.non_lesion)]
    thresholds = _thresholds(reading, false)
    x = _at_least(false, np.ones(false.size), thresholds) / reading.lesions.size
    y = _at_least(reading.lesion.ravel(), weight.ravel(), thresholds) / weight.sum()
    return OperatingCurve(np.r_[np.inf, thresholds], np.r_[0.0, x], np.r_[0.0, y])


def afroc(reading: Reading, name: CurveName = "wAFROC") -> OperatingCurve:
    """Share of lesions found (weighted, "w") against the share of non-diseased (or all, "1") cases with a false mark.

    Its area is the figure of merit of the same name.

    Raises:
        OneClassOnly: no lesion, or no case to take false marks from.
    """
    weight = _weight(reading, name.startswith("w"))
    used = np.ones(reading.lesions.size, dtype=np.bool_) if name.endswith("1") else ~reading.diseased
    if not used.any():
        raise OneClassOnly("There is no case without lesions.", next_step="Take false marks from all cases (AFROC1).")
    highest = reading.non_lesion.max(axis=1)[used]
    thresholds = _thresholds(reading, highest[np.isfinite(highest)])
    x = _at_least(highest, np.ones(highest.size), thresholds) / highest.size
    y = _at_least(reading.lesion.ravel(), weight.ravel(), thresholds) / weight.sum()
    return OperatingCurve(np.r_[np.inf, thresholds, -np.inf], np.r_[0.0, x, 1.0], np.r_[0.0, y, 1.0])


def lesions_found_at(curve: OperatingCurve, rates: ArrayLike = LUNA16_RATES) -> Array:
    """Share of lesions found at each rate of false marks (k,): straight lines between points, level after the last.

    The mean over the default rates is the competition metric of LUNA16 (Setio et al., Med Image Anal 42:1, 2017).

    Raises:
        NotEstimable: a rate that is negative or not finite.
    """
    wanted = as_scores(rates)
    if wanted.size and wanted.min() < 0:
        raise NotEstimable("A rate of false marks is negative.")
    # At a vertical step the upper end counts, as the same false marks buy it.
    last = np.append(np.diff(curve.false_marks) > 0, True)
    return np.asarray(np.interp(wanted, curve.false_marks[last], curve.lesions_found[last]))


def _weight(reading: Reading, weighted: bool) -> Array:
    if not reading.diseased.any():
        raise OneClassOnly("There is no lesion to find.")
    return reading.weights if weighted else reading.exists.astype(np.float64)


def _thresholds(reading: Reading, false: Array) -> Array:
    lesion = reading.lesion[np.isfinite(reading.lesion)]
    return np.unique(np.concatenate([false, lesion]))[::-1]


def _at_least(ratings: Array, weights: Array, thresholds: Array) -> Array:
    """Sum of weights of ratings ≥ each threshold."""
    order = np.argsort(ratings, kind="stable")
    above = np.concatenate([np.cumsum(weights[order][::-1])[::-1], [0.0]])
    return np.asarray(above[np.searchsorted(ratings[order], thresholds, side="left")])
