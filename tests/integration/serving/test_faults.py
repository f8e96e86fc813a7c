"""Faults under load: killed, stopped, altered, full. No wrong answer, nothing lost, and how long until all is well.

Each test prints its recovery time (``pytest -s``); the limits are generous, for the machine may be busy.
"""

import concurrent.futures
import functools
import io
import os
import shutil
import signal
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
import pytest
from sqlalchemy import event

from domain.errors import Unavailable
from domain.identifiers import DEFAULT_TENANT
from domain.prediction import RoutedScore
from domain.traffic import Challenger, TrafficPolicy
from infra.clock import now
from infra.db.session import Database
from infra.environment import process_environment
from models.inference import Classifier
from serving.demo import DEMO_TASK
from serving.gateway_client import npy_bytes
from serving.supervisor import Supervisor

pytestmark = [pytest.mark.slow, pytest.mark.servers]
FILM = npy_bytes(np.random.default_rng(5).integers(0, 255, (120, 100), dtype=np.uint8))
RECOVERED_WITHIN_S = 90.0


class Load:
    """Four callers, each asking for another patient every time, one after the other."""

    def __init__(self, url: str, task: str = "chest") -> None:
        self.answers: list[tuple[float, int, bytes]] = []
        self._url, self._stop = f"{url}/v1/tasks/{task}/predict", threading.Event()

    def ask(self, client: httpx.Client, number: int) -> None:
        headers = {
            "X-Fiducial-Tenant": DEFAULT_TENANT, "X-Fiducial-Patient": f"{number:032x}",
            "X-Fiducial-Prediction": f"pr_{number}",
        }  # fmt: skip
        try:
            answer = client.post(self._url, content=FILM, headers=headers)
            self.answers.append((time.monotonic(), answer.status_code, answer.content))
        except httpx.TransportError:
            self.answers.append((time.monotonic(), 0, b""))

    def _run(self, first: int) -> None:
        with httpx.Client(timeout=30, trust_env=False) as client:
            for number in range(first, first + 1_000_000):
                if self._stop.is_set():
                    return
                self.ask(client, number)
                time.sleep(0.01)

    @contextmanager
    def running(self) -> Iterator["Load"]:
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            callers = [pool.submit(self._run, first * 1_000_000) for first in range(4)]
            try:
                yield self
            finally:
                self._stop.set()
        for caller in callers:
            caller.result()

    @property
    def scores(self) -> list[RoutedScore]:
        return [RoutedScore.model_validate_json(content) for _, status, content in self.answers if status == 200]

    @property
    def problems(self) -> set[tuple[int, bytes]]:
        return {(status, content) for _, status, content in self.answers if status != 200}

    def is_well(self, *, after: float) -> bool:
        """Answered, several times, and nothing else since."""
        last = [status for at, status, _ in self.answers if at > after][-12:]
        return len(last) == 12 and set(last) == {200}


def expected_probabilities(bentos: dict[int, Any], film: bytes = FILM) -> dict[str, float]:

    pixels = np.load(io.BytesIO(film))
    return {
        packaged.manifest.model_version: Classifier.load(packaged.bento / "src" / "model")
        .score([pixels])[0]
        .probability
        for packaged in bentos.values()
    }


def require_right(load: Load, bentos: dict[int, Any]) -> None:
    """Each answer is that of the version it names."""
    expected = expected_probabilities(bentos)
    assert load.scores
    for routed in load.scores:
        assert routed.score.probability == pytest.approx(expected[routed.model_version], abs=1e-5)


def service_of(services: Any, platform: Any, version: int) -> psutil.Process:
    port = platform.address(version).rsplit(":", 1)[1]
    return next(child for child in psutil.Process(services.pid).children() if port in child.cmdline())


def told(capsys: pytest.CaptureFixture[str], what: str, seconds: float) -> None:
    with capsys.disabled():
        sys.stdout.write(f"\n{what}: {seconds:.1f} s\n")


@pytest.fixture
def started(bentos: dict[int, Any], new_platform: Callable[..., Any], eventually: Any) -> Any:
    """Gateway and services; version 1 champion, version 2 for half of the patients, version 3 shadow."""
    platform = new_platform()
    platform.promote(bentos, champion=1, challenger=2, share=0.5, shadow=3)
    platform.services, platform.gateway = platform.start("services"), platform.start("gateway")
    platform.wait_served(1, 2, 3)
    eventually(lambda: _answers(f"{platform.gateway_url}/readyz"), what="the gateway")
    return platform


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2, trust_env=False).is_success
    except httpx.HTTPError:
        return False


