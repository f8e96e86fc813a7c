"""An installation with three versions of the task ``chest``, and patients whose answers are as the test says."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from domain.codes import PNEUMONIA
from domain.dataset import DatasetVersion
from domain.experiment import AlwaysValid, ArmRow, Declaration, Experiment, TrafficEvent
from domain.identifiers import DEFAULT_TENANT, PredictionId, Pseudonym, StudyId, StudyInstanceUID, sha256_of
from domain.intended_use import IntendedUse
from domain.level import LEVELS, LevelName
from domain.model_version import ModelManifest, OperatingPoint
from domain.preprocessing import Preprocessing
from domain.review import Review
from domain.study import Study
from domain.traffic import Challenger, Role, TrafficPolicy
from infra.db.session import Database
from serving.watch import Watch

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def manifest(version: int, **changes: Any) -> ModelManifest:
    facts: dict[str, Any] = {
        "task": "chest", "title": "Chest", "version": version, "variant": f"network-seed{version}", "demo": False,
        "intended_use": IntendedUse(
            statement="s", modalities=frozenset(), body_parts=frozenset(), view_positions=frozenset()
        ),
        "finding": PNEUMONIA, "preprocessing": Preprocessing(size_px=32),
        "operating_point": OperatingPoint(threshold=0.5, rule="test", chosen_on="tune"), "engine": "onnxruntime",
        "explains": True, "parameters": 1, "weights_sha256": sha256_of(b"w%d" % version),
        "model_sha256": sha256_of(b"m%d" % version), "report_sha256": sha256_of(b"r"),
        "dataset_version": DatasetVersion(
            source="s", distribution="d", digest=sha256_of(b"d"), synthetic=True, counts={}, excluded={}, shards={}
        ),
        "run_id": "run", "git_commit": "c" * 40, "git_dirty": False, "seed": 1, "performance": (), "criteria": (),
        "reference_answers": (), "approver": "Dr Ada",
    }  # fmt: skip
    return ModelManifest(**{**facts, **changes})


@dataclass
class Ward:
    """Policies are put in force, patients come, and time passes as the test says; a second for each patient."""

    database: Database
    home: Path
    clock: datetime = NOW
    patients: int = 0
    watch: Watch = field(init=False)

    def __post_init__(self) -> None:
        self.watch = self.new_watch()

    def new_watch(self, **changes: Any) -> Watch:
        """Another watch, that knows nothing of the first."""
        parts: dict[str, Any] = {
            "tenant": DEFAULT_TENANT, "database": self.database, "home": self.home, "level": LEVELS[LevelName.STARTER],
            "now": lambda: self.clock,
        }  # fmt: skip
        return Watch(**{**parts, **changes})

    def register(self, version: int, **changes: Any) -> Path:
        """A version whose Bento holds its model; the Bento's folder."""
        bento = self.home / "bentos" / str(version)
        (bento / "src" / "model").mkdir(parents=True)
        (bento / "src" / "model" / "model.onnx").write_bytes(b"m%d" % version)
        with self.database.unit_of_work(DEFAULT_TENANT) as work:
            work.model_versions.add(manifest(version, **changes), str(bento))
        return bento

    def serve(self, champion: int, **shares: float) -> TrafficPolicy:
        """The next policy: ``serve(1, v2=0.5)``."""
        self.clock += timedelta(minutes=1)
        with self.database.unit_of_work(DEFAULT_TENANT) as work:
            current = work.traffic.current("chest")
            policy = TrafficPolicy(
                task="chest", policy_version=current.policy_version + 1 if current else 1, champion=champion,
                challengers=tuple(Challenger(version=int(name[1:]), share=share) for name, share in shares.items()),
            )  # fmt: skip
            work.traffic.change(policy, by="Dr Bo", why="w", at=self.clock)
        self.clock += timedelta(seconds=1)
        return policy

    def row(self, version: int, **changes: Any) -> ArmRow:
        """What a new patient whom the version had to answer was told."""
        self.patients += 1
        self.clock += timedelta(seconds=1)
        policy = self.policy
        facts: dict[str, Any] = {
            "task": "chest", "prediction_id": PredictionId(f"pr_{self.patients}"),
            "study_id": StudyId(f"st_{self.patients}"), "patient": Pseudonym(f"{self.patients:032x}"),
            "assigned": version, "answered": version, "policy_version": policy.policy_version,
            "role": Role.CHAMPION if version == policy.champion else Role.CHALLENGER, "outcome": "done",
            "probability": 0.2, "finding_present": False, "seconds": 0.1, "recorded_at": self.clock,
        }  # fmt: skip
        return ArmRow(**{**facts, **changes})

    def answer(self, version: int, n: int, **changes: Any) -> list[ArmRow]:
        """New patients, each answered by the version, or not, as ``changes`` say."""
        with self.database.unit_of_work(DEFAULT_TENANT) as work:
            return [work.arm_rows.add(self.row(version, **changes)) for _ in range(n)]

    def review(self, rows: list[ArmRow], *, agrees: bool) -> None:
        """A clinician's word on each study."""
        with self.database.unit_of_work(DEFAULT_TENANT) as work:
            for row in rows:
                uid = StudyInstanceUID(f"1.2.{row.study_id[3:]}")
                study = Study(
                    study_id=row.study_id, study_instance_uid=uid, patient=row.patient, received_at=row.recorded_at,
                    instances=(),
                )  # fmt: skip
                work.studies.add(study)
                present = bool(row.finding_present) is agrees
                work.reviews.add(
                    Review(study_id=row.study_id, task="chest", source="review", finding_present=present, by="ada",
                           at=row.recorded_at + timedelta(seconds=1))
                )  # fmt: skip

    def declare(self, **changes: Any) -> Experiment:
        """A comparison of versions 1 and 2 by agreement with the reviews."""
        facts: dict[str, Any] = {
            "task": "chest", "champion": 1, "challenger": 2, "endpoint": "agreement", "max_patients": 400,
            "design": AlwaysValid(),
        }  # fmt: skip
        experiment = Experiment(
            experiment_id="ex_1", declaration=Declaration(**{**facts, **changes}), declared_by="ada", why="w",
            declared_at=self.clock,
        )  # fmt: skip
        with self.database.unit_of_work(DEFAULT_TENANT) as work:
            work.experiments.add(experiment)
        return experiment

    @property
    def policy(self) -> TrafficPolicy:
        with self.database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
            policy = work.traffic.current("chest")
        assert policy is not None
        return policy

    @property
    def events(self) -> tuple[TrafficEvent, ...]:
        with self.database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
            return work.traffic_events.list("chest")

    @property
    def alarms(self) -> list[dict[str, Any]]:
        file = self.home / "alarms" / "traffic.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def audited(self, entity: str) -> list[tuple[str, str, str]]:
        with self.database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
            return [(one.action.value, one.agent, one.outcome) for one in work.audit.of(entity)]


@pytest.fixture
def ward(database: Database, tmp_path: Path) -> Ward:
    """Versions 1, 2 and 3 on each database in turn; nobody serves yet."""
    made = Ward(database, tmp_path)
    for version in (1, 2, 3):
        made.register(version)
    return made
