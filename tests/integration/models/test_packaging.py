"""A Bento needs nothing of this tree: moved to an empty folder it serves what its manifest says."""

import io
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import models
from domain.errors import DigestMismatch
from evidence.sbom import installed
from models.inference import Classifier
from models.packaging import PackagedBento, build_bento

pytestmark = [pytest.mark.slow, pytest.mark.servers]
CODE_ROOT = Path(models.__file__).parents[1]


def package(trained: Any, root: Path, *, approver: str = "demo", variant: str = "network-seed1") -> PackagedBento:
    return build_bento(
        trained.task, variant=variant, version=1, approver=approver, checkpoints=trained.checkpoints,
        reports=root / "reports", code_root=CODE_ROOT, bento_home=root / "bentoml",
    )  # fmt: skip


@pytest.fixture(scope="module")
def root(trained: Any, validate_under_plan: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("packaged")
    validate_under_plan(trained, root)
    return root


@pytest.fixture(scope="module")
def bento(trained: Any, root: Path) -> PackagedBento:
    return package(trained, root)


@pytest.fixture
def moved(bento: PackagedBento, tmp_path: Path) -> Iterator[str]:
    """The address of the Bento, served from a copy in an empty folder with nothing of the tree on ``sys.path``."""
    copy = tmp_path / "moved"
    shutil.copytree(bento.path, copy)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {"BENTOML_HOME": str(tmp_path / "home")}
    command = [sys.executable, "-P", "-m", "bentoml", "serve", str(copy), "--host", "127.0.0.1", "--port", str(port)]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=log, stderr=log)
    try:
        _wait_until_ready(f"http://127.0.0.1:{port}", process, tmp_path / "log")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=30)


def _wait_until_ready(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + 120
    while time.monotonic() < until and process.poll() is None:
        try:
            urllib.request.urlopen(f"{address}/readyz", timeout=2).close()
        except (urllib.error.URLError, OSError):
            time.sleep(0.3)
        else:
            return
    raise AssertionError(log.read_text())


def test_a_moved_bento_serves_the_packaged_model(moved: str, bento: PackagedBento, trained: Any) -> None:
    classifier = Classifier.load(bento.path / "src" / "model")
    answer = bento.manifest.reference_answers[1]
    pixels = np.load(bento.path / "src" / "model" / answer.file)
    body = io.BytesIO()
    np.save(body, pixels)

    request = urllib.request.Request(f"{moved}/predict", body.getvalue(), {"Content-Type": "application/x-npy"})
    with urllib.request.urlopen(request, timeout=60) as response:
        score = json.load(response)

    assert score["probability"] == pytest.approx(answer.probability, abs=1e-4)
    assert np.shape(score["activation_map"]) == np.shape(classifier.score([pixels])[0].activation_map)


def test_the_manifest_names_every_byte_that_was_validated(bento: PackagedBento, trained: Any, root: Path) -> None:
    manifest, model = bento.manifest, trained.models[0]

    assert (manifest.weights_sha256, manifest.model_sha256) == (model.weights_sha256, model.model_sha256)
    assert manifest.run_id == model.run_id
    assert manifest.dataset_version == model.dataset_version
    assert manifest.operating_point == model.operating_point
    assert manifest.criteria
    assert manifest.approver == "demo"


def test_the_reference_answers_differ_from_each_other(bento: PackagedBento) -> None:
    probabilities = [answer.probability for answer in bento.manifest.reference_answers]

    assert len(set(probabilities)) == len(probabilities) == 3
    assert max(probabilities) - min(probabilities) > 10 * max(a.tolerance for a in bento.manifest.reference_answers)


def test_requirements_are_pinned_and_hold_no_training_library(bento: PackagedBento) -> None:
    requirements = (bento.path / "env" / "python" / "requirements.txt").read_text().split()

    assert all("==" in requirement for requirement in requirements)
    assert not {name.split("==")[0] for name in requirements} & {"torch", "monai", "mlflow", "scikit-learn"}


def test_no_code_beyond_what_serves_is_carried(bento: PackagedBento) -> None:
    carried = {path.relative_to(bento.path / "src").parts[0] for path in (bento.path / "src").rglob("*.py")}

    assert carried == {"domain", "infra", "models", "serving"}
    assert {path.name for path in (bento.path / "src" / "infra").iterdir()} == {"__init__.py", "lifetime.py"}
    assert not (bento.path / "src" / "models" / "training.py").exists()


def test_packaging_the_same_version_again_gives_the_same_bento(bento: PackagedBento, trained: Any, root: Path) -> None:
    assert package(trained, root) == bento


def test_a_version_never_changes(bento: PackagedBento, trained: Any, root: Path) -> None:
    with pytest.raises(DigestMismatch):
        package(trained, root, approver="somebody else")


def test_a_report_about_another_model_is_refused(trained: Any, root: Path, tmp_path: Path) -> None:
    shutil.copytree(root / "reports" / "baseline", tmp_path / "reports" / "network-seed1")

    with pytest.raises(DigestMismatch):
        package(trained, tmp_path)


def test_building_a_bento_installs_nothing(trained: Any, root: Path, tmp_path: Path) -> None:
    before = installed()
    shutil.copytree(root / "reports", tmp_path / "reports")
    package(trained, tmp_path)
    assert installed() == before
    assert "uv" in {one.name for one in before}, "BentoML would fetch it"
