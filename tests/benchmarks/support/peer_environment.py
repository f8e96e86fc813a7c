"""The peers' own environment: never our lock, which they would pull in other directions."""

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.support.knobs import ROOT

PEERS = ROOT / "tests" / "benchmarks" / "peers"
REQUIREMENTS = PEERS / "requirements.txt"


def python() -> Path:
    """The interpreter of the peers' environment, made when first asked for.

    It is kept below ``FIDUCIAL_BENCH_CACHE``, else the system's temporary folder, and made again when its requirements
    change.
    """
    cache = Path(os.environ.get("FIDUCIAL_BENCH_CACHE", tempfile.gettempdir()))
    digest = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:12]
    environment = cache / f"fiducial-peers-{digest}"
    if not (environment / "complete").exists():
        run = {"check": True, "stdout": subprocess.DEVNULL}
        subprocess.run([sys.executable, "-m", "venv", "--clear", environment], **run)
        subprocess.run([environment / "bin" / "pip", "install", "-qq", "-r", REQUIREMENTS], **run)
        (environment / "complete").touch()
    return environment / "bin" / "python"
