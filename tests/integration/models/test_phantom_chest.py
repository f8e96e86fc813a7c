"""The embedded default teaches something real: a network learns much from it, not all; wrong labels teach nothing."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data.obtain import obtain
from data.prepare import prepare
from data.sources import get_source
from domain.acceptance import MetricValue
from domain.dataset import DatasetVersion, Split
from domain.identifiers import sha256_of
from evidence.record import ValidationReport
from models.task import Task
from models.tracking import Tracking
from models.training import train_task

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


def train_and_validate(task: Task, prepared: Path, root: Path, validate: Any) -> ValidationReport:
    """The demo's first network, but one that stops as soon as it has not gained for two epochs."""
    demo = task.presets["demo"].model_copy(update={"patience": 2})
    impatient = task.model_copy(update={"presets": {**task.presets, "demo": demo}})
    tracking = Tracking(f"sqlite:///{root / 'mlflow.db'}", artifact_root=str(root / "artifacts"))
    models = train_task(
        impatient, prepared=prepared, out=root / "checkpoints", preset="demo", seeds=(1,), tracking=tracking,
        resume=root / "resume", git_commit="a" * 40, git_dirty=False,
    )  # fmt: skip
    trained = SimpleNamespace(
        task=impatient, prepared=prepared, tracking=tracking, models=models, checkpoints=root / "checkpoints"
    )
    network, _ = validate(trained, root)
    return network


def measured(report: ValidationReport, name: str) -> MetricValue:
    return next(value for value in report.test.metrics if value.name == name)


def shuffle_labels(prepared: Path) -> None:
    """Training and tuning labels change films; the test set keeps the truth."""
    table = pq.read_table(prepared / "samples.parquet")
    labels, split = (np.array(table[name].to_pylist()) for name in ("label", "split"))
    learning = np.flatnonzero(split != Split.TEST)
    labels[learning] = labels[np.random.default_rng(11).permutation(learning)]
    column = table.schema.get_field_index("label")
    shuffled = table.set_column(column, table.schema.field(column), pa.array(labels, type=pa.int8()))
    pq.write_table(shuffled, prepared / "samples.parquet")
    version = DatasetVersion.model_validate_json((prepared / "dataset.json").read_bytes())
    renamed = version.model_copy(update={"digest": sha256_of((prepared / "samples.parquet").read_bytes())})
    (prepared / "dataset.json").write_text(renamed.model_dump_json())


def test_a_network_learns_from_the_phantom_but_not_all_and_nothing_from_shuffled_labels(
    task: Task, tmp_path: Path, validate_under_plan: Any
) -> None:
    source, prepared = get_source(task.substitute), tmp_path / "prepared"
    obtain(source, mirror=None, raw=tmp_path / "raw")
    prepare(source, raw=tmp_path / "raw", out=prepared)

    taught = train_and_validate(task, prepared, tmp_path / "taught", validate_under_plan)
    shuffle_labels(prepared)
    misled = train_and_validate(task, prepared, tmp_path / "misled", validate_under_plan)

    auroc = measured(taught, "auroc")
    assert 0.85 <= auroc.value <= 0.97, auroc
    assert auroc.interval[1] < 1
    assert taught.criteria_met, taught.criteria
    assert taught.explanation is not None
    assert taught.explanation.beats_chance, taught.explanation
    assert not misled.criteria_met, misled.criteria
    assert measured(misled, "auroc").interval[1] < task.accept[0].lower_bound
