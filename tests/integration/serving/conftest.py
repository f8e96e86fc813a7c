"""The online side as real processes: Bentos of a tiny ONNX model, gateway, worker and facade, on free ports."""

import dataclasses
import io
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import onnx
import pytest
import yaml
from onnx import TensorProto, helper
from PIL import Image

from domain.codes import PNEUMONIA
from domain.dataset import DatasetVersion
from domain.identifiers import DEFAULT_TENANT, Pseudonym, pseudonym_of, sha256_of
from domain.intended_use import IntendedUse
from domain.model_version import ModelManifest, OperatingPoint, ReferenceAnswer
from domain.preprocessing import Preprocessing
from domain.traffic import Challenger, Role, TrafficPolicy, assign
from infra.clock import now
from infra.db.session import Database
from infra.environment import NO_TELEMETRY
from infra.secrets import Secrets
from models.inference import Scorer
from models.packaging import CODE, SERVICE
from models.uncertainty import UNCERTAINTY_FILE
from models.uncertainty_fit import conformal_sets, limit_of, whiten

ROOT = Path(__file__).parents[3]
TASK = "chest"
SIZE_PX = 32
PREPROCESSING = Preprocessing(size_px=SIZE_PX)
FIELDS = {"patient_id": "P-1", "modality": "DX", "body_part_examined": "CHEST", "view_position": "PA", "age_years": "4"}


