"""With every answer the worker keeps what comparisons and stop rules see of it, and nothing they must not count."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest

from domain.access import Principal
from domain.experiment import ArmRow
from domain.identifiers import DEFAULT_TENANT
from domain.model_version import ModelManifest
from domain.traffic import Challenger, Role, TrafficPolicy
from imaging.limits import Limits
from infra.clock import now
from infra.objects import ObjectStore
from serving.gateway_client import GatewayClient
from serving.intake import TOPIC, Intake
from serving.worker import Pace, Worker

Peer = Callable[[httpx.Request], httpx.Response]
Send = Callable[..., tuple[ArmRow, ...]]
FAST = Pace(threads=1, lease_s=30, poll_s=0.01, max_attempts=2, first_pause_s=0.01, growth=1.0)
CHALLENGER = {"assigned": 2, "assigned_role": "challenger", "policy_version": 3}


def peer(*seconds: float, abstained: str | None = None, **routed: Any) -> Peer:
    """A gateway that takes those seconds for one image after the other."""
    waits = iter(seconds or (0.25,) * 9)

    def answer(request: httpx.Request) -> httpx.Response:
        score = {"probability": 0.7, "image_features": {}, "abstained": abstained}
        given = {"score": score, "model_version": "chest@2", "role": "challenger", **CHALLENGER, "seconds": next(waits)}
        return httpx.Response(200, json={**given, **routed})

    return answer


def problem(status: int, code: str) -> Peer:
    return lambda request: httpx.Response(status, json={"code": code, "detail": "No."})


@pytest.fixture
def send(intake: Intake, objects: ObjectStore, clinician: Principal, declared: Any, film: Any, manifest: Any) -> Send:
    """Sends a study of so many films and has the worker end it; the rows kept."""
    database = intake.database
    policy = TrafficPolicy(task="chest", policy_version=1, champion=1, challengers=(Challenger(version=2, share=0.5),))
    with database.unit_of_work(DEFAULT_TENANT) as work:
        for version in (1, 2):
            made: ModelManifest = manifest(version=version)
            work.model_versions.add(made, "/nowhere")
        work.traffic.change(policy, by="t", why="t", at=now())

    def run(gateway: Peer, *, films: int = 1, **changes: Any) -> tuple[ArmRow, ...]:
        intake.receive([film(seed) for seed in range(films)], declared=declared(**changes), by=clinician)
        http = httpx.Client(transport=httpx.MockTransport(gateway), base_url="http://gateway")
        worker = Worker(DEFAULT_TENANT, database, objects, GatewayClient(http), Limits(min_side_px=32), pace=FAST)
        stop = threading.Event()
        thread = threading.Thread(target=worker.run, args=(stop,))
        thread.start()
        deadline = time.monotonic() + 10
        depth = 1
        while depth and time.monotonic() < deadline:
            time.sleep(0.01)
            with database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
                depth = work.outbox.depth(TOPIC)
        stop.set()
        thread.join()
        with database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
            return work.arm_rows.after("chest", 0)

    return run


def test_an_answer_is_kept_under_the_version_that_had_to_give_it(send: Send) -> None:
    (row,) = send(peer())
    assert (row.number, row.assigned, row.answered, row.role, row.policy_version) == (1, 2, 2, Role.CHALLENGER, 3)
    assert (row.outcome, row.probability, row.finding_present, row.seconds) == ("done", 0.7, True, 0.25)
    assert not row.fell_back
    assert now() - row.recorded_at < timedelta(minutes=1)
    assert row.patient != "patient-1"


def test_of_several_films_the_slowest_counts(send: Send) -> None:
    (row,) = send(peer(0.1, 0.9, 0.2), films=3)
    assert row.seconds == 0.9


def test_an_answer_of_the_champion_in_a_challengers_place_is_the_challengers_error(send: Send) -> None:
    (row,) = send(peer(model_version="chest@1", role="champion", fell_back=True))
    assert (row.assigned, row.answered, row.role, row.fell_back) == (2, 1, Role.CHALLENGER, True)


def test_an_abstention_is_kept_without_a_probability(send: Send) -> None:
    (row,) = send(peer(abstained="too unlike"))
    assert (row.outcome, row.answered, row.probability, row.finding_present) == ("abstained", 2, None, None)


def test_a_prediction_nobody_answers_is_the_champions_error(send: Send) -> None:
    (row,) = send(problem(503, "model-unavailable"))
    assert (row.outcome, row.assigned, row.answered, row.role) == ("failed", 1, None, Role.CHAMPION)
    assert (row.policy_version, row.seconds, row.fell_back) == (1, None, True)


@pytest.mark.parametrize(
    "gateway",
    [problem(403, "task-switched-off"), problem(503, "unavailable"), lambda request: httpx.Response(502, text="proxy")],
    ids=["switched off", "the gateway's own trouble", "no gateway"],
)
def test_what_is_no_versions_fault_counts_against_none(gateway: Peer, send: Send) -> None:
    """Else an outage of the gateway would roll a sound champion back."""
    assert send(gateway) == ()


def test_the_demo_classifier_and_a_refused_study_leave_no_row(send: Send) -> None:
    assert send(peer(assigned=None, assigned_role=None)) == ()
    assert send(peer(), modality="CT") == ()
