"""Evidently's page and our finding are one: the same p-values, the same columns, and nothing fetched from anywhere."""

import json
import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from domain.drift import DriftFinding
from monitoring import data_drift
from monitoring.windows import FEATURE_COLUMNS

pytestmark = pytest.mark.slow

Windows = tuple[pd.DataFrame, pd.DataFrame]


@pytest.fixture(scope="module")
def windows() -> Windows:
    """Two windows that differ in three image features, one of them with ties, and in one direction of the embedding."""
    draw = np.random.default_rng(0)
    columns = [*FEATURE_COLUMNS, *(f"embedding.{k}" for k in range(8))]
    reference, current = (pd.DataFrame(draw.normal(size=(n, len(columns))), columns=columns) for n in (220, 150))
    current["feature.mean"] += 0.5
    current["feature.skewness"] += 0.2
    current["embedding.3"] += 3.0
    for window in (reference, current):
        window["feature.p50"] = window["feature.p50"].round(0)
    current["feature.p50"] += 1.0
    return reference, current


@pytest.fixture(scope="module")
def written(windows: Windows, tmp_path_factory: pytest.TempPathFactory) -> tuple[DriftFinding, Path]:
    """The finding and the folder of Evidently's report, made while every connection is refused."""

    def refuse(*_: Any) -> None:
        raise AssertionError("a connection was tried")

    out = tmp_path_factory.mktemp("drift")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", refuse)
        return data_drift.compare(*windows, alpha=0.01, out=out), out


def p_values(path: Path) -> dict[str, float]:
    """Column → p-value as Evidently wrote it."""
    metrics = json.loads(path.read_text())["metrics"]
    return {m["config"]["column"]: m["value"] for m in metrics if "column" in m["config"]}


def test_evidently_reports_our_p_values(written: tuple[DriftFinding, Path]) -> None:
    finding, out = written
    reported = p_values(out / "drift.json")
    assert reported.keys() == {feature.feature for feature in finding.features}
    for feature in finding.features:
        assert reported[feature.feature] == pytest.approx(feature.p_value, rel=1e-9)


def test_evidently_calls_the_same_columns_drifted(written: tuple[DriftFinding, Path]) -> None:
    finding, out = written
    ours = {feature.feature for feature in finding.features if feature.drifted}
    assert {"mean", "p50", "embedding.component_1"} <= ours
    metrics = json.loads((out / "drift.json").read_text())["metrics"]
    thresholds = {m["config"]["column"]: m["config"]["threshold"] for m in metrics if "column" in m["config"]}
    assert {column for column, p in p_values(out / "drift.json").items() if p <= thresholds[column]} == ours
    counted = next(m["value"] for m in metrics if "column" not in m["config"])
    assert counted["count"] == len(ours)


def test_evidentlys_own_test_agrees_where_there_are_no_ties(
    windows: Windows, written: tuple[DriftFinding, Path]
) -> None:
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    columns = [column for column in FEATURE_COLUMNS if column != "feature.p50"]
    definition = DataDefinition(numerical_columns=columns)
    reference, current = (Dataset.from_pandas(w[columns], data_definition=definition) for w in windows)
    snapshot = Report([DataDriftPreset(columns=columns, method="ks", threshold=0.01)]).run(current, reference)
    own = {m["config"]["column"]: m["value"] for m in json.loads(snapshot.json())["metrics"] if "column" in m["config"]}
    ours = {f"feature.{feature.feature}": feature.p_value for feature in written[0].features}
    for column in columns:
        assert own[column] == pytest.approx(ours[column], rel=1e-6)


def test_the_page_needs_no_network(written: tuple[DriftFinding, Path]) -> None:
    page = (written[1] / "drift.html").read_text()
    assert re.findall(r"<(?:script|link|img|iframe)[^>]+(?:src|href)=[\"']?(?:https?:)?//", page) == []


def test_the_same_windows_give_the_same_finding(
    windows: Windows, written: tuple[DriftFinding, Path], tmp_path: Path
) -> None:
    again: Callable[..., DriftFinding] = data_drift.compare
    assert again(*windows, alpha=0.01, out=tmp_path) == written[0]
    assert p_values(tmp_path / "drift.json") == p_values(written[1] / "drift.json")
