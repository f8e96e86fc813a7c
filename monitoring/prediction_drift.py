"""Prediction drift: do the answers of a current window look like those on the reference?"""

import numpy as np
import pandas as pd

from domain.drift import DriftFinding
from domain.errors import TooFewSamples
from evidence.statistics import drift
from monitoring.data_drift import ALPHA, MIN_WINDOW
from monitoring.windows import FINDING, PROBABILITY


def find(reference: pd.DataFrame, current: pd.DataFrame, *, alpha: float = ALPHA) -> DriftFinding:
    """Exact Kolmogorov–Smirnov tests on the probability and on the share called positive (0 or 1, ties included),
    Holm-adjusted.

    A change may come from the patients (more of them ill) as well as from the images or the model: it asks for a look,
    it proves no loss of quality.

    Raises:
        TooFewSamples: a window has fewer than 30 rows.
    """
    if min(len(reference), len(current)) < MIN_WINDOW:
        raise TooFewSamples(f"A window has fewer than {MIN_WINDOW} rows.", next_step="Wait for predictions.")
    names = (PROBABILITY, FINDING)
    before, now = (window[list(names)].to_numpy(dtype=np.float64) for window in (reference, current))
    features = drift.two_sample(before, now, names=names, alpha=alpha)
    return DriftFinding(
        kind="prediction_drift",
        drifted=any(feature.drifted for feature in features),
        test=drift.TEST_NAME,
        alpha=alpha,
        n_reference=len(reference),
        n_current=len(current),
        features=features,
    )
