"""Four trainings in one MLflow, and an installation in which they are validated by the real stage and promoted."""

import logging
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from domain.change_control import GateDecision, TestSetOpening
from domain.electronic_signature import ElectronicSignature
from domain.identifiers import Sha256, sha256_of
from domain.traffic import TrafficPolicy
from evidence.record import ValidationReport
from models import registry
from models.plans import PLANS, pccp_file
from models.task import Task
from models.tracking import Tracking
from models.training import train_task
from pipelines import bundles, plans, promotion, stages, validating, working_copy
from pipelines.wiring import PROJECT, Offline, configure, offline

TASK, SOURCE = "chest_xray_pneumonia", "phantom_chest"
STAGE = ["validate", TASK, "--source", SOURCE, "--external"]


@dataclass(frozen=True)
class Trainings:
    """Where each training lies, and the data it learnt from."""

    folder: Path
    tracking: Tracking

    def prepared(self, name: str) -> Path:
        return self.folder / ("shuffled" if name == "worse" else "plain") / SOURCE

    def checkpoints(self, name: str) -> Path:
        return self.folder / name / "checkpoints"


@dataclass(frozen=True)
class Installation:
    """An installation with a working copy, and what a person does in it."""

    root: Offline
    trainings: Trainings

    def lay(self, name: str) -> None:
        """What one training left takes the place of what was there, as after ``fiducial train``."""
        for kind, source, of in (
            ("prepared", self.trainings.prepared(name), SOURCE),
            ("checkpoints", self.trainings.checkpoints(name), TASK),
        ):
            shutil.rmtree(self.root.store(kind, of), ignore_errors=True)
            shutil.copytree(source, self.root.store(kind, of))

    def register(self) -> None:
        plans.register(TASK, by="Planner", root=self.root)

    def stage(self) -> int:
        """The exit code of the stage as DVC runs it, after what ``fiducial validate`` does before it."""
        validating.get_ready(TASK, by="Engineer", root=self.root)
        return self.stage_alone()

    def stage_alone(self) -> int:
        before = Path.cwd()
        os.chdir(self.root.copy)
        try:
            return stages.main(STAGE)
        finally:
            os.chdir(before)

    def validated(self, name: str) -> None:
        self.lay(name)
        assert self.stage() == 0

    def report_file(self, variant: str = "network-seed1") -> Path:
        return self.root.store("reports", TASK, variant, "report.json")

    def report(self, variant: str = "network-seed1") -> ValidationReport:
        return ValidationReport.model_validate_json(self.report_file(variant).read_bytes())

    def report_sha256(self) -> Sha256:
        return sha256_of(self.report_file().read_bytes())

    def signatures(self) -> tuple[ElectronicSignature, ...]:
        """Over the report of the first network as it lies there."""
        with self.root.database.unit_of_work(self.root.tenant, read_only=True) as work:
            return work.signatures.of(self.report_sha256())

    def in_force(self) -> TrafficPolicy | None:
        with self.root.database.unit_of_work(self.root.tenant, read_only=True) as work:
            return work.traffic.current(TASK)

    def decisions(self, *versions: int) -> tuple[GateDecision, ...]:
        with self.root.database.unit_of_work(self.root.tenant, read_only=True) as work:
            return tuple(
                decision for version in versions for decision in work.decisions.of_version(TASK, f"{TASK}@{version}")
            )

    def packaged(self) -> set[int]:
        """The versions that may ever have answered."""
        with self.root.database.unit_of_work(self.root.tenant, read_only=True) as work:
            return {one.manifest.version for one in work.model_versions.list(TASK)}

    def ledger(self) -> tuple[TestSetOpening, ...]:
        with self.root.database.unit_of_work(self.root.tenant, read_only=True) as work:
            return work.ledger.list(TASK)

    def audited(self, entity: str) -> list[tuple[str, str, str]]:
        """Action, agent and outcome of everything audited of an entity, oldest first."""
        with self.root.database.unit_of_work(self.root.tenant, read_only=True) as work:
            return [(event.action.value, event.agent, event.outcome) for event in work.audit.of(entity)]

    def written(self) -> dict[str, bytes]:
        """Every file that a validation could write, and the lines it could add."""
        folders = (self.root.store(kind) for kind in ("reports", "predictions"))
        files = (file for folder in folders for file in folder.rglob("*") if file.is_file())
        ledger = {f"line {line.number}": line.model_dump_json().encode() for line in self.ledger()}
        return ledger | {str(file): file.read_bytes() for file in files}


