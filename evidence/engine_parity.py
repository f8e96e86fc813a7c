"""Does an engine answer as the trained model does? Paired, on the same films, with patients independent."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from domain.errors import OneClassOnly, TooFewSamples
from domain.model_version import Precision
from evidence.area_difference import area_difference
from evidence.engine_record import LEVEL, MARGIN, ROUNDING, EngineAgreement
from evidence.measured import metric
from evidence.scored_set import ScoredSet

TOLERANCES: dict[Precision, float] = {"fp32": ROUNDING, "bf16": 0.05, "int8": 0.05}  # in probability
NO_NUMBER = 1.0  # the largest difference that two probabilities can have


def agreement(
    scored: ScoredSet, trained: NDArray[np.float64], *, precision: Precision, against: Literal["torch", "scikit-learn"]
) -> EngineAgreement:
    """The engine's probabilities in ``scored`` against those of the trained model (n,), row by row."""
    n, tolerance = len(scored.sample_ids), TOLERANCES[precision]
    if not np.isfinite(scored.probabilities).all():
        return EngineAgreement(
            against=against, n=n, max_difference=NO_NUMBER, tolerance=tolerance, auroc_difference=None, margin=MARGIN
        )
    try:
        difference = metric(scored, "auroc_difference", area_difference(scored, trained, level=LEVEL))
    except (OneClassOnly, TooFewSamples):
        difference = None
    return EngineAgreement(
        against=against,
        n=n,
        max_difference=float(np.abs(scored.probabilities - trained).max()),
        tolerance=tolerance,
        auroc_difference=difference,
        margin=MARGIN,
    )
