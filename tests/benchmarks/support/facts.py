"""What a figure belongs to: machine, versions, commit, how busy it was."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from tests.benchmarks.support.knobs import CORES, ROOT, ROUNDS, SECONDS

INSTRUCTIONS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8", "amx_bf16")
PACKAGES = ("torch", "onnxruntime", "openvino", "nncf", "bentoml")


def facts(command: str) -> str:
    """Two paragraphs to stand above a table."""
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    return (
        f"`{command}`\n\n"
        f"{_processor()}; {CORES} cores, {platform.system()} {platform.release()}, Python {platform.python_version()}; "
        f"{versions}; commit {_commit()}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC; load average {load} at the start; "
        f"{ROUNDS} rounds of {SECONDS:g} s, everything compared measured in turn in each.\n"
    )


def pytest_command(module: str) -> str:
    """How to repeat one benchmark."""
    return f"python -m pytest -s -m benchmark tests/benchmarks/{module}"


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    named = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    known = [name for name in INSTRUCTIONS if name in named.get("flags", "").split()]
    return f"{named.get('model name', platform.machine())} ({' '.join(known)})"


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty", "--exclude", "*"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
