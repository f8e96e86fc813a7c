"""The service in its own process makes the same bits of a received film as validation did."""

import io
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import yaml
from PIL import Image

from domain.dataset import DatasetVersion
from domain.identifiers import sha256_of
from domain.model_version import ModelManifest, OperatingPoint, ReferenceAnswer
from domain.prediction import ImageScore
from domain.preprocessing import Preprocessing
from imaging.limits import Limits
from imaging.radiograph import decode
from infra.environment import NO_TELEMETRY
from models.packaging import CODE, SERVICE
from models.tasks import get_task
from serving.gateway_client import npy_bytes

ROOT = Path(__file__).parents[3]
pytestmark = [pytest.mark.slow, pytest.mark.servers]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def manifest_of(seeing: bytes, spec: Preprocessing) -> ModelManifest:
    task = get_task("chest_xray_pneumonia")
    version = DatasetVersion(
        source="golden", distribution="generated", digest=sha256_of(b"golden"), synthetic=True, counts={}, excluded={},
        shards={},
    )  # fmt: skip
    return ModelManifest(
        task="golden", title="Golden", version=1, variant="network-seed1", demo=False, intended_use=task.intended_use,
        finding=task.finding, preprocessing=spec,
        operating_point=OperatingPoint(threshold=0.5, rule="test", chosen_on="tune"), engine="onnxruntime",
        explains=False, parameters=0, weights_sha256=sha256_of(seeing), model_sha256=sha256_of(seeing),
        report_sha256=sha256_of(b"report"), dataset_version=version, run_id="run", git_commit="c" * 40, git_dirty=False,
        seed=1, performance=(), criteria=(),
        reference_answers=(ReferenceAnswer(file="reference-0.npy", probability=0.5, tolerance=0.5),), approver="demo",
    )  # fmt: skip


def build_bento(home: Path, seeing: bytes, *, spec: Preprocessing, reference: np.ndarray) -> Path:
    """What packaging lays out, built by BentoML."""
    staging = home / "staging"
    for source in (found for part in CODE for found in ROOT.glob(part)):
        target = staging / source.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.read_bytes())
    (staging / "model").mkdir()
    (staging / "model" / "model.onnx").write_bytes(seeing)
    (staging / "model" / "manifest.json").write_text(manifest_of(seeing, spec).model_dump_json())
    np.save(staging / "model" / "reference-0.npy", reference)
    folders = [f"{name}/" for name in ("domain", "imaging", "infra", "models", "serving", "model")]
    build = {"service": SERVICE, "name": "golden", "include": folders,
             "python": {"packages": [], "lock_packages": False}}  # fmt: skip
    (staging / "bentofile.yaml").write_text(yaml.safe_dump(build))
    command = [sys.executable, "-m", "bentoml", "build", "--version", "1", "--output", "tag", "."]
    environment = {**os.environ, **NO_TELEMETRY, "BENTOML_HOME": str(home)}
    environment.pop("PYTHONPATH", None)
    subprocess.run(command, cwd=staging, env=environment, check=True, capture_output=True, timeout=120)
    return home / "bentos" / "golden" / "1"


@pytest.fixture(scope="module")
def service(
    seeing: bytes,
    spec: Preprocessing,
    grey_pattern: Callable[..., np.ndarray],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """The real service of that model in a process of its own, with nothing of the repository in reach."""
    home = tmp_path_factory.mktemp("golden")
    reference = grey_pattern(50, 40, seed=9, largest=255)
    bento, port = build_bento(home, seeing, spec=spec, reference=reference), free_port()
    environment = {**NO_TELEMETRY, "PATH": str(Path(sys.executable).parent), "HOME": str(home), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "bentoml", "serve", str(bento), "--host", "127.0.0.1", "--port", str(port)]
    log = home / "service.log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=home, env=environment, stdout=out, stderr=subprocess.STDOUT)
    url, deadline = f"http://127.0.0.1:{port}", time.monotonic() + 120
    try:
        while not _is_ready(url):
            assert process.poll() is None, log.read_text()[-2000:]
            assert time.monotonic() < deadline, log.read_text()[-2000:]
            time.sleep(0.2)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=30)


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=2, trust_env=False).is_success
    except httpx.HTTPError:
        return False


def as_png(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize("encode", [npy_bytes, as_png], ids=["npy", "PNG"])
def test_the_running_service_prepares_the_same_bits(
    encode: Callable[[np.ndarray], bytes],
    service: str,
    received: dict[str, bytes],
    golden: dict[str, str],
    digest: Callable[[Any], str],
) -> None:
    found = {}
    for name, data in received.items():
        body = encode(decode(data, limits=Limits()).pixels)
        answer = httpx.post(f"{service}/predict", content=body, timeout=30, trust_env=False).raise_for_status()
        found[name] = digest(ImageScore.model_validate_json(answer.content).embedding)
    assert found == golden