def free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def wait_until(condition: Callable[[], Any], *, within_s: float = 120.0, what: str, log: Path | None = None) -> Any:
    """What the condition says once it is true; else the end of the log."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"{what} did not come within {within_s:g} s: {log.read_text()[-3000:] if log else ''}")


def tiny_model(bias: float) -> bytes:
    """An ONNX model: probability = logistic(mean + bias), the map is the image averaged over 8 × 8 blocks."""
    n = "n"
    nodes = [
        helper.make_node("GlobalAveragePool", ["image"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"], axis=1),
        helper.make_node("Add", ["flat", "bias"], ["logit"]),
        helper.make_node("Sigmoid", ["logit"], ["sigmoid"]),
        helper.make_node("Reshape", ["sigmoid", "vector"], ["probability"]),
        helper.make_node("AveragePool", ["image"], ["blocks"], kernel_shape=[8, 8], strides=[8, 8]),
        helper.make_node("Squeeze", ["blocks", "channel"], ["activation_map"]),
        helper.make_node("Identity", ["flat"], ["embedding"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [n, 1, SIZE_PX, SIZE_PX])],
        [
            helper.make_tensor_value_info("probability", TensorProto.FLOAT, [n]),
            helper.make_tensor_value_info("activation_map", TensorProto.FLOAT, [n, 4, 4]),
            helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [n, 1]),
        ],
        [
            helper.make_tensor("bias", TensorProto.FLOAT, [1], [bias]),
            helper.make_tensor("vector", TensorProto.INT64, [1], [-1]),
            helper.make_tensor("channel", TensorProto.INT64, [1], [1]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content


def film_pixels(seed: int, *, rows: int = 240, columns: int = 200) -> np.ndarray:
    """Bands and grain; the seed makes the difference."""
    y, x = np.mgrid[0:rows, 0:columns]
    grain = np.random.default_rng(seed).normal(0, 6, (rows, columns))
    return np.clip(120 + 60 * np.sin(x / 31 + seed) + 40 * np.cos(y / 47) + grain, 0, 255).astype(np.uint8)


def manifest_of(version: int, *, model: bytes, pixels: np.ndarray) -> ModelManifest:
    """The manifest of a tiny model, with one recorded answer."""
    probability = Scorer(model, preprocessing=PREPROCESSING, engine="onnxruntime").score([pixels])[0].probability
    return ModelManifest(
        task=TASK, title="Tiny test model", version=version, variant=f"network-seed{version}", demo=False,
        intended_use=IntendedUse(
            statement="Tests only.", modalities=frozenset({"DX", "CR"}), body_parts=frozenset({"CHEST"}),
            view_positions=frozenset({"PA", "AP"}), min_age_years=0, max_age_years=18,
        ),
        finding=PNEUMONIA, preprocessing=PREPROCESSING,
        operating_point=OperatingPoint(threshold=0.5, rule="test", chosen_on="tune"), engine="onnxruntime",
        explains=True, parameters=1, weights_sha256=sha256_of(model), model_sha256=sha256_of(model),
        report_sha256=sha256_of(b"report"),
        dataset_version=DatasetVersion(
            source="tiny", distribution="generated", digest=sha256_of(b"data"), synthetic=True, counts={},
            excluded={}, shards={},
        ),
        run_id="run", git_commit="c" * 40, git_dirty=False, seed=version, performance=(), criteria=(),
        reference_answers=(ReferenceAnswer(file="reference-0.npy", probability=probability, tolerance=1e-3),),
        approver="demo",
    )  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Packaged:
    """A real Bento and the manifest in it."""

    manifest: ModelManifest
    bento: Path


def build_bento(
    version: int, *, bias: float, home: Path, files: Mapping[str, bytes] | None = None, **changes: Any
) -> Packaged:
    """Stage code, model and manifest, and have BentoML build it; with further files beside the model, and changes of
    the manifest.
    """
    staging = home / f"staging-{version}"
    for pattern in CODE:
        for source in ROOT.glob(pattern):
            target = staging / source.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
    pixels = np.random.default_rng(version).integers(0, 255, (50, 40), dtype=np.uint8)
    model = tiny_model(bias)
    manifest = manifest_of(version, model=model, pixels=pixels).model_copy(update=changes)
    folder = staging / "model"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(model)
    (folder / "manifest.json").write_text(manifest.model_dump_json())
    np.save(folder / "reference-0.npy", pixels)
    for name, content in (files or {}).items():
        (folder / name).write_bytes(content)
    build = {"service": SERVICE, "name": TASK, "include": ["domain/", "infra/", "models/", "serving/", "model/"],
             "python": {"packages": [], "lock_packages": False}}  # fmt: skip
    (staging / "bentofile.yaml").write_text(yaml.safe_dump(build))
    command = [sys.executable, "-m", "bentoml", "build", "--version", str(version), "--output", "tag", "."]
    environment = {**os.environ, **NO_TELEMETRY, "BENTOML_HOME": str(home)}
    environment.pop("PYTHONPATH", None)
    subprocess.run(command, cwd=staging, env=environment, check=True, capture_output=True, timeout=120)
    return Packaged(manifest, home / "bentos" / TASK / str(version))


@pytest.fixture(scope="session")
def bentos(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Packaged]:
    """Three versions; the higher the version, the higher its probabilities."""
    home = tmp_path_factory.mktemp("bentos")
    return {version: build_bento(version, bias=version - 2.0, home=home) for version in (1, 2, 3)}


@pytest.fixture(scope="session")
def judging(tmp_path_factory: pytest.TempPathFactory) -> Packaged:
    """A version that gives prediction sets, and abstains on films whose mean grey is not that of ``film``'s."""
    scorer = Scorer(tiny_model(0.0), preprocessing=PREPROCESSING, engine="onnxruntime")
    scores = scorer.score([film_pixels(seed) for seed in range(400)])
    embeddings = np.array([score.embedding for score in scores])
    whitening = whiten(embeddings[:200])
    parameters = whitening.to_bytes()
    limit = limit_of(whitening, embeddings[200:], parameters=parameters, quantile=0.995, fitted_on="films tune")
    probabilities = np.array([score.probability for score in scores])
    labels = (probabilities + np.random.default_rng(1).normal(0, 0.02, 400) > np.median(probabilities)).astype(np.int64)
    sets = conformal_sets(labels, probabilities, coverage=0.9, fitted_on="films tune")
    return build_bento(
        1, bias=0.0, home=tmp_path_factory.mktemp("judging"), files={UNCERTAINTY_FILE: parameters}, conformal=sets,
        out_of_distribution=limit,
    )  # fmt: skip