def test_a_challenger_that_is_killed_costs_no_request(
    started: Any, bentos: dict[int, Any], eventually: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    with Load(started.gateway_url).running() as load:
        eventually(lambda: load.is_well(after=0), what="answers")
        killed = time.monotonic()
        service_of(started.services, started, 2).kill()
        eventually(lambda: 2 not in started.served(), what="the address taken back")
        eventually(lambda: 2 in started.served(), what="the challenger's return", within_s=RECOVERED_WITHIN_S)
        back = time.monotonic()
        eventually(lambda: any(s.model_version == "chest@2" for s in load.scores[-20:]), what="its answers")
    told(capsys, "a challenger killed, back in traffic after", back - killed)
    assert load.problems == set()
    assert any(
        routed.fell_back and routed.assigned == 2 and routed.model_version == "chest@1" for routed in load.scores
    )
    require_right(load, bentos)


def test_a_champion_that_is_killed_is_a_named_error_until_it_is_back(
    started: Any, bentos: dict[int, Any], eventually: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    with Load(started.gateway_url).running() as load:
        eventually(lambda: load.is_well(after=0), what="answers")
        killed = time.monotonic()
        service_of(started.services, started, 1).kill()
        eventually(lambda: 1 not in started.served(), what="the address taken back")
        eventually(lambda: 1 in started.served(), what="the champion's return", within_s=RECOVERED_WITHIN_S)
        eventually(functools.partial(load.is_well, after=time.monotonic()), what="answers")
        well = time.monotonic()
    told(capsys, "a champion killed, all answered again after", well - killed)
    assert all(status == 503 and b"model-unavailable" in content for status, content in load.problems)
    require_right(load, bentos)


def test_a_service_that_hangs_is_found_killed_and_started_again(
    started: Any, bentos: dict[int, Any], eventually: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    with Load(started.gateway_url).running() as load:
        eventually(lambda: load.is_well(after=0), what="answers")
        tree = service_of(started.services, started, 2)
        stopped = [tree, *tree.children(recursive=True)]
        hung = time.monotonic()
        for process in stopped:
            process.send_signal(signal.SIGSTOP)
        eventually(lambda: 2 not in started.served(), what="the address taken back")
        found = time.monotonic()
        assert psutil.wait_procs(stopped, timeout=10)[1] == []
        eventually(lambda: 2 in started.served(), what="its return", within_s=RECOVERED_WITHIN_S)
        back = time.monotonic()
    told(capsys, "a challenger stopped, found after", found - hung)
    told(capsys, "and back in traffic after", back - hung)
    assert load.problems == set()
    require_right(load, bentos)


def test_a_gateway_that_is_killed_is_as_before_when_it_is_back(
    started: Any, bentos: dict[int, Any], eventually: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    load = Load(started.gateway_url)
    with httpx.Client(timeout=30, trust_env=False) as client:
        for number in range(20):
            load.ask(client, number)
    before = [(routed.model_version, routed.assigned) for routed in load.scores]
    started.gateway.kill()
    started.gateway.wait()
    killed = time.monotonic()
    started.gateway = started.start("gateway")
    eventually(lambda: _answers(f"{started.gateway_url}/readyz"), what="the gateway")
    told(capsys, "the gateway killed, ready again after", time.monotonic() - killed)
    load = Load(started.gateway_url)
    with httpx.Client(timeout=30, trust_env=False) as client:
        for number in range(20):
            load.ask(client, number)
    assert [(routed.model_version, routed.assigned) for routed in load.scores] == before
    assert {assigned for _, assigned in before} == {1, 2}
    require_right(load, bentos)


def test_weights_that_are_altered_while_they_serve_are_refused_at_the_restart(
    bentos: dict[int, Any], new_platform: Callable[..., Any], tmp_path: Path, eventually: Any
) -> None:
    platform = new_platform()
    copied = tmp_path / "copied"
    shutil.copytree(bentos[2].bento, copied)
    platform.promote(
        {1: bentos[1], 2: type(bentos[2])(bentos[2].manifest, copied)}, champion=1, challenger=2, share=0.5
    )
    services, _ = platform.start("services"), platform.start("gateway")
    platform.wait_served(1, 2)
    eventually(lambda: _answers(f"{platform.gateway_url}/readyz"), what="the gateway")
    model = copied / "src" / "model" / "model.onnx"
    model.write_bytes(model.read_bytes()[:-1] + b"\x00")
    with Load(platform.gateway_url).running() as load:
        service_of(services, platform, 2).kill()
        eventually(lambda: "digest-mismatch" in platform.log.read_text(), what="the refusal")
        eventually(lambda: load.is_well(after=time.monotonic() - 1.0), what="answers")
    assert platform.served() == {1}
    assert load.problems == set()
    require_right(load, bentos)


def test_policies_that_change_under_load_lose_nothing(
    started: Any, bentos: dict[int, Any], eventually: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also versions that leave a policy and come back: they finish what they were asked before they end."""
    turns = [
        {"champion": 2, "challengers": (Challenger(version=1, share=0.3),), "shadows": (3,)},
        {"champion": 1, "challengers": (Challenger(version=3, share=0.5),)},  # version 2 leaves
        {"champion": 3, "challengers": (Challenger(version=1, share=0.1),), "shadows": (2,)},  # and comes back
        {"champion": 1, "challengers": (Challenger(version=2, share=0.9),), "shadows": (3,)},
    ]
    late: list[float] = []
    with Load(started.gateway_url).running() as load:
        for number, turn in enumerate(turns, start=2):
            eventually(functools.partial(load.is_well, after=time.monotonic()), what="answers")
            with started.database.unit_of_work(DEFAULT_TENANT) as work:
                policy = TrafficPolicy(task="chest", policy_version=number, **turn)
                work.traffic.change(policy, by="test", why="test", at=now())
            changed = time.monotonic()
            eventually(
                lambda number=number: load.scores and load.scores[-1].policy_version == number, what="the new policy"
            )
            late.append(time.monotonic() - changed)
            time.sleep(1.5)
    told(capsys, "a policy in force at the latest after", max(late))
    assert load.problems == set()
    assert {routed.policy_version for routed in load.scores} == {1, 2, 3, 4, 5}
    require_right(load, bentos)


def test_a_version_that_leaves_the_policies_is_drained_before_it_ends(
    started: Any, bentos: dict[int, Any], eventually: Any
) -> None:
    address = started.address(2)
    started.promote(bentos, champion=1)
    eventually(lambda: started.served() == {1}, what="the addresses taken back")
    assert httpx.post(f"{address}/predict", content=FILM, timeout=10, trust_env=False).is_success
    eventually(lambda: not _answers(f"{address}/readyz"), what="its end", within_s=60)


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    database = Database(f"sqlite:///{tmp_path / 'platform.db'}")
    database.migrate()
    supervisor = Supervisor(
        tenant=DEFAULT_TENANT, database=database, environment=process_environment(home=tmp_path, threads=1),
        scratch=tmp_path / "scratch", first_port=0, demo_allowed=True, drain_s=0.0,
    )  # fmt: skip
    yield supervisor
    stop = threading.Event()
    stop.set()
    supervisor.run(stop)
    database.close()


def fill(database: Database) -> Callable[[], None]:
    """Let the database's file not grow any more, and fill its last page; gives how to take the limit away.

    This is SQLite's own answer to a full disk, without a disk to fill.
    """

    def limit(connection: sqlite3.Connection, _: object) -> None:
        connection.execute("PRAGMA max_page_count = 1")  # SQLite takes the present size where that is larger

    def lift() -> None:
        event.remove(database.engine, "connect", limit)
        database.close()

    event.listen(database.engine, "connect", limit)
    database.close()  # connections from now on find it full
    with pytest.raises(Unavailable):
        for version in range(1, 10_000):
            with database.unit_of_work(DEFAULT_TENANT) as work:
                work.addresses.set(DEMO_TASK, version, "http://127.0.0.1:12345")
    return lift


def test_a_full_disk_neither_ends_the_loop_nor_what_runs(supervisor: Supervisor) -> None:
    lift, deadline = fill(supervisor.database), time.monotonic() + 60
    with pytest.raises(Unavailable):
        while time.monotonic() < deadline:
            supervisor.step()
            time.sleep(0.1)
    supervisor.try_step()
    (running,) = supervisor._running.values()
    pid = running.child.pid
    assert pid is not None
    assert not running.in_traffic
    lift()
    while not running.in_traffic:
        supervisor.try_step()
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert running.child.pid == pid
    with supervisor.database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
        assert running.url in {address.url for address in work.addresses.list()}


def test_nothing_is_left_of_a_service_however_it_is_made_to_end(supervisor: Supervisor) -> None:
    deadline = time.monotonic() + 60
    while not (running := next(iter(supervisor._running.values()), None)) or not running.in_traffic:
        supervisor.try_step()
        assert time.monotonic() < deadline
        time.sleep(0.1)
    tree = psutil.Process(running.child.pid)
    processes = [tree, *tree.children(recursive=True)]
    assert len(processes) > 1
    os.kill(processes[-1].pid, signal.SIGSTOP)  # a stopped worker does not hear its parent's end
    running.child.kill()
    assert psutil.wait_procs(processes, timeout=10)[1] == []
