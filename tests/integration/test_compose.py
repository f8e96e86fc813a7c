"""The commands of compose.yaml, started as processes on this machine: the same words, other ports and folders."""

import base64
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import yaml
from PIL import Image

pytestmark = [pytest.mark.servers, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
HEALTH_CHECK = ROOT / "deploy/images/healthcheck.py"
PORTS = {
    "8000": "FIDUCIAL_API_PORT",
    "8010": "FIDUCIAL_GATEWAY_PORT",
    "5000": "",
    "4200": "",
    "8080": "PREFECT_WORKER_WEBSERVER_PORT",
}
READY_WITHIN_S = 120
LOGGED_RUN = """
from pipelines.wiring import offline
tracking = offline().tracking
run = tracking.start(experiment="compose", name="one", tags={})
tracking.client.log_text(run, "logged", "note.txt")
print(run)
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Host:
    """Where the parts of the compose file live on this machine."""

    home: Path
    ports: Mapping[str, int]
    database_url: str

    def here(self, text: str) -> str:
        """A word of the compose file, moved to this machine."""
        text = re.sub(r"^postgresql\+psycopg://.*", self.database_url, text)
        text = text.replace("/var/lib/fiducial", str(self.home)).replace("0.0.0.0", "127.0.0.1")  # noqa: S104
        text = re.sub(r"//(?:facade|gateway|mlflow|prefect):", "//127.0.0.1:", text)
        for port, moved in self.ports.items():
            text = re.sub(rf"(?<!\d){port}(?!\d)", str(moved), text)
        return text

    def environment(self, service: Mapping[str, Any]) -> dict[str, str]:
        moved = {name: str(self.ports[port]) for port, name in PORTS.items() if name}
        stated = {name: self.here(str(value)) for name, value in service["environment"].items()}
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("FIDUCIAL_")}
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        return {**inherited, **stated, **moved, "FIDUCIAL_SERVICES_PORT": "0", "PATH": path, "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    text = (ROOT / "compose.yaml").read_text()
    filled = re.sub(r"\$\{\w+(?::-([^}]*))?[^}]*\}", lambda found: found.group(1) or "secret", text)
    loaded: dict[str, dict[str, Any]] = yaml.safe_load(filled)["services"]
    return loaded


@pytest.fixture
def host(tmp_path: Path, new_postgresql_url: str) -> Host:
    return Host(home=tmp_path, ports={port: free_port() for port in PORTS}, database_url=new_postgresql_url)


@contextmanager
def started(name: str, service: Mapping[str, Any], host: Host) -> Iterator[subprocess.Popen[bytes]]:
    """The service's own command as a process; ready, where it says how that is asked; ended with the block."""
    log = host.home / f"{name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [host.here(word) for word in service["command"]],
            cwd=ROOT, env=host.environment(service), stdin=subprocess.DEVNULL, stdout=output, stderr=output,
        )  # fmt: skip
    try:
        wait_until_well(name, service, host, process)
        yield process
    finally:
        process.terminate()
        process.wait(timeout=30)


def wait_until_well(name: str, service: Mapping[str, Any], host: Host, process: subprocess.Popen[bytes]) -> None:
    check = service["healthcheck"].get("test")
    deadline = time.monotonic() + READY_WITHIN_S
    while check and subprocess.run([sys.executable, str(HEALTH_CHECK), host.here(check[-1])], stderr=-3).returncode:
        log = (host.home / f"{name}.log").read_text()
        assert process.poll() is None, f"{name} ended\n{log[-3000:]}"
        assert time.monotonic() < deadline, f"{name} is not well after {READY_WITHIN_S} s\n{log[-3000:]}"
        time.sleep(0.3)


def film() -> bytes:
    rows = np.linspace(40, 210, 256, dtype=np.uint8)
    stream = BytesIO()
    Image.fromarray(np.tile(rows[:, None], (1, 256))).save(stream, format="PNG")
    return stream.getvalue()


def signed_in(facade: str, home: Path) -> dict[str, str]:
    """A bearer token for the generated password: the compose file's level is enhanced."""
    password = (home / "secrets/clinician.password").read_text().strip()
    form = {"username": "clinician", "password": password}
    answer = httpx.post(f"{facade}/api/v1/token", data=form, trust_env=False).raise_for_status()
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


def test_facade_gateway_worker_and_services_answer_a_study(services: dict[str, dict[str, Any]], host: Host) -> None:
    facade = f"http://127.0.0.1:{host.ports['8000']}"
    declared = {"modality": "DX", "body_part_examined": "CHEST", "view_position": "PA", "patient_id": "4711"}
    with (
        started("facade", services["facade"], host),
        started("gateway", services["gateway"], host),
        started("worker", services["worker"], host),
        started("watch", services["watch"], host),
        started("services", services["services"], host),
    ):
        answer = httpx.post(
            f"{facade}/api/v1/studies", params={"wait": 30}, headers=signed_in(facade, host.home), data=declared,
            files={"files": ("film.png", film(), "image/png")}, timeout=60, trust_env=False,
        )  # fmt: skip
    assert answer.status_code == 200, answer.text
    (prediction,) = answer.json()["predictions"]
    assert prediction["state"] == "done"
    assert prediction["demo"] is True


