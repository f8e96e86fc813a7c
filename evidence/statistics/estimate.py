"""An estimate with its interval: the only form in which a statistic leaves this package."""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from domain.errors import NotEstimable, OneClassOnly, TooFewSamples

Labels = NDArray[np.bool_]
Scores = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value and its two-sided confidence interval.

    ``n`` is the number of samples the value was computed from (the denominator of a proportion), ``positives`` how
    many of those carry the finding by the reference standard.
    """

    value: float
    low: float
    high: float
    level: float
    method: str
    n: int
    positives: int


def normal_quantile(level: float) -> float:
    """z of a two-sided interval of that confidence level: 1.96 for 0.95.

    Raises:
        NotEstimable: the level is not inside (0, 1).
    """
    if not 0.0 < level < 1.0:
        raise NotEstimable(f"A confidence level of {level} does not exist.", next_step="Choose one between 0 and 1.")
    return NormalDist().inv_cdf(0.5 + level / 2.0)


def as_scores(scores: ArrayLike) -> Scores:
    """Scores as float64 of any shape.

    Raises:
        NotEstimable: a score is not finite.
    """
    array = np.asarray(scores, dtype=np.float64)
    if not np.isfinite(array).all():
        raise NotEstimable("A score is not a finite number.", next_step="Find the samples that could not be scored.")
    return array


def as_labels(labels: ArrayLike, *, n: int) -> Labels:
    """Reference-standard labels 0/1 of shape (n,) as booleans.

    Raises:
        NotEstimable: a label is neither 0 nor 1, or their number is not that of the scores.
        TooFewSamples: there is none.
    """
    array = np.asarray(labels)
    if array.shape != (n,):
        raise NotEstimable(f"There are {array.size} labels for {n} scores.")
    if n == 0:
        raise TooFewSamples("There are no samples.")
    if not np.isin(array, (0, 1)).all():
        raise NotEstimable("A label is neither 0 nor 1.")
    return array.astype(np.bool_)


def need_both_classes(labels: Labels) -> None:
    """Refuse labels of one class.

    Raises:
        OneClassOnly: all are positive, or all negative.
    """
    if labels.all() or not labels.any():
        kind = "positive" if labels.all() else "negative"
        raise OneClassOnly(
            f"All {labels.size} samples are {kind}.", next_step="Use a set with and without the finding."
        )
