"""Data drift: do the images of a current window look like those of the reference?

The decision is ours: exact Kolmogorov–Smirnov tests on the image features and on the first principal components of the
embedding, Holm-adjusted (``evidence/statistics/drift.py``). Evidently draws the report, and is given the same test and
thresholds, so that its page and our finding cannot disagree.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from domain.drift import DriftedFeature, DriftFinding
from domain.errors import TooFewSamples
from evidence.statistics import drift
from evidence.statistics.estimate import Estimate
from evidence.statistics.operating_point import wilson
from monitoring.evidently_report import write
from monitoring.windows import FEATURE, FEATURE_COLUMNS, PATIENT, embedding_of

ALPHA = 0.01  # family-wise: one false alarm in a hundred comparisons, over all columns together
MIN_WINDOW = 30  # rows; below that only a change beyond doubt could be found, and silence would pass for stability
COMPONENTS = 4
COMPONENT_COLUMNS = tuple(f"embedding.component_{k + 1}" for k in range(COMPONENTS))


def compare(reference: pd.DataFrame, current: pd.DataFrame, *, alpha: float = ALPHA, out: Path) -> DriftFinding:
    """Compare two windows; write Evidently's ``drift.html`` and ``drift.json`` to ``out``.

    Raises:
        TooFewSamples: a window has fewer than 30 rows.
        NotEstimable: a value is not finite.
    """
    finding = find(reference, current, alpha=alpha)
    before, now, names = columns_of(reference, current)
    write(
        pd.DataFrame(before, columns=list(names)),
        pd.DataFrame(now, columns=list(names)),
        features=finding.features,
        alpha=alpha,
        out=out,
    )
    return finding


def find(reference: pd.DataFrame, current: pd.DataFrame, *, alpha: float = ALPHA) -> DriftFinding:
    """The decision alone, without a report.

    Raises:
        TooFewSamples: a window has fewer than 30 rows.
        NotEstimable: a value is not finite.
    """
    for name, window in (("reference", reference), ("current", current)):
        if len(window) < MIN_WINDOW:
            raise TooFewSamples(
                f"The {name} window has {len(window)} rows; {MIN_WINDOW} are needed.", next_step="Wait for predictions."
            )
    features = _test(reference, current, alpha=alpha)
    return DriftFinding(
        kind="data_drift",
        drifted=any(feature.drifted for feature in features),
        test=drift.TEST_NAME,
        alpha=alpha,
        n_reference=len(reference),
        n_current=len(current),
        features=features,
    )


def false_alarms(
    reference: pd.DataFrame, *, n_current: int, resamples: int = 200, alpha: float = ALPHA, seed: int = 0
) -> Estimate:
    """How often two windows of the *same* distribution are called drifted: share of resamples, with Wilson's interval.

    Each resample deals the patients of the reference into a current window of ``n_current`` rows or just above and the
    rest, so no patient (and no film) stands in both.

    Raises:
        TooFewSamples: one of the two windows would have fewer than 30 rows.
    """
    alarms = sum(
        drift.any_drifted(*columns_of(before, now)[:2], alpha=alpha)
        for before, now in _deals(reference, n_current=n_current, resamples=resamples, seed=seed)
    )
    return wilson(alarms, resamples)


def columns_of(
    reference: pd.DataFrame, current: pd.DataFrame
) -> tuple[NDArray[np.float64], NDArray[np.float64], tuple[str, ...]]:
    """What is tested: image features and, where both windows have embeddings, their first principal components."""
    before, now = (window[list(FEATURE_COLUMNS)].to_numpy(dtype=np.float64) for window in (reference, current))
    names = tuple(column.removeprefix(FEATURE) for column in FEATURE_COLUMNS)
    embedded = embedding_of(reference), embedding_of(current)
    if embedded[0].shape[1] == 0 or embedded[0].shape[1] != embedded[1].shape[1]:
        return before, now, names
    scores = drift.pooled_components(*embedded, count=COMPONENTS)
    kept = COMPONENT_COLUMNS[: scores[0].shape[1]]
    return np.hstack([before, scores[0]]), np.hstack([now, scores[1]]), (*names, *kept)


def _test(reference: pd.DataFrame, current: pd.DataFrame, *, alpha: float) -> tuple[DriftedFeature, ...]:
    before, now, names = columns_of(reference, current)
    return drift.two_sample(before, now, names=names, alpha=alpha)


def _deals(
    reference: pd.DataFrame, *, n_current: int, resamples: int, seed: int
) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    patients = reference[PATIENT].to_numpy() if PATIENT in reference else np.arange(len(reference))
    keys, of_row = np.unique(patients, return_inverse=True)
    draw = np.random.default_rng(seed)
    for _ in range(resamples):
        place = draw.permutation(keys.size)
        rows_in_order = np.cumsum(np.bincount(place[of_row], minlength=keys.size))
        taken = int(np.searchsorted(rows_in_order, n_current)) + 1
        is_current = place[of_row] < taken
        if min(int(is_current.sum()), int((~is_current).sum())) < MIN_WINDOW:
            raise TooFewSamples(
                f"{len(reference)} rows cannot be dealt into windows of {n_current} and at least {MIN_WINDOW}.",
                next_step="Ask for a smaller window.",
            )
        yield reference[~is_current], reference[is_current]
