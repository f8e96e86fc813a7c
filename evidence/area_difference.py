"""The difference of two ROC areas on the same samples, with an interval also where the paired method has none."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from evidence.measured import area
from evidence.scored_set import ScoredSet
from evidence.statistics import clustered, independent_difference
from evidence.statistics.estimate import Estimate
from evidence.statistics.roc import NO_ERROR

IDENTICAL = "identical scores"


def area_difference(scored: ScoredSet, other: NDArray[np.float64], *, level: float) -> Estimate:
    """Area of the set's probabilities minus that of ``other`` (n,) on the same samples in the same order.

    Paired, by patient. Two cases have no paired variance. The same scores twice differ by nothing, and ``method`` says
    so. Different scores in one order, most often both without any error, are not proof of equality: their interval is
    MOVER's of the two areas, which is too wide rather than too narrow.

    Raises:
        OneClassOnly, TooFewSamples, NotEstimable: as ``clustered.areas``.
    """
    found = clustered.paired_difference(scored.labels, scored.probabilities, other, scored.patient_keys, level=level)
    if found.standard_error >= NO_ERROR:
        return found.difference
    if np.array_equal(scored.probabilities, other):
        return replace(found.difference, method=IDENTICAL)
    own, others = (area(one, level=level) for one in (scored, replace(scored, probabilities=other)))
    apart = independent_difference.difference(own, others)
    return replace(apart, method=f"{apart.method}, no paired variance")
