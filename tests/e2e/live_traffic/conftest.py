"""A platform of real processes with four versions of a small model, one of them with its sign flipped."""

import io
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import onnx
import psutil
import pytest
import yaml
from onnx import TensorProto, helper
from PIL import Image

from domain.change_control import GateDecision
from domain.codes import PNEUMONIA
from domain.dataset import DatasetVersion
from domain.identifiers import DEFAULT_TENANT, Pseudonym, StudyId, pseudonym_of, sha256_of
from domain.intended_use import IntendedUse
from domain.model_version import ModelManifest, OperatingPoint, ReferenceAnswer
from domain.preprocessing import Preprocessing
from domain.traffic import Assignment, TrafficPolicy, assign
from infra import traffic_changes
from infra.clock import now
from infra.db.session import Database
from infra.environment import NO_TELEMETRY, process_environment
from infra.secrets import Secrets
from models.inference import Scorer
from models.packaging import CODE, SERVICE
from models.tracking import Tracking

PROJECT = Path(__file__).parents[3]
TASK = "chest"
SPEC = Preprocessing(size_px=32)
CHAMPION, GOOD, FLIPPED, SHADOW = 1, 2, 3, 4
DECLARED = {"modality": "DX", "body_part_examined": "CHEST", "view_position": "PA", "age_years": "4"}


