"""A small, easy phantom cohort, prepared as a dataset version, and one training on it that several tests look at."""

import io
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image

from data.phantoms.cohort import Cohort, Site, films
from data.prepare import counts_of
from data.sources import get_source
from domain.change_control import RegisteredPlan
from domain.dataset import DatasetVersion, Sample, Split
from domain.identifiers import sha256_of
from evidence.plan import read_plan
from evidence.record import ValidationReport
from infra.settings import Settings
from models.champion import lay_out
from models.checkpoints import TrainedModel
from models.planned import Planned
from models.plans import plan_file, read_file
from models.task import Task
from models.tasks import get_task
from models.tracking import Tracking
from models.training import train_task
from models.validation import Folders, validate_task
from pipelines.opening import Door
from pipelines.wiring import Offline

PATIENTS = {Split.TRAIN: 220, Split.TUNE: 70, Split.TEST: 90}
Prepare = Callable[..., Path]


def prepare_phantoms(out: Path, *, shuffled: bool = False) -> Path:
    """Plain opacities on small films, as the source that the folder is named after; with ``shuffled``, training and
    tuning labels say nothing.
    """
    site = Site(key="phantom-easy", share=1.0, contrast=(0.7, 1.0))
    cohort = Cohort(
        name="phantom_easy", patients=sum(PATIENTS.values()), size_px=96, prevalence=0.5, sites=(site,), copies=0,
        shared_films=0, re_exports=0,
    )  # fmt: skip
    by_patient = [split for split, n in PATIENTS.items() for _ in range(n)]
    rows, opacities, shard = [], [], b""
    for record, film in films(cohort):
        encoded = io.BytesIO()
        Image.fromarray(film).save(encoded, "PNG")
        data = encoded.getvalue()
        split = by_patient[int(record.patient_key[-4:])]
        sample = Sample(
            sample_id=record.sample_id, patient_key=record.patient_key, split=split, label=record.label,
            site=record.site, view_position=record.view_position, age_years=record.age_years, sex=record.sex,
            sha256=sha256_of(data), shard="00000.tar", offset=len(shard), length=len(data), rows=96, columns=96,
        )  # fmt: skip
        rows.append(sample)
        opacities += [{"sample_id": record.sample_id, **place.model_dump()} for place in record.opacities]
        shard += data
    if shuffled:
        rows = _with_shuffled_labels(rows)
    (out / "shards").mkdir(parents=True)
    (out / "shards" / "00000.tar").write_bytes(shard)
    pq.write_table(pa.Table.from_pylist([row.model_dump(mode="json") for row in rows]), out / "samples.parquet")
    pq.write_table(pa.Table.from_pylist(opacities), out / "opacities.parquet")
    version = DatasetVersion(
        source=out.name, distribution="generated", digest=sha256_of((out / "samples.parquet").read_bytes()),
        synthetic=True, counts=counts_of(rows), excluded={}, shards={"00000.tar": sha256_of(shard)},
    )  # fmt: skip
    (out / "dataset.json").write_text(version.model_dump_json())
    return out


def _with_shuffled_labels(rows: list[Sample]) -> list[Sample]:
    learning = [i for i, row in enumerate(rows) if row.split != Split.TEST]
    shuffled = np.random.default_rng(11).permutation(learning)
    labels = {i: rows[j].label for i, j in zip(learning, shuffled, strict=True)}
    return [row.model_copy(update={"label": labels.get(i, row.label)}) for i, row in enumerate(rows)]


@dataclass(frozen=True)
class Trained:
    """One finished training: where everything lies."""

    task: Task
    prepared: Path
    root: Path
    tracking: Tracking
    models: tuple[TrainedModel, ...]

    @property
    def checkpoints(self) -> Path:
        return self.root / "checkpoints"


@pytest.fixture(scope="session")
def task() -> Task:
    return get_task("chest_xray_pneumonia")


@pytest.fixture(scope="session")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepare_phantoms(tmp_path_factory.mktemp("phantoms") / "phantom_easy")


@pytest.fixture(scope="session")
def shuffled_phantoms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepare_phantoms(tmp_path_factory.mktemp("shuffled") / "phantom_easy", shuffled=True)


@pytest.fixture(scope="session")
def prepare() -> Prepare:
    """Prepares the cohort of these tests in another folder."""
    return prepare_phantoms


@pytest.fixture(scope="session")
def train(task: Task) -> Callable[..., Trained]:
    """Train with the preset ``smoke`` below a folder."""

    def run(prepared: Path, root: Path, *, seeds: tuple[int, ...] = (1,), commit: str = "a" * 40) -> Trained:
        tracking = Tracking(f"sqlite:///{root / 'mlflow.db'}", artifact_root=str(root / "artifacts"))
        models = train_task(
            task, prepared=prepared, out=root / "checkpoints", preset="smoke", seeds=seeds, tracking=tracking,
            resume=root / "resume", git_commit=commit, git_dirty=False,
        )  # fmt: skip
        return Trained(task, prepared, root, tracking, models)

    return run


class Validate(Protocol):
    """Validates a training below ``root``, under the task's own plan with some of it changed."""

    def __call__(
        self, trained: Trained, root: Path, *, external: Sequence[Path] = (), champion: Path | None = None,
        task: Task | None = None, prepared: Path | None = None, home: Offline | None = None, **changes: Any,
    ) -> tuple[ValidationReport, ...]: ...  # fmt: skip


@pytest.fixture(scope="session")
def validate_under_plan(tmp_path_factory: pytest.TempPathFactory) -> Validate:
    def run(
        trained: Trained, root: Path, *, external: Sequence[Path] = (), champion: Path | None = None,
        task: Task | None = None, prepared: Path | None = None, home: Offline | None = None, **changes: Any,
    ) -> tuple[ValidationReport, ...]:  # fmt: skip
        task = task or trained.task
        document = yaml.safe_load(read_file(plan_file(task.name))) | changes
        content = yaml.safe_dump(document, sort_keys=False)
        plan, sha256 = read_plan(content.encode(), task=task.name)
        installation = home or Offline(Settings(home=root / "home"))
        registered = RegisteredPlan(
            task=task.name, sha256=sha256, content=content, registered_by="Engineer", registered_at=datetime.now(UTC)
        )
        with installation.database.unit_of_work(installation.tenant) as work:
            registered = work.plans.register(registered)
        if champion is None:
            champion = tmp_path_factory.mktemp("champion") / task.name
            lay_out(champion, None, None)
        prepared = prepared or trained.prepared
        card = get_source("phantom_chest").card.model_copy(
            update={"name": prepared.name, "known_flaws": ("Invented.",)}
        )
        return validate_task(
            task,
            planned=Planned(
                plan, registered, Door(root=installation, plan=registered, by="Engineer", purpose="validation")
            ),
            folders=Folders(
                prepared=prepared, external=external, champion=champion, checkpoints=trained.checkpoints,
                reports=root / "reports", predictions=root / "predictions",
            ),
            tracking=trained.tracking,
            cards={prepared.name: card},
        )  # fmt: skip

    return run


@pytest.fixture(scope="session")
def trained(
    train: Callable[..., Trained], phantoms: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Trained]:
    """A network of seed 1 and the baseline, trained once for all tests that only look."""
    logging.getLogger("alembic").setLevel(logging.WARNING)
    yield train(phantoms, tmp_path_factory.mktemp("trained"))
