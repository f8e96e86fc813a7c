"""Gateway and services as they run in an installation: supervisor, Bentos and gateway on free ports."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil

from domain.identifiers import DEFAULT_TENANT
from domain.traffic import TrafficPolicy
from infra.clock import now
from infra.db.session import Database
from tests.benchmarks.support.bentos import Packaged
from tests.benchmarks.support.knobs import ROOT
from tests.benchmarks.support.load import Load

TENANT_HEADER = {"X-Fiducial-Tenant": str(DEFAULT_TENANT)}
GATEWAY, SERVICES = "gateway", "services"


def free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def wait_until(condition: Callable[[], Any], *, what: str, log: Path, within_s: float = 180.0) -> Any:
    """What the condition says once it is true; else the end of the log."""
    deadline = time.monotonic() + within_s
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not come within {within_s:g} s: {log.read_text()[-3000:]}")
        time.sleep(0.1)
    return found


def answers(url: str) -> bool:
    """True when an address answers with success."""
    try:
        return httpx.get(url, timeout=2, trust_env=False).is_success
    except httpx.HTTPError:
        return False


class Online:
    """Composition roots in a home of their own, with the settings of an installation left as they are."""

    def __init__(self, home: Path, *, roots: Sequence[str]) -> None:
        facade, gateway, services = free_ports(3)
        self.gateway, self.facade = f"http://127.0.0.1:{gateway}", f"http://127.0.0.1:{facade}"
        self.database = Database(f"sqlite:///{home / 'platform.db'}")
        self.database.migrate()
        self.log = home / "online.log"
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("FIDUCIAL_")},
            "FIDUCIAL_HOME": str(home), "FIDUCIAL_API_PORT": str(facade), "FIDUCIAL_GATEWAY_PORT": str(gateway),
            "FIDUCIAL_SERVICES_PORT": str(services),
        }  # fmt: skip
        with self.log.open("ab") as log:
            self._roots = {
                root: subprocess.Popen(
                    [sys.executable, "-m", f"serving.wiring.{root}"], cwd=ROOT, env=environment, stdout=log,
                    stderr=subprocess.STDOUT, start_new_session=True,
                )
                for root in roots
            }  # fmt: skip
        for url in [self.gateway, *([self.facade] if "api" in roots else [])]:
            wait_until(lambda url=url: answers(f"{url}/readyz"), what=url, log=self.log)

    def register(self, *versions: Packaged) -> None:
        """Make versions known."""
        with self.database.unit_of_work(DEFAULT_TENANT) as work:
            for packaged in versions:
                work.model_versions.add(packaged.manifest, str(packaged.bento))

    def put_in_force(self, task: str, *, champion: int, **policy: Any) -> TrafficPolicy:
        """The next policy of a task."""
        with self.database.unit_of_work(DEFAULT_TENANT) as work:
            current = work.traffic.current(task)
            number = 1 + (current.policy_version if current else 0)
            wanted = TrafficPolicy(task=task, policy_version=number, champion=champion, **policy)
            work.traffic.change(wanted, by="benchmark", why="benchmark", at=now())
        return wanted

    def wait_served(self, task: str, *versions: int) -> None:
        """Return once these versions have an address, and the gateway has had the time to read it."""
        wait_until(
            lambda: all(self.address(task, version) for version in versions), what=f"{task} {versions}", log=self.log
        )
        time.sleep(1.5)

    def address(self, task: str, version: int) -> str:
        """Where a version listens; empty while it does not."""
        with self.database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
            return next((a.url for a in work.addresses.list() if (a.task, a.version) == (task, version)), "")

    def process(self, root: str) -> psutil.Process:
        """A composition root; the processes below it are its own."""
        return psutil.Process(self._roots[root].pid)

    def service(self, task: str, version: int) -> psutil.Process:
        """The process of one version; its workers are below it."""
        port = self.address(task, version).rsplit(":", 1)[1]
        return next(child for child in self.process(SERVICES).children() if port in child.cmdline())

    def shadow_calls(self, outcome: str) -> float:
        """How many shadow calls had an outcome so far."""
        figures = httpx.get(f"{self.gateway}/metrics", timeout=5, trust_env=False).text
        pattern = rf'^fiducial_gateway_shadow_calls_total{{[^}}]*outcome="{outcome}"[^}}]*}} (\S+)$'
        found = re.findall(pattern, figures, re.MULTILINE)
        return sum(float(value) for value in found)

    def predict_url(self, task: str) -> str:
        """Where the gateway takes a film of a task."""
        return f"{self.gateway}/v1/tasks/{task}/predict"

    def load(self, task: str, bodies: Path, **how: Any) -> Load:
        """Requests to the gateway, each of another patient."""
        return Load(self.predict_url(task), str(bodies), headers=TENANT_HEADER, identified=True, **how)

    def processes(self, task: str, *versions: int) -> dict[str, psutil.Process]:
        """The trees that answer a request of a task: the gateway, and the services of these versions."""
        services = {f"service {version}": self.service(task, version) for version in versions}
        return {"gateway": self.process(GATEWAY), **services}

    def stop(self) -> None:
        """End what was started."""
        for process in self._roots.values():
            process.send_signal(signal.SIGTERM)
        for process in self._roots.values():
            process.wait(timeout=60)
        self.database.close()


@contextmanager
def online(home: Path, *, roots: Sequence[str] = (GATEWAY, SERVICES)) -> Iterator[Online]:
    """Gateway and supervisor, and other roots where they are asked for; ended afterwards."""
    running = Online(home, roots=roots)
    try:
        yield running
    finally:
        running.stop()
