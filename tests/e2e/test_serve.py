"""``fiducial serve`` on a fresh home: the demo classifier answers, the password is shown once, Ctrl-C ends it."""

import io
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

PROJECT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.servers]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("FIDUCIAL_")}
    with socket.socket() as api, socket.socket() as gateway:
        for probe in (api, gateway):
            probe.bind(("127.0.0.1", 0))
        ports = {"FIDUCIAL_API_PORT": api.getsockname()[1], "FIDUCIAL_GATEWAY_PORT": gateway.getsockname()[1]}
    return {**ours, "FIDUCIAL_HOME": str(tmp_path / "home"), **{name: str(port) for name, port in ports.items()}}


@contextmanager
def serving(environment: dict[str, str], printed: Path) -> Iterator[str]:
    """What the command prints once it serves; Ctrl-C ends it with exit code 0."""
    with printed.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "pipelines.cli", "serve"], cwd=PROJECT, env=environment, stdout=out, stderr=out
        )
    try:
        deadline = time.monotonic() + 120
        while "Serving. Press Ctrl-C to end." not in printed.read_text():
            assert process.poll() is None, printed.read_text()
            assert time.monotonic() < deadline, printed.read_text()
            time.sleep(0.2)
        yield printed.read_text()
    finally:
        process.send_signal(signal.SIGINT)
        code = process.wait(timeout=60)
    assert code == 0, printed.read_text()


def predict(environment: dict[str, str], file: Path) -> subprocess.CompletedProcess[str]:
    declared = ["--modality", "DX", "--body-part", "CHEST", "--view", "PA", "--age-years", "5", "--patient-id", "p1"]
    command = [sys.executable, "-m", "pipelines.cli", "predict", str(file), *declared]
    return subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=120)


def test_a_fresh_installation_serves_and_shows_its_password_once(environment: dict[str, str], tmp_path: Path) -> None:
    film, no_film = tmp_path / "film.png", tmp_path / "no-film.png"
    grey = np.random.default_rng(0).normal(120, 20, (240, 200)).clip(0, 255).astype(np.uint8)
    encoded = io.BytesIO()
    Image.fromarray(grey).save(encoded, "PNG")
    film.write_bytes(encoded.getvalue())
    no_film.write_text("not an image")

    with serving(environment, tmp_path / "first.txt") as first:
        answered, refused = predict(environment, film), predict(environment, no_film)
    with serving(environment, tmp_path / "second.txt") as second:
        pass

    password = (tmp_path / "home" / "secrets" / "clinician.password").read_text().strip()
    assert f"http://127.0.0.1:{environment['FIDUCIAL_API_PORT']}/" in first
    assert f"with the password {password} (shown once" in first
    assert password not in second
    assert answered.returncode == 0, answered.stderr
    assert re.search(r"^pr_\S+: .* DEMO, says nothing about a patient$", answered.stdout, re.MULTILINE)
    assert refused.returncode == 2
    assert refused.stderr.startswith("fiducial: ")
    assert refused.stderr.count("\n") == 1
