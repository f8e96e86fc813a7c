"""A process without a port is well as long as its loop turns: it beats, and the health check looks."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from domain.identifiers import DEFAULT_TENANT
from domain.level import LEVELS, LevelName
from imaging.limits import Limits
from infra.db.session import Database
from infra.heartbeat import Heartbeat
from infra.objects import ObjectStore
from serving.gateway_client import GatewayClient
from serving.supervisor import Supervisor
from serving.watch import Watch
from serving.worker import Worker

HEALTH_CHECK = Path(__file__).parents[3] / "deploy/images/healthcheck.py"
Loop = Worker | Watch | Supervisor


def is_well(asked: str) -> bool:
    return subprocess.run([sys.executable, HEALTH_CHECK, asked], stderr=subprocess.DEVNULL).returncode == 0


@pytest.fixture
def heartbeat(tmp_path: Path) -> Heartbeat:
    return Heartbeat(tmp_path / "heartbeats", "loop")


@pytest.fixture(params=["worker", "watch", "services"])
def loop(
    request: pytest.FixtureRequest, database: Database, objects: ObjectStore, heartbeat: Heartbeat, tmp_path: Path
) -> Loop:
    if request.param == "worker":
        gateway = GatewayClient(httpx.Client(base_url="http://nobody"))
        return Worker(DEFAULT_TENANT, database, objects, gateway, Limits(), heartbeat=heartbeat.beat)
    if request.param == "watch":
        return Watch(DEFAULT_TENANT, database, tmp_path, LEVELS[LevelName.STARTER], heartbeat=heartbeat.beat)
    return Supervisor(
        DEFAULT_TENANT, database, {}, scratch=tmp_path, first_port=0, demo_allowed=False, heartbeat=heartbeat.beat
    )


def test_the_file_is_touched_as_long_as_the_loop_turns(loop: Loop, heartbeat: Heartbeat) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=loop.run, args=(stop,))
    thread.start()
    deadline = time.monotonic() + 10
    while not heartbeat.path.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    os.utime(heartbeat.path, (0, 0))
    while not heartbeat.path.stat().st_mtime and time.monotonic() < deadline:
        time.sleep(0.01)
    stop.set()
    thread.join()
    assert time.time() - heartbeat.path.stat().st_mtime < 10


def test_beats_are_written_once_a_second(heartbeat: Heartbeat) -> None:
    now = 0.0
    heartbeat.clock = lambda: now
    heartbeat.beat()
    os.utime(heartbeat.path, (0, 0))
    now = 0.9
    heartbeat.beat()
    assert heartbeat.path.stat().st_mtime == 0
    now = 1.0
    heartbeat.beat()
    assert heartbeat.path.stat().st_mtime > 0


def test_a_beat_that_cannot_be_written_ends_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    Heartbeat(tmp_path / "file" / "folder", "loop").beat()


@pytest.mark.parametrize(("seconds", "well"), [(5, True), (300, False)])
def test_the_health_check_sees_how_old_the_file_is(seconds: int, well: bool, heartbeat: Heartbeat) -> None:
    heartbeat.beat()
    os.utime(heartbeat.path, (time.time() - seconds,) * 2)
    assert is_well(f"{heartbeat.folder}/loop-{{host}}") is well


def test_a_loop_that_has_never_turned_is_not_well(tmp_path: Path) -> None:
    assert not is_well(f"{tmp_path}/loop-{{host}}")


@pytest.fixture
def answering() -> Any:
    """Starts a server that answers everything with one status; gives its address."""
    servers: list[HTTPServer] = []

    def start(status: int) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(status)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                return

        servers.append(HTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}/readyz"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(("status", "well"), [(200, True), (503, False)])
def test_the_health_check_asks_an_address(status: int, well: bool, answering: Callable[[int], str]) -> None:
    assert is_well(answering(status)) is well