@pytest.fixture(scope="session")
def trainings(task: Task, prepare: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Trainings:
    """``first`` and ``second`` differ by seed; ``worse`` learnt shuffled labels; ``larger`` sees another input size."""
    logging.getLogger("alembic").setLevel(logging.WARNING)
    folder = tmp_path_factory.mktemp("trainings")
    made = Trainings(folder, Tracking(f"sqlite:///{folder / 'mlflow.db'}", artifact_root=str(folder / "artifacts")))
    smoke = task.preset("smoke")
    larger = smoke.model_copy(update={"preprocessing": smoke.preprocessing.model_copy(update={"size_px": 64})})
    commit = subprocess.run(
        ["git", "-C", str(PROJECT), "rev-parse", "HEAD"], check=True, capture_output=True, text=True
    ).stdout.strip()
    prepare(made.prepared("first"))
    prepare(made.prepared("worse"), shuffled=True)
    for name, seed, preset in (("first", 1, smoke), ("second", 2, smoke), ("worse", 1, smoke), ("larger", 1, larger)):
        train_task(
            task.model_copy(update={"presets": {**task.presets, "smoke": preset}}),
            prepared=made.prepared(name), out=made.checkpoints(name),
            preset="smoke", seeds=(seed,), tracking=made.tracking, resume=folder / name / "resume",
            git_commit=commit, git_dirty=False,
        )  # fmt: skip
    return made


@contextmanager
def opened(home: Path, trainings: Trainings) -> Iterator[Installation]:
    """The installation in a home, whose settings are this process's meanwhile."""
    before = dict(os.environ)
    root = configure(home=str(home), mlflow_uri=trainings.tracking.uri)
    try:
        yield Installation(root, trainings)
    finally:
        root.database.close()
        os.environ.clear()
        os.environ.update(before)
        offline.cache_clear()


@pytest.fixture(scope="session")
def trained_home(trainings: Trainings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("trained") / "home"
    with opened(home, trainings) as made:
        working_copy.refresh(made.root.copy, project=PROJECT)
        allow_small_cohorts(made.root)
        made.lay("first")
    return home


@pytest.fixture(scope="session")
def validated_home(trained_home: Path, trainings: Trainings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = shutil.copytree(trained_home, tmp_path_factory.mktemp("validated") / "home")
    with opened(home, trainings) as made:
        made.register()
        made.validated("first")
    return home


@pytest.fixture(scope="session")
def promoted_home(validated_home: Path, trainings: Trainings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = shutil.copytree(validated_home, tmp_path_factory.mktemp("promoted") / "home")
    with opened(home, trainings) as made:
        promotion.put_in_force(TASK, approver="Dr. First", root=made.root, why="the first")
    return home


@pytest.fixture(scope="session")
def first_bundle(promoted_home: Path, trainings: Trainings) -> bytes:
    """The evidence bundle of the champion; making it makes the installation's key, which every copy then has."""
    with opened(promoted_home, trainings) as made:
        champion = made.in_force()
        assert champion is not None
        return bundles.bundle_of(TASK, champion.champion, root=made.root)


@pytest.fixture
def installation(trained_home: Path, trainings: Trainings, tmp_path: Path) -> Iterator[Installation]:
    """With the first training laid out and nothing else: no plan is registered, nobody serves."""
    with opened(shutil.copytree(trained_home, tmp_path / "home"), trainings) as made:
        for alias in registry.ALIASES:
            registry.remove_alias(made.root.tracking, task=TASK, alias=alias)
        yield made


@pytest.fixture
def validated(validated_home: Path, trainings: Trainings, tmp_path: Path) -> Iterator[Installation]:
    """With a registered plan and the first training validated under it."""
    with opened(shutil.copytree(validated_home, tmp_path / "home"), trainings) as made:
        yield made


@pytest.fixture
def promoted(first_bundle: bytes, promoted_home: Path, trainings: Trainings, tmp_path: Path) -> Iterator[Installation]:
    """With the first training validated and, by Dr. First, in force."""
    with opened(shutil.copytree(promoted_home, tmp_path / "home"), trainings) as made:
        yield made


def allow_small_cohorts(root: Offline) -> None:
    file = pccp_file(TASK, folder=root.copy / PLANS)
    document = yaml.safe_load(file.read_bytes())
    document["modification_protocol"]["data"] |= {"min_training_samples": 1, "min_training_patients": 1}
    file.write_text(yaml.safe_dump(document))
