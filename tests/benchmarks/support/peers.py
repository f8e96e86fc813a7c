"""Other model servers with the same exported model, each in the best configuration we found for these cores."""

import base64
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tests.benchmarks.support import films, peer_environment
from tests.benchmarks.support.densenet import Exported
from tests.benchmarks.support.knobs import CORES, ROOT
from tests.benchmarks.support.load import Load
from tests.benchmarks.support.online import answers, free_ports, wait_until

JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Peer:
    """How to start a peer and how to ask it. Calls side by side × threads of a call = cores."""

    name: str
    program: str  # a file of tests/benchmarks/peers
    predict: str
    ready: str
    threads: int
    calls: int = 1
    workers: int = 1
    image_field: str = ""  # of the JSON document the film travels in; empty: the body is the PNG

    def body(self, png: bytes) -> bytes:
        """A film as this peer reads it."""
        if not self.image_field:
            return png
        image: Any = base64.b64encode(png).decode()
        return json.dumps({self.image_field: [image] if self.image_field == "instances" else image}).encode()

    @property
    def headers(self) -> Mapping[str, str]:
        return JSON if self.image_field else {"Content-Type": "image/png"}

    def command(self, port: int, folder: Path) -> Sequence[str]:
        """What starts it."""
        if self.program == "peer_mlflow.py":
            return [sys.executable, "-m", "mlflow", "models", "serve", "-m", str(saved_for_mlflow(folder)), "--port",
                    str(port), "--env-manager", "local", "--workers", str(self.workers)]  # fmt: skip
        return [str(peer_environment.python()), str(peer_environment.PEERS / self.program)]


FASTAPI = "plain FastAPI"
PEERS = (
    Peer(f"{FASTAPI}, calls side by side", "peer_fastapi.py", "/predict", "/ready", threads=1, calls=CORES),
    Peer(f"{FASTAPI}, one call on all cores", "peer_fastapi.py", "/predict", "/ready", threads=CORES),
    Peer("KServe", "peer_kserve.py", "/v1/models/film:predict", "/v2/health/ready", threads=1, calls=CORES),
    Peer("LitServe, one worker on all cores", "peer_litserve.py", "/predict", "/health", threads=CORES,
         image_field="image"),
    Peer("LitServe, workers side by side", "peer_litserve.py", "/predict", "/health", threads=1, workers=CORES,
         image_field="image"),
    Peer("mlflow models serve", "peer_mlflow.py", "/invocations", "/health", threads=1, workers=CORES,
         image_field="instances"),
)  # fmt: skip


@dataclass(frozen=True)
class Server:
    """A peer that runs."""

    peer: Peer
    url: str
    process: psutil.Process

    def load(self, folder: Path, **how: Any) -> Load:
        """Requests to it; ``folder`` is where its bodies are kept."""
        return Load(self.url + self.peer.predict, str(self.bodies(folder)), headers=self.peer.headers, **how)

    def bodies(self, folder: Path) -> Path:
        """The films as this peer reads them."""
        target = folder / self.peer.name.replace(" ", "-")
        if not target.exists():
            target.mkdir(parents=True)
            for number, film in enumerate(films.films(min(films.SIDES_PX))):
                (target / f"{number:03}").write_bytes(self.peer.body(films.png(film)))
        return target


@contextmanager
def running(peers: Sequence[Peer], model: Exported, folder: Path) -> Iterator[list[Server]]:
    """All peers, started one after the other."""
    (folder / "model.onnx").write_bytes(model.model)
    with ExitStack() as stack:
        yield [stack.enter_context(_running(peer, model.preprocessing.size_px, folder)) for peer in peers]


@contextmanager
def _running(peer: Peer, size_px: int, folder: Path) -> Iterator[Server]:
    (port,) = free_ports(1)
    log = folder / f"{peer.program}-{port}.log"
    environment = {
        **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        "PYTHONPATH": f"{ROOT}{os.pathsep}{peer_environment.PEERS}", "PEER_MODEL": str(folder / "model.onnx"),
        "PEER_SIZE_PX": str(size_px), "PEER_PORT": str(port), "PEER_THREADS": str(peer.threads),
        "PEER_CALLS": str(peer.calls), "PEER_WORKERS": str(peer.workers),
        # MLflow starts the uvicorn it finds there.
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }  # fmt: skip
    with log.open("wb") as output:
        process = subprocess.Popen(
            peer.command(port, folder), cwd=folder, env=environment, stdout=output, stderr=output,
            start_new_session=True,
        )  # fmt: skip
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: answers(url + peer.ready), what=peer.name, log=log)
        yield Server(peer, url, psutil.Process(process.pid))
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def saved_for_mlflow(folder: Path) -> Path:
    """The model in MLflow's format, saved by a process of its own: its code is imported as its file."""
    target = folder / "mlflow-model"
    program = (
        "import mlflow.pyfunc, sys; mlflow.pyfunc.save_model(sys.argv[1], python_model=sys.argv[2], "
        "pip_requirements=['mlflow'])"
    )
    source = str(peer_environment.PEERS / "peer_mlflow.py")
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{peer_environment.PEERS}"}
    if not target.exists():
        command = [sys.executable, "-c", program, str(target), source]
        subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, timeout=120)
    return target
