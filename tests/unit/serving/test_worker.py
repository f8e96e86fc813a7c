"""The worker: answered once with all that belongs to it, tried again, failed for good, and never held up."""

import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from domain.access import Principal
from domain.audit import AuditAction
from domain.identifiers import DEFAULT_TENANT, PredictionId
from domain.model_version import ModelManifest
from domain.prediction import Abstained, Done, Failed, Prediction, RefusedPrediction
from domain.traffic import TrafficPolicy
from imaging.limits import Limits
from infra.clock import now
from infra.db.session import Database
from infra.objects import ObjectStore
from serving.gateway_client import GatewayClient
from serving.intake import TOPIC, Intake
from serving.worker import Pace, Worker

Peer = Callable[[httpx.Request], httpx.Response]
FAST = Pace(threads=4, lease_s=30, poll_s=0.01, max_attempts=3, first_pause_s=0.01, growth=1.0)


def answer(request: httpx.Request) -> httpx.Response:
    score = {"probability": 0.7, "image_features": {"mean": 0.1}, "activation_map": [[0.0, 1.0]]}
    routed = {"score": score, "model_version": "chest@1", "role": "champion", "policy_version": 1}
    return httpx.Response(200, json=routed)


def abstain(request: httpx.Request) -> httpx.Response:
    score = {"probability": 0.7, "image_features": {"mean": 0.1}, "embedding": [1.0], "abstained": "Unlike."}
    routed = {"score": score, "model_version": "chest@1", "role": "champion", "policy_version": 1}
    return httpx.Response(200, json=routed)


def be_out(request: httpx.Request) -> httpx.Response:
    return httpx.Response(503, json={"code": "model-unavailable", "detail": "Out."})


class Platform:
    """Intake and worker around one database, with a fake gateway at the far end."""

    def __init__(self, intake: Intake, objects: ObjectStore, manifest: ModelManifest) -> None:
        self.intake, self.objects, self.database = intake, objects, intake.database
        with self.database.unit_of_work(DEFAULT_TENANT) as work:
            work.model_versions.add(manifest, "/nowhere")
            work.traffic.change(TrafficPolicy(task="chest", policy_version=1, champion=1), by="t", why="t", at=now())

    def worker(self, gateway: Peer, *, pace: Pace = FAST, clock: Callable[[], datetime] = now) -> Worker:
        http = httpx.Client(transport=httpx.MockTransport(gateway), base_url="http://gateway")
        return Worker(
            tenant=DEFAULT_TENANT, database=self.database, objects=self.objects, gateway=GatewayClient(http),
            limits=Limits(min_side_px=32), pace=pace, now=clock,
        )  # fmt: skip

    def send(self, image: bytes, declared: Any, by: Principal) -> PredictionId:
        receipt = self.intake.receive([image], declared=declared, by=by)
        with self.database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
            return work.predictions.of_study(receipt.study_id)[0].prediction_id

    def prediction(self, prediction_id: PredictionId) -> Prediction:
        with self.database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
            return work.predictions.get(prediction_id)

    def run(self, worker: Worker, *, until: Callable[[], bool], within_s: float = 10.0) -> None:
        stop = threading.Event()
        thread = threading.Thread(target=worker.run, args=(stop,))
        thread.start()
        deadline = time.monotonic() + within_s
        while not until() and time.monotonic() < deadline:
            time.sleep(0.01)
        stop.set()
        thread.join()
        assert until()

    def depth(self) -> int:
        with self.database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
            return work.outbox.depth(TOPIC)


@pytest.fixture
def platform(intake: Intake, objects: ObjectStore, manifest: Callable[..., ModelManifest]) -> Platform:
    return Platform(intake, objects, manifest())


