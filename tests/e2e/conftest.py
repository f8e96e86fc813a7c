"""``fiducial lifecycle run`` on a fresh home, then ``fiducial demo`` on the warm one, for every end-to-end test: real
servers, real training, nothing off loopback.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import httpx
import pytest

PROJECT = Path(__file__).resolve().parents[2]
READY = "Serving. Press Ctrl-C to end."
WITHIN_S = 1500


@dataclass(frozen=True)
class Demo:
    """A demo that serves, and the run before it that began with nothing."""

    home: Path
    first: subprocess.CompletedProcess[str]
    environment: dict[str, str]
    guard_log: Path
    output: str
    git_status_before: str

    @property
    def project(self) -> Path:
        return PROJECT

    def git_status(self) -> str:
        return git_status()

    def address(self, name: str) -> str:
        found = re.search(rf"^\s*{name}\s+(http://\S+)", self.output, re.MULTILINE)
        assert found, f"no address of {name} in:\n{self.output}"
        return found[1].rstrip("/")

    @cached_property
    def password(self) -> str:
        return (self.home / "secrets" / "clinician.password").read_text().strip()

    @cached_property
    def facade(self) -> httpx.Client:
        auth = ("clinician", self.password)
        return httpx.Client(base_url=self.address("upload page"), auth=auth, timeout=90, trust_env=False)

    def fiducial(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command beside the running demo, which may listen on other ports than the configured ones."""
        command = [sys.executable, "-m", "pipelines.cli", *arguments]
        environment = {**self.environment, "FIDUCIAL_API_PORT": self.address("upload page").rpartition(":")[2]}
        return subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=600)


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    home = tmp_path_factory.mktemp("fiducial") / "home"
    guard_log = home.parent / "off-loopback.log"
    environment = {
        **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        "FIDUCIAL_HOME": str(home),
        "PYTHONPATH": str(PROJECT / "tests" / "socket_guard"),
        "SOCKET_GUARD_LOG": str(guard_log),
        "COLUMNS": "160",
    }
    before = git_status()
    first = subprocess.run(
        [sys.executable, "-m", "pipelines.cli", "lifecycle", "run"],
        cwd=PROJECT, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, timeout=WITHIN_S,
    )  # fmt: skip
    assert first.returncode == 0, f"the main job ended with {first.returncode}:\n{first.stdout[-6000:]}"
    printed = home.parent / "demo.txt"
    with printed.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "pipelines.cli", "demo"],
            cwd=PROJECT, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            wait_until_serving(process, printed)
            served = Demo(home, first, environment, guard_log, printed.read_text(), before)
            with served.facade:
                yield served
        finally:
            process.send_signal(signal.SIGINT)
            code = process.wait(timeout=60)
    assert code == 0, f"the demo ended with {code}:\n{printed.read_text()[-3000:]}"


def wait_until_serving(process: subprocess.Popen[bytes], printed: Path) -> None:
    deadline = time.monotonic() + WITHIN_S
    while READY not in printed.read_text():
        assert process.poll() is None, f"the demo ended early:\n{printed.read_text()[-6000:]}"
        assert time.monotonic() < deadline, f"the demo takes too long:\n{printed.read_text()[-6000:]}"
        time.sleep(1)


def git_status() -> str:
    command = ["git", "status", "--porcelain"]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True).stdout