def classifier(*, bias: float, flipped: bool = False) -> bytes:
    """probability = logistic(4 · mean of the input + bias); flipped, it answers 1 − that: all else is the same."""
    said = "sigmoid" if not flipped else "unlike"
    nodes = [
        helper.make_node("GlobalAveragePool", ["image"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["embedding"], axis=1),
        helper.make_node("Mul", ["embedding", "gain"], ["scaled"]),
        helper.make_node("Add", ["scaled", "bias"], ["logit"]),
        helper.make_node("Sigmoid", ["logit"], ["sigmoid"]),
        *([helper.make_node("Sub", ["one", "sigmoid"], ["unlike"])] if flipped else []),
        helper.make_node("Reshape", [said, "vector"], ["probability"]),
    ]
    side = SPEC.size_px
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 1, side, side])],
        [
            helper.make_tensor_value_info("probability", TensorProto.FLOAT, ["n"]),
            helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", 1]),
        ],
        [
            helper.make_tensor("gain", TensorProto.FLOAT, [1], [4.0]),
            helper.make_tensor("bias", TensorProto.FLOAT, [1], [bias]),
            *([helper.make_tensor("one", TensorProto.FLOAT, [1], [1.0])] if flipped else []),
            helper.make_tensor("vector", TensorProto.INT64, [1], [-1]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


MODELS = {
    CHAMPION: classifier(bias=0.0),
    GOOD: classifier(bias=0.1),
    FLIPPED: classifier(bias=0.0, flipped=True),
    SHADOW: classifier(bias=-0.1),
}


def film_of(number: int, *, finding: bool) -> bytes:
    """A film with much white where the finding is present and little where it is not; no two are alike."""
    draw = np.random.default_rng(number)
    white = draw.uniform(0.68, 0.85) if finding else draw.uniform(0.15, 0.32)
    pixels = np.where(draw.random((90, 80)) < white, 235, 20) + draw.integers(0, 20, (90, 80))
    out = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(out, "PNG")
    return out.getvalue()


def manifest_of(version: int, pixels: np.ndarray) -> ModelManifest:
    model = MODELS[version]
    answer = Scorer(model, preprocessing=SPEC, engine="onnxruntime").score([pixels])[0].probability
    return ModelManifest(
        task=TASK, title="Small test model", version=version, variant=f"network-seed{version}", demo=False,
        intended_use=IntendedUse(
            statement="Tests only.", modalities=frozenset({"DX"}), body_parts=frozenset({"CHEST"}),
            view_positions=frozenset({"PA"}), min_age_years=0, max_age_years=18,
        ),
        finding=PNEUMONIA, preprocessing=SPEC,
        operating_point=OperatingPoint(threshold=0.5, rule="test", chosen_on="tune"), engine="onnxruntime",
        explains=False, parameters=2, weights_sha256=sha256_of(model), model_sha256=sha256_of(model),
        report_sha256=sha256_of(b"report"),
        dataset_version=DatasetVersion(
            source="tiny", distribution="generated", digest=sha256_of(b"data"), synthetic=True, counts={}, excluded={},
            shards={},
        ),
        run_id="run", git_commit="c" * 40, git_dirty=False, seed=version, performance=(), criteria=(),
        reference_answers=(ReferenceAnswer(file="reference-0.npy", probability=answer, tolerance=1e-3),),
        approver="Dr Ada",
    )  # fmt: skip


def build_bento(version: int, home: Path) -> ModelManifest:
    """Stage code, model and manifest as packaging does, and have BentoML build it."""
    staging = home / f"staging-{version}"
    for source in (found for part in CODE for found in PROJECT.glob(part)):
        target = staging / source.relative_to(PROJECT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    pixels = np.random.default_rng(version).integers(0, 255, (50, 40), dtype=np.uint8)
    manifest = manifest_of(version, pixels)
    (staging / "model").mkdir()
    (staging / "model" / "model.onnx").write_bytes(MODELS[version])
    (staging / "model" / "manifest.json").write_text(manifest.model_dump_json())
    np.save(staging / "model" / "reference-0.npy", pixels)
    folders = sorted({f"{path.partition('/')[0]}/" for path in CODE} | {"model/"})
    build = {"service": SERVICE, "name": TASK, "include": folders, "python": {"packages": [], "lock_packages": False}}
    (staging / "bentofile.yaml").write_text(yaml.safe_dump(build))
    command = [sys.executable, "-m", "bentoml", "build", "--version", str(version), "--output", "tag", "."]
    environment = {**os.environ, **NO_TELEMETRY, "BENTOML_HOME": str(home)}
    environment.pop("PYTHONPATH", None)
    subprocess.run(command, cwd=staging, env=environment, check=True, capture_output=True, timeout=120)
    return manifest


@dataclass
class Sent:
    """One film sent through the facade, and what came back."""

    patient_id: str
    finding: bool
    study: dict[str, Any]
    answer: dict[str, Any]


@dataclass
class Drill:
    """The running platform, and what a test does with it."""

    home: Path
    environment: dict[str, str]
    url: str
    database: Database
    secrets: Secrets
    process: subprocess.Popen[bytes] | None = None
    numbers: Iterator[int] = field(default_factory=lambda: iter(range(1, 100_000)))

    @property
    def tracking(self) -> Tracking:
        return Tracking(f"sqlite:///{self.home / 'mlflow.db'}")

    def start(self) -> None:
        with (self.home / "platform.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "serving.wiring.platform"], cwd=PROJECT, env=self.environment, stdout=log,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        self.wait(lambda: self._answers("/readyz"), what="the facade")

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(timeout=60)
        self.database.close()

    def restart_gateway(self) -> None:
        """Kill the gateway outright; the platform starts it again."""
        assert self.process is not None
        (before,) = self._gateways()
        before.kill()
        self.wait(lambda: [one.pid for one in self._gateways()] not in ([], [before.pid]), what="another gateway")

    def _gateways(self) -> list[psutil.Process]:
        assert self.process is not None
        children = psutil.Process(self.process.pid).children(recursive=True)
        return [one for one in children if one.is_running() and "serving.wiring.gateway" in " ".join(_command(one))]

    def wait(self, condition: Callable[[], Any], *, what: str, within_s: float = 120.0) -> Any:
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            if found := condition():
                return found
            time.sleep(0.1)
        log = (self.home / "platform.log").read_text()
        raise AssertionError(f"{what} did not come within {within_s:g} s:\n{log[-3000:]}")

    def _answers(self, path: str) -> bool:
        try:
            return httpx.get(f"{self.url}{path}", timeout=2, trust_env=False).is_success
        except httpx.HTTPError:
            return False

    def policy(self) -> TrafficPolicy:
        with self.database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
            current = work.traffic.current(TASK)
        assert current is not None
        return current

    def change(self, *, challengers: dict[int, float], why: str) -> TrafficPolicy:
        """Put challengers with these shares in force beside champion and shadow; return once all of them serve."""
        with self.database.unit_of_work(DEFAULT_TENANT) as work:
            before = work.traffic.current(TASK)
            wanted = TrafficPolicy(
                task=TASK, policy_version=before.policy_version + 1 if before else 1, champion=CHAMPION,
                challengers=tuple({"version": version, "share": share} for version, share in challengers.items()),
                shadows=(SHADOW,),
            )  # fmt: skip
            return traffic_changes.change(work, wanted, by="Dr Ada", why=why, at=now())

    def wait_served(self, policy: TrafficPolicy) -> None:
        self.wait(lambda: set(policy.versions) <= self._served(), what=f"a service of each of {policy.versions}")
        time.sleep(1.5)  # the gateway's view is at most a second old

    def _served(self) -> set[int]:
        with self.database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
            return {one.version for one in work.addresses.list() if one.task == TASK}

    def assigned(self, patient_id: str, policy: TrafficPolicy) -> Assignment:
        """Who must answer for a patient, as the domain's rule says."""
        return assign(self.pseudonym(patient_id), policy, key=self.secrets.routing_key)

    def pseudonym(self, patient_id: str) -> Pseudonym:
        return pseudonym_of(patient_id, key=self.secrets.pseudonym_key, tenant=DEFAULT_TENANT)

    def client(self) -> httpx.Client:
        auth = ("clinician", self.secrets.password("clinician"))
        return httpx.Client(base_url=self.url, auth=auth, timeout=70, trust_env=False)

    def send(self, patients: Sequence[tuple[str, bool]], *, at_once: int = 4) -> list[Sent]:
        """A new film of each patient through the facade, a few at once; each waits for its answer."""
        with self.client() as client, ThreadPoolExecutor(at_once) as pool:
            return list(pool.map(lambda one: self._send(client, *one), patients))

    def _send(self, client: httpx.Client, patient_id: str, finding: bool) -> Sent:
        files = {"files": ("film.png", film_of(next(self.numbers), finding=finding))}
        fields = {**DECLARED, "patient_id": patient_id}
        response = client.post("/api/v1/studies", files=files, data=fields, params={"wait": 30})
        assert response.status_code == 200, response.text
        study = response.json()
        return Sent(patient_id, finding, study, study["predictions"][0])

    def fiducial(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "pipelines.cli", *arguments]
        return subprocess.run(
            command, cwd=PROJECT, env=self.environment, capture_output=True, text=True, timeout=120, check=False
        )

    def study_of(self, sent: Sent) -> StudyId:
        return StudyId(sent.study["study_id"])


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def decision(version: int) -> GateDecision:
    """The gate's word for a version: the flipped one has it too, since only live traffic can show this fault."""
    digest = sha256_of(b"plan")
    return GateDecision(
        task=TASK, model_version=f"{TASK}@{version}", variant=f"network-seed{version}", champion=None,
        verdict="promote", changes=(), checks=(), report_sha256=digest, plan_sha256=digest, pccp_sha256=digest,
        decided_by="Dr Ada", decided_at=now(), why="drill",
    )  # fmt: skip


@pytest.fixture(scope="session")
def drill(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drill]:
    """Four registered versions, all promoted by the gate; nothing serves yet."""
    home, bentos = tmp_path_factory.mktemp("drill"), tmp_path_factory.mktemp("drill-bentos")
    manifests = {version: build_bento(version, bentos) for version in MODELS}
    api, gateway, services = free_ports(3)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("FIDUCIAL_")},
        **process_environment(home=home, threads=1),
        "FIDUCIAL_HOME": str(home), "FIDUCIAL_API_PORT": str(api), "FIDUCIAL_GATEWAY_PORT": str(gateway),
        "FIDUCIAL_SERVICES_PORT": str(services), "COLUMNS": "160",
    }  # fmt: skip
    database = Database(f"sqlite:///{home / 'platform.db'}")
    database.migrate()
    made = Drill(home, environment, f"http://127.0.0.1:{api}", database, Secrets(home / "secrets"))
    client = made.tracking.client
    client.create_registered_model(TASK)
    with database.unit_of_work(DEFAULT_TENANT) as work:
        for version, manifest in manifests.items():
            client.create_model_version(TASK, source=home.as_uri())
            work.model_versions.add(manifest, str(bentos / "bentos" / TASK / str(version)))
            work.decisions.add(decision(version))
    try:
        yield made
    finally:
        made.stop()
