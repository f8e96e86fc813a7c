"""The record of a finding holds all that is needed to judge it, and the page says the same in words."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from monitoring import data_drift, evidently_report, prediction_drift
from monitoring.record import DriftRecord, write

SITE = '<script>alert("x")</script>'


@pytest.fixture
def record(window: Callable[..., pd.DataFrame]) -> DriftRecord:
    reference, current = window(300, seed=0), window(200, seed=1, shift={"feature.mean": 0.8})
    return DriftRecord(
        recorded_at=datetime(2026, 3, 1, 3, 0, tzinfo=UTC), model_version="chest@3", dataset_version="films@1a2b",
        sites=("north", SITE), data=data_drift.find(reference, current),
        predictions=prediction_drift.find(reference, current),
        false_alarms=data_drift.false_alarms(reference, n_current=100, resamples=20),
    )  # fmt: skip


@pytest.fixture
def written(record: DriftRecord, tmp_path: Path) -> Path:
    (tmp_path / evidently_report.PAGE).write_text("<html><body><div>Evidently</div></body></html>")
    write(record, out=tmp_path)
    return tmp_path


def test_the_record_comes_back_as_it_was_written(record: DriftRecord, written: Path) -> None:
    text = (written / "finding.json").read_text()
    assert DriftRecord.model_validate_json(text) == record
    assert DriftRecord.model_validate_json(text).canonical() == text


def test_the_record_names_windows_test_features_and_versions(written: Path) -> None:
    found = json.loads((written / "finding.json").read_text())
    assert (found["model_version"], found["dataset_version"], found["sites"]) == (
        "chest@3",
        "films@1a2b",
        ["north", SITE],
    )
    assert (found["data"]["alpha"], found["data"]["n_reference"], found["data"]["n_current"]) == (0.01, 300, 200)
    mean = next(feature for feature in found["data"]["features"] if feature["feature"] == "mean")
    assert mean["drifted"]
    assert mean["p_value"] <= mean["adjusted_p_value"] <= 0.01 < mean["statistic"]
    assert (found["false_alarms"]["n"], found["false_alarms"]["level"]) == (20, 0.95)
    assert found["recorded_at"] == "2026-03-01T03:00:00Z"


def test_the_page_says_what_was_found_above_evidentlys_charts(written: Path) -> None:
    page = (written / evidently_report.PAGE).read_text()
    said, _, charts = page.partition("</section>")
    assert "<div>Evidently</div>" in charts
    for words in ("Data drift found: 1 of 12 features. Prediction drift not found.", "20 resamples", "chest@3",
                  "200 films now against 300 of the test set of films@1a2b", 'href="finding.json"', "<td"):  # fmt: skip
        assert words in said


def test_a_sites_name_is_text_on_the_page_and_nothing_else(written: Path) -> None:
    page = (written / evidently_report.PAGE).read_text()
    assert "north, &lt;script&gt;alert" in page
    assert "<script>" not in page
