"""Killed in the middle: whatever dies, an accepted study is answered, and exactly once."""

import os
import signal
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import psutil
import pytest

from domain.audit import AuditAction
from domain.identifiers import DEFAULT_TENANT, PredictionId
from infra.clock import now

pytestmark = [pytest.mark.slow, pytest.mark.servers]


class SlowPeer:
    """Stands between worker and gateway and holds every call back until it is told to pass it on."""

    def __init__(self, gateway_url: str) -> None:
        self.calls = threading.Semaphore(0)
        self.release = threading.Event()
        peer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                peer.calls.release()
                peer.release.wait(60)
                headers = {n: v for n, v in self.headers.items() if n.startswith("X-Fiducial")}
                answer = httpx.post(gateway_url + self.path, content=body, headers=headers, timeout=30, trust_env=False)
                self.send_response(answer.status_code)
                self.send_header("Content-Length", str(len(answer.content)))
                self.end_headers()
                self.wfile.write(answer.content)

            def log_message(self, format: str, *args: Any) -> None:
                return

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                return  # the caller was killed

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def outcome(platform: Any, prediction_id: str) -> tuple[str, int, int]:
    """State, audit events of an answer, and feature rows of a prediction."""
    with platform.database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
        state = work.predictions.get(PredictionId(prediction_id)).state.kind
        events = [e for e in work.audit.of(prediction_id) if e.action is AuditAction.PREDICTION_ANSWERED]
        rows = work.feature_rows.window("chest", since=now() - timedelta(hours=1), until=now() + timedelta(hours=1))
    return state, len(events), len([row for row in rows if row.prediction_id == prediction_id])


def send(platform: Any, image: bytes, fields: dict[str, str]) -> str:
    with platform.client() as client:
        response = client.post("/api/v1/studies", files={"files": ("f", image)}, data=fields)
    assert response.status_code == 202
    prediction_id: str = response.json()["predictions"][0]["prediction_id"]
    return prediction_id


def test_a_worker_killed_while_it_answers_leaves_the_answer_to_the_next(
    bentos: dict[int, Any], new_platform: Callable[..., Any], film: Any, fields: dict[str, str], eventually: Any
) -> None:
    platform = new_platform(FIDUCIAL_LEASE_S="2")
    platform.promote(bentos, champion=1)
    for root in ("services", "gateway", "api"):
        platform.start(root)
    platform.wait_ready()
    platform.wait_served(1)
    peer = SlowPeer(platform.gateway_url)
    platform.environment["FIDUCIAL_GATEWAY_URL"] = peer.url

    first = platform.start("worker")
    predictions = [send(platform, film(seed), fields) for seed in range(3)]
    assert peer.calls.acquire(timeout=30)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    assert {outcome(platform, p)[0] for p in predictions} == {"pending"}

    peer.release.set()
    platform.start("worker")
    eventually(lambda: {outcome(platform, p)[0] for p in predictions} == {"done"}, what="the answers")
    assert [outcome(platform, p) for p in predictions] == [("done", 1, 1)] * 3


def test_whatever_is_killed_every_accepted_study_is_answered_once(
    bentos: dict[int, Any], new_platform: Callable[..., Any], film: Any, fields: dict[str, str], eventually: Any
) -> None:
    platform = new_platform(FIDUCIAL_LEASE_S="3")
    platform.promote(bentos, champion=1)
    parent = platform.start()
    platform.wait_ready()
    platform.wait_served(1)

    predictions = []
    for seed, root in enumerate(("worker", "gateway", "services", "worker")):
        predictions += [send(platform, film(10 * seed + i), fields) for i in range(3)]
        victim = next(c for c in psutil.Process(parent.pid).children() if c.cmdline()[-1] == f"serving.wiring.{root}")
        victim.kill()
        time.sleep(0.5)

    eventually(lambda: all(outcome(platform, p)[0] == "done" for p in predictions), within_s=90, what="the answers")
    assert [outcome(platform, p) for p in predictions] == [("done", 1, 1)] * len(predictions)


def test_an_acknowledged_study_survives_the_facade(
    bentos: dict[int, Any], new_platform: Callable[..., Any], film: Any, fields: dict[str, str], eventually: Any
) -> None:
    platform = new_platform()
    api = platform.start("api")
    eventually(lambda: _is_up(platform.url), what="the facade")
    prediction_id = send(platform, film(), fields)
    os.kill(api.pid, signal.SIGKILL)
    assert outcome(platform, prediction_id)[0] == "pending"
    with platform.database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
        study = work.studies.get(work.predictions.get(PredictionId(prediction_id)).study_id)
    (stored,) = (platform.home / "objects").rglob(study.instances[0].object_sha256)
    assert stored.read_bytes() == film()


def test_everything_ends_when_the_platform_is_killed(new_platform: Callable[..., Any], eventually: Any) -> None:
    platform = new_platform()
    parent = platform.start()
    platform.wait_ready()
    eventually(lambda: platform.served("demo_classifier") == {0}, what="the demo classifier")
    children = psutil.Process(parent.pid).children(recursive=True)
    assert len(children) >= 6
    parent.kill()
    parent.wait()
    assert psutil.wait_procs(children, timeout=20)[1] == []


def _is_up(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=2, trust_env=False).is_success
    except httpx.HTTPError:
        return False
