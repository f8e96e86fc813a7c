"""Evidently's report of two windows, with our test and our thresholds: the only module that imports Evidently."""

import json
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from domain.drift import DriftedFeature
from evidence.statistics import drift

PAGE, DATA = "drift.html", "drift.json"
TEST = "fiducial_ks_exact"


def write(
    reference: pd.DataFrame, current: pd.DataFrame, *, features: tuple[DriftedFeature, ...], alpha: float, out: Path
) -> None:
    """Write ``drift.html`` and ``drift.json`` for numerical columns of the same names; no connection is opened.

    Evidently calls a column drifted when its unadjusted p-value is at or below one threshold. Holm's procedure has
    such a threshold once it has run, and with it both name the same columns.
    """
    # Late, for Evidently costs 7–11 s.
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    columns = [feature.feature for feature in features]
    definition = DataDefinition(numerical_columns=columns)
    preset = DataDriftPreset(
        columns=columns,
        per_column_method=dict.fromkeys(columns, _registered_test()),
        per_column_threshold=dict.fromkeys(columns, holm_threshold(features, alpha=alpha)),
        drift_share=1.0 / len(columns),  # one drifted column is drift, as in our finding
    )
    snapshot = Report([preset], include_tests=False).run(
        current_data=Dataset.from_pandas(current[columns], data_definition=definition),
        reference_data=Dataset.from_pandas(reference[columns], data_definition=definition),
    )
    out.mkdir(parents=True, exist_ok=True)
    snapshot.save_html(str(out / PAGE))
    text = json.dumps(json.loads(snapshot.json()), sort_keys=True, indent=1)
    (out / DATA).write_text(text + "\n", encoding="utf-8")


def introduce(page: Path, section: str) -> None:
    """Put a piece of HTML above everything Evidently shows on its page."""
    head, body, rest = page.read_text(encoding="utf-8").partition("<body>")
    page.write_text(f"{head}{body}{section}{rest}", encoding="utf-8")


def holm_threshold(features: tuple[DriftedFeature, ...], *, alpha: float) -> float:
    """The bound on the unadjusted p-value at which Holm's procedure stopped: alpha over the columns not rejected."""
    kept = sum(not feature.drifted for feature in features)
    return alpha / max(kept, 1)


def _registered_test() -> str:
    """Our Kolmogorov–Smirnov test under its name in Evidently's registry: exact with ties, which Evidently's own is
    not.
    """
    from evidently.legacy.calculations.stattests.registry import StatTest, register_stattest
    from evidently.legacy.core import ColumnType

    def test(
        reference: "pd.Series[float]", current: "pd.Series[float]", _kind: ColumnType, threshold: float
    ) -> tuple[float, bool]:
        windows = (np.asarray(window, dtype=np.float64).tobytes() for window in (reference, current))
        p = _p_value(*windows)
        return p, p <= threshold

    described = StatTest(
        name=TEST,
        display_name="exact Kolmogorov–Smirnov p-value",
        allowed_feature_types=[ColumnType.Numerical],
        default_threshold=0.01,
    )
    register_stattest(described, test)
    return TEST


@lru_cache(maxsize=64)
def _p_value(reference: bytes, current: bytes) -> float:
    # Evidently asks four times for each column.
    return float(drift.kolmogorov_smirnov(np.frombuffer(reference), np.frombuffer(current))[1][0])
