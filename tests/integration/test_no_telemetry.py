"""No vendor calls home: each is imported and used beside the socket guard, which refuses and records every attempt."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra.environment import NO_TELEMETRY, process_environment

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
GUARD = ROOT / "tests/socket_guard"
# What silences a vendor without our doing: taken away, so that only our settings remain.
SILENCED_BY = {"CI", "PYTEST_CURRENT_TEST", "JENKINS_URL", *NO_TELEMETRY}

USES = {
    "mlflow": """
import mlflow
mlflow.set_tracking_uri("sqlite:///mlflow.db")
with mlflow.start_run():
    mlflow.log_metric("loss", 0.5)
""",
    "prefect": """
from prefect import flow
@flow
def nothing() -> int:
    return 1
assert nothing() == 1  # with a server of its own, on loopback
""",
    "bentoml": """
import bentoml
@bentoml.service
class Nothing:
    @bentoml.api
    def answer(self, text: str) -> str:
        return text
import bentoml.bentos
bentoml.bentos.list()
""",
    "evidently": """
import pandas as pd
from evidently import Report
from evidently.presets import DataSummaryPreset
frame = pd.DataFrame({"x": [1.0, 2.0, 3.0]})
Report([DataSummaryPreset()]).run(frame, frame)
""",
    "dvc": """
import subprocess, sys
subprocess.run([sys.executable, "-m", "dvc", "init", "--no-scm", "--quiet"], check=True)
subprocess.run([sys.executable, "-m", "dvc", "version"], check=True, capture_output=True)
""",
    "monai and torch": "import monai, torch; monai.networks.nets.DenseNet121(2, 1, 1)",
    "openvino": "import openvino; openvino.Core().available_devices",
    "nncf": """
import nncf, numpy as np
from onnx import TensorProto, helper, numpy_helper
shape = helper.make_tensor_value_info
node = helper.make_node("Conv", ["image", "kernel"], ["seen"], name="conv", kernel_shape=[3, 3])
kernel = numpy_helper.from_array(np.ones((1, 1, 3, 3), np.float32), "kernel")
graph = helper.make_graph(
    [node], "g", [shape("image", TensorProto.FLOAT, [1, 1, 8, 8])], [shape("seen", TensorProto.FLOAT, [1, 1, 6, 6])],
    [kernel],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
films = [np.ones((1, 1, 8, 8), np.float32)] * 4
nncf.quantize(model, nncf.Dataset(films, lambda film: {"image": film}), subset_size=4)
""",
}


def run(code: str, *, folder: Path, environment: dict[str, str]) -> tuple[subprocess.CompletedProcess[str], str]:
    """Run code beside the guard; the process and what the guard recorded."""
    log = folder / "attempts.log"
    inherited = {k: v for k, v in os.environ.items() if k not in SILENCED_BY}
    guarded = {"PYTHONPATH": str(GUARD), "SOCKET_GUARD_LOG": str(log), "HOME": str(folder)}
    finished = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder, env={**inherited, **environment, **guarded}, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    return finished, log.read_text() if log.exists() else ""


@pytest.mark.parametrize("vendor", USES)
def test_a_vendor_stays_on_this_machine(tmp_path: Path, vendor: str) -> None:
    finished, attempts = run(USES[vendor], folder=tmp_path, environment=process_environment(home=tmp_path, threads=1))
    assert finished.returncode == 0, finished.stderr
    assert attempts == ""


@pytest.mark.parametrize(
    ("code", "host"),
    [
        ("import socket; socket.create_connection(('192.0.2.1', 80), timeout=5)", "192.0.2.1"),
        ("import socket; socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 53))", "192.0.2.1"),
        ("import urllib.request; urllib.request.urlopen('http://fiducial.invalid/')", "fiducial.invalid"),
        ("import socket; socket.socket(socket.AF_INET6).connect(('2001:db8::1', 80))", "2001:db8::1"),
    ],
)
def test_the_guard_refuses_and_records_what_leaves(tmp_path: Path, code: str, host: str) -> None:
    finished, attempts = run(code, folder=tmp_path, environment={})
    assert finished.returncode != 0
    assert "socket guard" in finished.stderr
    assert host in attempts


def test_the_guard_reaches_child_processes(tmp_path: Path) -> None:
    child = "import socket; socket.create_connection(('192.0.2.1', 80), timeout=5)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    _, attempts = run(parent, folder=tmp_path, environment={})
    assert "192.0.2.1" in attempts


def test_the_guard_lets_loopback_pass(tmp_path: Path) -> None:
    code = """
import socket
listening = socket.create_server(("127.0.0.1", 0))
socket.create_connection(("localhost", listening.getsockname()[1]), timeout=5)
"""
    finished, attempts = run(code, folder=tmp_path, environment={})
    assert finished.returncode == 0, finished.stderr
    assert attempts == ""


def test_without_our_settings_a_vendor_would_call_home(tmp_path: Path) -> None:
    """The control: the settings do something, and the guard would have seen it."""
    _, attempts = run(USES["openvino"], folder=tmp_path, environment={})
    assert "getaddrinfo" in attempts