def test_an_answer_comes_with_explanation_features_and_audit_event(
    platform: Platform, film: Any, declared: Any, clinician: Principal
) -> None:
    prediction_id = platform.send(film(), declared(), clinician)
    platform.run(platform.worker(answer), until=lambda: platform.depth() == 0)
    state = platform.prediction(prediction_id).state
    assert isinstance(state, Done)
    assert (state.probability, state.threshold, state.finding_present) == (0.7, 0.4, True)
    with platform.database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
        assert work.predictions.explanation(prediction_id) == ((0.0, 1.0),)
        rows = work.feature_rows.window("chest", since=now() - timedelta(minutes=1), until=now())
        assert [(row.site, row.image_features) for row in rows] == [("north", {"mean": 0.1})]
        assert [e.action for e in work.audit.of(prediction_id)] == [AuditAction.PREDICTION_ANSWERED]


def test_an_abstention_is_recorded_once_without_explanation_and_monitoring_sees_its_film(
    platform: Platform, film: Any, declared: Any, clinician: Principal
) -> None:
    prediction_id = platform.send(film(), declared(), clinician)
    second = platform.worker(abstain)

    def outlive_the_lease(request: httpx.Request) -> httpx.Response:
        with platform.database.unit_of_work(DEFAULT_TENANT) as work:
            later = now() + timedelta(seconds=FAST.lease_s + 1)
            (message,) = work.outbox.claim(TOPIC, now=later, lease_s=30, limit=1)
        second.handle(message)
        return answer(request)  # too late, and another answer

    platform.run(platform.worker(outlive_the_lease), until=lambda: platform.depth() == 0)
    state = platform.prediction(prediction_id).state
    assert isinstance(state, Abstained)
    assert (state.reasons, state.model_version, len(state.instances)) == (("Unlike.",), "chest@1", 1)
    with platform.database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
        assert work.predictions.explanation(prediction_id) is None
        (event,) = work.audit.of(prediction_id)
        assert (event.action, event.outcome) == (AuditAction.PREDICTION_ABSTAINED, "success")
        (row,) = work.feature_rows.window("chest", since=now() - timedelta(minutes=1), until=now())
        assert (row.probability, row.finding_present, row.embedding) == (0.7, True, (1.0,))
        assert [one.prediction_id for one in work.predictions.with_state("abstained")] == [prediction_id]


def test_a_study_outside_the_intended_use_is_refused_without_asking_the_gateway(
    platform: Platform, film: Any, declared: Any, clinician: Principal
) -> None:
    def must_not_be_asked(request: httpx.Request) -> httpx.Response:
        raise AssertionError("the gateway was asked")

    prediction_id = platform.send(film(), declared(modality="CT"), clinician)
    platform.run(platform.worker(must_not_be_asked), until=lambda: platform.depth() == 0)
    state = platform.prediction(prediction_id).state
    assert isinstance(state, RefusedPrediction)
    with platform.database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
        assert [e.action for e in work.audit.of(prediction_id)] == [AuditAction.PREDICTION_REFUSED]


def test_a_model_that_comes_back_answers_in_the_end(
    platform: Platform, film: Any, declared: Any, clinician: Principal
) -> None:
    calls: list[int] = []

    def out_twice(request: httpx.Request) -> httpx.Response:
        calls.append(1)
        return be_out(request) if len(calls) < 3 else answer(request)

    prediction_id = platform.send(film(), declared(), clinician)
    platform.run(platform.worker(out_twice), until=lambda: platform.depth() == 0)
    assert isinstance(platform.prediction(prediction_id).state, Done)


def test_after_the_last_attempt_the_prediction_has_failed_with_the_errors_code(
    platform: Platform, film: Any, declared: Any, clinician: Principal
) -> None:
    prediction_id = platform.send(film(), declared(), clinician)
    platform.run(platform.worker(be_out), until=lambda: platform.depth() == 0)
    assert platform.prediction(prediction_id).state == Failed(code="model-unavailable", attempts=3)
    with platform.database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
        assert [e.action for e in work.audit.of(prediction_id)] == [AuditAction.PREDICTION_FAILED]


