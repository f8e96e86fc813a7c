"""Flow: compare what was answered since with the champion's test set, and say how often such a comparison errs."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from prefect import State, flow
from prefect.states import Completed

from domain.drift import FeatureRow
from domain.errors import ModelUnavailable, TooFewSamples
from domain.model_version import ModelManifest
from monitoring import data_drift, evidently_report, prediction_drift, windows
from monitoring.record import DriftRecord, write
from pipelines import facts
from pipelines.wiring import Offline, offline

_EVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Watch:
    """One comparison of windows, and the page that shows it; ``finding.json`` beside it holds the record."""

    record: DriftRecord
    report: Path


@flow(name="monitoring")
def monitor(task: str, sites: list[str]) -> Watch:
    """Compare the champion's answers on films of these sites with its test set."""
    return compare_windows(task, sites=tuple(sites))


@flow(name="watch")
def watch(task: str) -> "State[Watch]":
    """As ``monitor`` over every site, on a schedule: that there is nothing to compare yet is no failure."""
    try:
        found = compare_windows(task, sites=())
        return Completed(message="; ".join(facts.of_monitoring(found.record, report=found.report)))
    except (ModelUnavailable, TooFewSamples) as nothing_yet:
        return Completed(name="NothingToCompare", message=str(nothing_yet))


def compare_windows(task: str, *, sites: tuple[str, ...]) -> Watch:
    """As ``monitor``, outside of a flow.

    Raises:
        ModelUnavailable: the task has no champion.
        TooFewSamples: the current window is too small to say anything.
    """
    root, now = offline(), datetime.now(UTC)
    manifest, rows = _champion_and_rows(task, sites, root, until=now)
    reference = windows.reference_from_predictions(root.store("predictions", task, f"{manifest.variant}.parquet"))
    current = windows.current_from_rows(rows)
    report = root.home / "monitoring" / task / str(manifest.version)
    record = DriftRecord(
        recorded_at=now,
        model_version=manifest.model_version,
        dataset_version=manifest.dataset_version.name,
        sites=sites,
        data=data_drift.compare(reference, current, out=report),
        predictions=prediction_drift.find(reference, current),
        false_alarms=data_drift.false_alarms(reference, n_current=min(len(current), len(reference) // 2)),
    )
    write(record, out=report)
    return Watch(record, report / evidently_report.PAGE)


def _champion_and_rows(
    task: str, sites: tuple[str, ...], root: Offline, *, until: datetime
) -> tuple[ModelManifest, tuple[FeatureRow, ...]]:
    with root.database.unit_of_work(root.tenant, read_only=True) as work:
        policy = work.traffic.current(task)
        if policy is None:
            raise ModelUnavailable(f"{task} has no champion.", next_step="Run `fiducial lifecycle run` first.")
        manifest = work.model_versions.get(task, policy.champion).manifest
        rows = work.feature_rows.window(task, since=_EVER, until=until, one_per_patient=True)
    # One version at a time: another network's embedding has other axes.
    of_champion = (row for row in rows if row.model_version == manifest.model_version)
    return manifest, tuple(row for row in of_champion if not sites or row.site in sites)