class Platform:
    """``python -m serving.wiring.platform`` in a home of its own, and what a test asks of it."""

    def __init__(self, home: Path, **settings: str) -> None:
        self.home = home
        api, gateway, services = free_ports(3)
        self.url, self.gateway_url = f"http://127.0.0.1:{api}", f"http://127.0.0.1:{gateway}"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("FIDUCIAL_")},
            "FIDUCIAL_HOME": str(home), "FIDUCIAL_API_PORT": str(api), "FIDUCIAL_GATEWAY_PORT": str(gateway),
            "FIDUCIAL_SERVICES_PORT": str(services), **settings,
        }  # fmt: skip
        url = settings.get("FIDUCIAL_DATABASE_URL", f"sqlite:///{home / 'platform.db'}")
        self.database = Database(url)
        self.database.migrate()
        self.secrets = Secrets(home / "secrets")
        self.log = home / "platform.log"
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self, root: str = "platform") -> subprocess.Popen[bytes]:
        """Start one composition root."""
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", f"serving.wiring.{root}"], cwd=ROOT, env=self.environment, stdout=log,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        self._processes.append(process)
        return process

    def stop(self) -> None:
        """End what was started."""
        for process in self._processes:
            process.send_signal(signal.SIGTERM)
        for process in self._processes:
            process.wait(timeout=30)
        self.database.close()

    def client(self) -> httpx.Client:
        """A signed-in client."""
        auth = ("clinician", self.secrets.password("clinician"))
        return httpx.Client(base_url=self.url, auth=auth, timeout=70, trust_env=False)

    def wait_ready(self) -> None:
        """Return once facade and gateway answer."""
        for url in (self.url, self.gateway_url):
            wait_until(lambda url=url: _answers(f"{url}/readyz"), what=url, log=self.log)

    def promote(
        self, bentos: Mapping[int, Packaged], *, champion: int, challenger: int | None = None, share: float = 0.0,
        shadow: int | None = None,
    ) -> TrafficPolicy:  # fmt: skip
        """Register the versions and put a policy in force."""
        with self.database.unit_of_work(DEFAULT_TENANT) as work:
            current = work.traffic.current(TASK)
            policy = TrafficPolicy(
                task=TASK, policy_version=1 + (current.policy_version if current else 0), champion=champion,
                challengers=(Challenger(version=challenger, share=share),) if challenger else (),
                shadows=(shadow,) if shadow else (),
            )  # fmt: skip
            for packaged in bentos.values():
                work.model_versions.add(packaged.manifest, str(packaged.bento))
            work.traffic.change(policy, by="test", why="test", at=now())
        return policy

    def wait_served(self, *versions: int) -> None:
        """Return once these versions, and only these, have an address."""
        wait_until(lambda: self.served() == set(versions), what=f"traffic for {versions}", log=self.log)

    def served(self, task: str = TASK) -> set[int]:
        """The versions that have an address."""
        with self.database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
            return {address.version for address in work.addresses.list() if address.task == task}

    def address(self, version: int) -> str:
        """Where a version listens."""
        with self.database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
            return next(a.url for a in work.addresses.list() if (a.task, a.version) == (TASK, version))

    def patient_with(self, role: Role, policy: TrafficPolicy, *, other_than: str = "") -> str:
        """A patient identifier that the policy assigns to a role."""
        for number in range(1000):
            patient_id = f"{role}-{number}"
            pseudonym: Pseudonym = pseudonym_of(patient_id, key=self.secrets.pseudonym_key, tenant=DEFAULT_TENANT)
            if assign(pseudonym, policy, key=self.secrets.routing_key).role is role and patient_id != other_than:
                return patient_id
        raise AssertionError("no such patient")


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2, trust_env=False).is_success
    except httpx.HTTPError:
        return False


def platforms(folder: Path) -> Iterator[Callable[..., Platform]]:
    """Makes platforms that are not started yet; all end when the iterator does."""
    made: list[Platform] = []

    def make(**settings: str) -> Platform:
        home = folder / f"home-{len(made)}"
        home.mkdir()
        made.append(Platform(home, **settings))
        return made[-1]

    yield make
    for platform in made:
        platform.stop()


@pytest.fixture
def new_platform(tmp_path: Path) -> Iterator[Callable[..., Platform]]:
    """Makes platforms that end with the test."""
    yield from platforms(tmp_path)


@pytest.fixture(scope="module")
def new_platforms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Platform]]:
    """Makes platforms that end with the module."""
    yield from platforms(tmp_path_factory.mktemp("platforms"))


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory, bentos: dict[int, Packaged]) -> Iterator[Platform]:
    """A running platform: version 1 champion, version 2 challenger for half of the patients, version 3 shadow."""
    platform = Platform(tmp_path_factory.mktemp("home"))
    platform.promote(bentos, champion=1, challenger=2, share=0.5, shadow=3)
    platform.start()
    platform.wait_ready()
    platform.wait_served(1, 2, 3)
    yield platform
    platform.stop()


@pytest.fixture
def film() -> Callable[..., bytes]:
    """Makes encoded films; the seed makes the difference."""

    def make(seed: int = 0, *, rows: int = 240, columns: int = 200, kind: str = "PNG") -> bytes:
        buffer = io.BytesIO()
        Image.fromarray(film_pixels(seed, rows=rows, columns=columns)).save(buffer, format=kind)
        return buffer.getvalue()

    return make


@pytest.fixture
def fields() -> dict[str, str]:
    """Declarations inside the intended use."""
    return dict(FIELDS)


@pytest.fixture
def eventually() -> Callable[..., Any]:
    """Waits for a condition."""
    return wait_until