def test_a_message_that_ended_every_process_that_took_it_is_given_up(
    platform: Platform, film: Any, declared: Any, clinician: Principal
) -> None:
    prediction_id = platform.send(film(), declared(), clinician)
    for _ in range(FAST.max_attempts):  # claimed, and never heard of again
        with platform.database.unit_of_work(DEFAULT_TENANT) as work:
            assert work.outbox.claim(TOPIC, now=now(), lease_s=0, limit=1)
    platform.run(platform.worker(answer), until=lambda: platform.depth() == 0)
    assert isinstance(platform.prediction(prediction_id).state, Failed)


def test_altered_bytes_fail_at_once_and_are_never_scored(
    platform: Platform, film: Any, declared: Any, clinician: Principal
) -> None:
    prediction_id = platform.send(film(), declared(), clinician)
    with platform.database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
        study = work.studies.get(work.predictions.get(prediction_id).study_id)
    platform.objects.path(DEFAULT_TENANT, study.instances[0].object_sha256).write_bytes(film(99))
    platform.run(platform.worker(answer), until=lambda: platform.depth() == 0)
    assert platform.prediction(prediction_id).state == Failed(code="digest-mismatch", attempts=1)


def test_one_study_that_hangs_does_not_delay_the_others(
    platform: Platform, film: Any, declared: Any, clinician: Principal
) -> None:
    release = threading.Event()
    bad = platform.send(film(0), declared(), clinician)

    def hang_for_the_first(request: httpx.Request) -> httpx.Response:
        if request.headers["X-Fiducial-Prediction"] == bad:
            release.wait(20)
        return answer(request)

    others = [platform.send(film(number), declared(), clinician) for number in range(1, 9)]
    stop = threading.Event()
    thread = threading.Thread(target=platform.worker(hang_for_the_first).run, args=(stop,))
    thread.start()
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and any(platform.prediction(o).state.kind == "pending" for o in others):
        time.sleep(0.01)
    kinds = [platform.prediction(one).state.kind for one in (bad, *others)]
    release.set()
    stop.set()
    thread.join()
    assert kinds == ["pending"] + ["done"] * 8


def test_a_worker_that_loses_its_lease_while_answering_does_not_answer_twice(
    platform: Platform, film: Any, declared: Any, clinician: Principal
) -> None:
    prediction_id = platform.send(film(), declared(), clinician)
    second = platform.worker(answer)

    def outlive_the_lease(request: httpx.Request) -> httpx.Response:
        with platform.database.unit_of_work(DEFAULT_TENANT) as work:
            later = now() + timedelta(seconds=FAST.lease_s + 1)
            (message,) = work.outbox.claim(TOPIC, now=later, lease_s=30, limit=1)
        second.handle(message)
        return answer(request)

    platform.run(platform.worker(outlive_the_lease), until=lambda: platform.depth() == 0)
    with platform.database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
        assert len(work.audit.of(prediction_id)) == 1
        assert len(work.feature_rows.window("chest", since=now() - timedelta(minutes=1), until=now())) == 1


def test_a_defect_of_ours_is_tried_again_and_ends_as_failed(
    platform: Platform, film: Any, declared: Any, clinician: Principal
) -> None:
    def defect(request: httpx.Request) -> httpx.Response:
        raise ZeroDivisionError

    prediction_id = platform.send(film(), declared(), clinician)
    platform.run(platform.worker(defect), until=lambda: platform.depth() == 0)
    assert platform.prediction(prediction_id).state == Failed(code="fiducial-error", attempts=3)


def test_pauses_grow() -> None:
    pace = Pace()
    pauses = [pace.pause_after(attempt).total_seconds() for attempt in range(1, 5)]
    assert pauses == sorted(pauses)
    assert sum(pauses) > 20


def test_an_idle_worker_stops_when_told(database: Database, objects: ObjectStore) -> None:
    http = httpx.Client(transport=httpx.MockTransport(answer), base_url="http://gateway")
    worker = Worker(DEFAULT_TENANT, database, objects, GatewayClient(http), Limits())
    stop = threading.Event()
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    stop.set()
    thread.join(timeout=2)
    assert not thread.is_alive()
