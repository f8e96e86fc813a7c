"""An installation with three packaged versions of the task ``chest``, and a real MLflow registry that knows them."""

import logging
import os
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from domain.audit import AuditAction, AuditEvent
from domain.codes import PNEUMONIA
from domain.dataset import DatasetVersion
from domain.identifiers import sha256_of
from domain.intended_use import IntendedUse
from domain.model_version import ModelManifest, OperatingPoint
from domain.preprocessing import Preprocessing
from domain.traffic import Challenger, TrafficPolicy
from infra.db.session import UnitOfWork
from models.tracking import Tracking
from pipelines.wiring import Offline, configure, offline

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
VERSIONS = (1, 2, 3)


@pytest.fixture
def manifest() -> Callable[..., ModelManifest]:
    """Makes manifests of the task ``chest``."""

    def make(version: int, **changes: Any) -> ModelManifest:
        facts: dict[str, Any] = {
            "task": "chest", "title": "Chest", "version": version, "variant": f"network-seed{version}", "demo": False,
            "intended_use": IntendedUse(
                statement="s", modalities=frozenset(), body_parts=frozenset(), view_positions=frozenset()
            ),
            "finding": PNEUMONIA, "preprocessing": Preprocessing(size_px=32),
            "operating_point": OperatingPoint(threshold=version / 10, rule="test", chosen_on="tune"),
            "engine": "onnxruntime", "explains": True, "parameters": 1, "weights_sha256": sha256_of(b"w%d" % version),
            "model_sha256": sha256_of(b"m%d" % version), "report_sha256": sha256_of(b"r%d" % version),
            "dataset_version": DatasetVersion(
                source="phantom", distribution="generated", digest=sha256_of(b"d"), synthetic=True, counts={},
                excluded={}, shards={},
            ),
            "run_id": "run", "git_commit": "c" * 40, "git_dirty": False, "seed": 1, "performance": (), "criteria": (),
            "reference_answers": (), "approver": f"Dr {version}",
        }  # fmt: skip
        return ModelManifest(**{**facts, **changes})

    return make


@pytest.fixture
def record(manifest: Callable[..., ModelManifest], tmp_path: Path) -> Callable[..., None]:
    """Records the three versions and a policy for each champion named, an hour apart; their Bentos hold a model."""

    def write(work: UnitOfWork, *champions: int, **approvers: str) -> None:
        for version in VERSIONS:
            model = tmp_path / "bentos" / str(version) / "src" / "model" / "model.onnx"
            model.parent.mkdir(parents=True, exist_ok=True)
            model.write_bytes(b"m%d" % version)
            registered = manifest(version, approver=approvers.get(f"approver_{version}", f"Dr {version}"))
            (model.parent / "manifest.json").write_text(registered.model_dump_json())
            work.model_versions.add(registered, str(model.parents[2]))
        for number, champion in enumerate(champions, start=1):
            policy = TrafficPolicy(task="chest", policy_version=number, champion=champion)
            at = START + timedelta(hours=number - 1)
            work.traffic.change(policy, by=f"Dr {champion}", why=f"[bold]reason[/bold] {number}", at=at)
            work.audit.append(
                AuditEvent(
                    tenant=work.tenant, agent=f"Dr {champion}", action=AuditAction.TRAFFIC_CHANGED,
                    entity=f"chest policy {number}", outcome="success", recorded=at,
                )
            )  # fmt: skip

    return write


@pytest.fixture
def with_challenger() -> TrafficPolicy:
    """A second policy: version 2 answers, 3 for a fifth of patients, 1 is computed only."""
    return TrafficPolicy(
        task="chest", policy_version=2, champion=2, challengers=(Challenger(version=3, share=0.2),), shadows=(1,)
    )


@pytest.fixture(scope="session")
def registry_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow's own database with three versions of the registered model ``chest``, to copy: it takes seconds."""
    logging.getLogger("alembic").setLevel(logging.WARNING)
    folder = tmp_path_factory.mktemp("registry")
    client = Tracking(f"sqlite:///{folder / 'mlflow.db'}").client
    client.create_registered_model("chest")
    for _ in VERSIONS:
        client.create_model_version("chest", source=folder.as_uri())
    return folder / "mlflow.db"


@pytest.fixture
def settings() -> Iterator[Callable[..., Offline]]:
    """Settles settings for this process, until the test ends."""
    before, made = dict(os.environ), []

    def settle(**changes: str) -> Offline:
        made.append(configure(**changes))
        return made[-1]

    yield settle
    for root in made:
        root.database.close()
    os.environ.clear()
    os.environ.update(before)
    offline.cache_clear()


@pytest.fixture
def root(settings: Callable[..., Offline], database_url: str, registry_file: Path, tmp_path: Path) -> Offline:
    """An installation on each database in turn, with MLflow at hand."""
    (tmp_path / "home").mkdir()
    shutil.copy(registry_file, tmp_path / "mlflow.db")
    return settings(
        home=str(tmp_path / "home"), database_url=database_url, mlflow_uri=f"sqlite:///{tmp_path / 'mlflow.db'}"
    )


@pytest.fixture
def alone(settings: Callable[..., Offline], database_url: str, tmp_path: Path) -> Offline:
    """An installation on each database in turn whose MLflow and Prefect are stopped."""
    (tmp_path / "home").mkdir()
    stopped = "http://127.0.0.1:9"
    return settings(
        home=str(tmp_path / "home"), database_url=database_url, mlflow_uri=stopped, prefect_api_url=f"{stopped}/api"
    )