def test_nobody_is_let_in_without_a_token(services: dict[str, dict[str, Any]], host: Host) -> None:
    with started("facade", services["facade"], host):
        basic = {"Authorization": "Basic " + base64.b64encode(b"clinician:clinician").decode()}
        address = f"http://127.0.0.1:{host.ports['8000']}/api/v1/worklist"
        statuses = [httpx.get(address, headers=headers, trust_env=False).status_code for headers in ({}, basic)]
    assert statuses == [401, 401]


def test_mlflow_answers_to_its_own_names_only(services: dict[str, dict[str, Any]], host: Host) -> None:
    port = host.ports["5000"]
    address = f"http://127.0.0.1:{port}/api/2.0/mlflow/experiments/search?max_results=1"
    with started("mlflow", services["mlflow"], host):
        hosts = (f"mlflow:{port}", f"127.0.0.1:{port}", "attacker.example")
        statuses = [httpx.get(address, headers={"Host": h}, trust_env=False, timeout=30).status_code for h in hosts]
    assert statuses == [200, 200, 403]


def test_a_run_of_the_prefect_worker_is_on_the_mlflow_server_with_its_files(
    services: dict[str, dict[str, Any]], host: Host
) -> None:
    with started("mlflow", services["mlflow"], host):
        environment = host.environment(services["prefect-worker"])
        finished = subprocess.run(
            [sys.executable, "-c", LOGGED_RUN], cwd=ROOT, env=environment, capture_output=True, text=True
        )
        assert finished.returncode == 0, finished.stderr
        shown = {"run_uuid": finished.stdout.split()[-1], "path": "note.txt"}
        address = f"http://127.0.0.1:{host.ports['5000']}/get-artifact"
        answer = httpx.get(address, params=shown, trust_env=False, timeout=30)
    assert answer.text == "logged"


def test_the_prefect_worker_runs_what_it_has_registered(services: dict[str, dict[str, Any]], host: Host) -> None:
    port = host.ports["4200"]
    with (
        started("prefect", services["prefect"], host),
        started("prefect-worker", services["prefect-worker"], host),
        httpx.Client(base_url=f"http://127.0.0.1:{port}/api/", trust_env=False, timeout=30) as server,
    ):
        found = wait_for(lambda: server.post("deployments/filter", json={}).json(), many=3)
        by_flow = {deployment["entrypoint"].rpartition(".")[2]: deployment for deployment in found}
        assert {deployment["work_pool_name"] for deployment in found} == {"fiducial"}
        assert [schedule["schedule"]["cron"] for schedule in by_flow["watch"]["schedules"]] == ["0 3 * * *"]
        assert by_flow["retrain"]["schedules"] == []
        assert [schedule["schedule"]["cron"] for schedule in by_flow["reconcile"]["schedules"]] == ["*/5 * * * *"]
        queues = server.post("work_pools/fiducial/queues/filter", json={}).json()
        assert {queue["name"]: queue["concurrency_limit"] for queue in queues} == {"default": 1, "reconciling": 1}
        by_queue = {by_flow[name]["work_queue_name"] for name in ("watch", "retrain")}
        assert (by_queue, by_flow["reconcile"]["work_queue_name"]) == ({"default"}, "reconciling")
        watched, reconciled = (state_of_a_run(by_flow[name], server) for name in ("watch", "reconcile"))
    assert (watched["type"], watched["name"]) == ("COMPLETED", "NothingToCompare"), watched
    assert "has no champion" in watched["message"]
    assert (reconciled["type"], reconciled["name"]) == ("COMPLETED", "NothingToCompare"), reconciled


def state_of_a_run(deployment: dict[str, Any], server: httpx.Client) -> dict[str, Any]:
    address = f"deployments/{deployment['id']}/create_flow_run"
    run = server.post(address, json={"state": {"type": "SCHEDULED"}}).raise_for_status().json()["id"]
    state: dict[str, Any] = wait_for(lambda: ended(server.get(f"flow_runs/{run}").json()["state"]))
    return state


def ended(state: dict[str, Any]) -> dict[str, Any]:
    return state if state["type"] in {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"} else {}


def wait_for(ask: Callable[[], Any], *, many: int = 1) -> Any:
    """The first answer with that many parts."""
    deadline = time.monotonic() + READY_WITHIN_S
    while len(answer := ask()) < many:
        assert time.monotonic() < deadline, answer
        time.sleep(0.5)
    return answer
