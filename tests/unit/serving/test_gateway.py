"""Routing through the gateway's own application, with fake services that speak the wire contract over real sockets."""

import asyncio
import contextlib
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import numpy as np
import pytest
from aiohttp import web

from domain.errors import Unavailable
from domain.identifiers import DEFAULT_TENANT, PredictionId, Pseudonym
from domain.model_version import ModelManifest
from domain.prediction import RoutedScore
from domain.traffic import Challenger, Mode, Pin, Role, TrafficPolicy, assign
from infra.db.session import Database
from serving.admission import IN_FLIGHT, WAITING
from serving.demo import DEMO_TASK
from serving.gateway import build_gateway
from serving.gateway_client import npy_bytes
from serving.routing import MOST_ROUTES, DatabaseRouting

pytestmark = pytest.mark.anyio

KEY = b"k" * 32
IMAGE = npy_bytes(np.zeros((4, 4), dtype=np.uint8))
NOW = datetime(2026, 1, 1, tzinfo=UTC)
PATIENTS = [Pseudonym(f"{number:032x}") for number in range(60)]
Peer = Callable[[web.Request], Awaitable[web.Response]]
ENDED = web.AppKey("ended", asyncio.Event)  # those that hang end with the test


class Services:
    """Fake services by name; each answers with its version as probability, or as it is told to."""

    def __init__(self) -> None:
        self.behaviour: dict[str, Peer] = {}
        self.asked: list[str] = []
        self.urls: dict[str, str] = {}
        self._runners: list[web.AppRunner] = []
        self._ended = asyncio.Event()

    async def start(self) -> None:
        """Listen, each at an address of its own."""
        for name in ("v1", "v2", "v3", "v5"):
            app = web.Application(client_max_size=2**26)
            app[ENDED] = self._ended
            app.router.add_post("/predict", lambda request, name=name: self._answer(name, request))
            runner = web.AppRunner(app, shutdown_timeout=0.0)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            self.urls[name] = f"http://127.0.0.1:{runner.addresses[0][1]}"
            self._runners.append(runner)

    async def stop(self) -> None:
        self._ended.set()
        for runner in self._runners:
            await runner.cleanup()

    async def _answer(self, name: str, request: web.Request) -> web.Response:
        await request.read()
        self.asked.append(name)
        if name in self.behaviour:
            return await self.behaviour[name](request)
        return web.json_response({"probability": int(name.removeprefix("v")) / 10, "image_features": {}})


async def refuse_connection(request: web.Request) -> web.Response:
    assert request.transport is not None
    request.transport.close()
    return web.Response()


async def hang(request: web.Request) -> web.Response:
    await asyncio.wait_for(request.app[ENDED].wait(), timeout=60)
    return web.Response(status=500)


async def fail(request: web.Request) -> web.Response:
    return web.json_response({"error": "An unexpected error has occurred"}, status=500)


async def answer_nonsense(request: web.Request) -> web.Response:
    return web.json_response({"probability": "high"})


async def answer_nan(request: web.Request) -> web.Response:
    return web.Response(body=b'{"probability": NaN, "image_features": {}}')


async def refuse_image(request: web.Request) -> web.Response:
    return web.json_response({"code": "unsupported-image-kind", "error": "The image has no contrast."}, status=422)


async def be_too_busy(request: web.Request) -> web.Response:
    return web.json_response({"code": "overloaded", "error": "The queue is full."}, status=503)


FAILURES = [refuse_connection, hang, fail, answer_nonsense, answer_nan]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def services(anyio_backend: str) -> AsyncIterator[Services]:
    services = Services()
    await services.start()
    yield services
    await services.stop()


@contextlib.asynccontextmanager
async def gateway(database: Database, **changes: Any) -> AsyncIterator[httpx.AsyncClient]:
    options = {"routing_key": KEY, "demo_allowed": True, "max_image_bytes": 4096, "model_timeout_s": 0.3}
    app = build_gateway(database, **{**options, "loading_within_s": 0.3, **changes})
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            yield client


async def ask(
    client: httpx.AsyncClient, patient: Pseudonym, *, prediction: str = "pr_1", task: str = "chest", **options: Any
) -> httpx.Response:
    headers = {
        "X-Fiducial-Tenant": DEFAULT_TENANT,
        "X-Fiducial-Patient": patient,
        "X-Fiducial-Prediction": prediction,
    }
    return await client.post(f"/v1/tasks/{task}/predict", **{"content": IMAGE, "headers": headers, **options})


def promote(
    database: Database, manifest: Callable[..., ModelManifest], services: Services, *, share: float = 0.0,
    running: tuple[int, ...] = (1, 2, 3), **changes: Any,
) -> TrafficPolicy:  # fmt: skip
    challengers = (Challenger(version=2, share=share),) if share else ()
    policy = TrafficPolicy(task="chest", policy_version=1, champion=1, challengers=challengers, **changes)
    with database.unit_of_work(DEFAULT_TENANT) as work:
        for version in (1, 2, 3):
            work.model_versions.add(manifest(version=version), "/nowhere")
        for version in running:
            work.addresses.set("chest", version, services.urls[f"v{version}"])
        work.traffic.change(policy, by="test", why="test", at=NOW)
    return policy


def patient_of(policy: TrafficPolicy, role: Role) -> Pseudonym:
    return next(patient for patient in PATIENTS if assign(patient, policy, key=KEY).role is role)


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.01)


async def test_the_assigned_version_answers_each_patient(database: Database, manifest: Any, services: Services) -> None:
    policy = promote(database, manifest, services, share=0.5)
    async with gateway(database) as client:
        for patient in PATIENTS[:20]:
            expected = assign(patient, policy, key=KEY)
            answer = (await ask(client, patient)).json()
            assert (answer["model_version"], answer["role"]) == (f"chest@{expected.version}", expected.role)
            assert answer["score"]["probability"] == expected.version / 10
            assert not answer["fell_back"]


@pytest.mark.parametrize("failure", FAILURES)
async def test_the_champion_answers_for_a_challenger_that_is_out(
    failure: Peer, database: Database, manifest: Any, services: Services
) -> None:
    policy = promote(database, manifest, services, share=0.5)
    services.behaviour["v2"] = failure
    async with gateway(database) as client:
        answer = (await ask(client, patient_of(policy, Role.CHALLENGER))).json()
    assert (answer["model_version"], answer["role"], answer["fell_back"]) == ("chest@1", "champion", True)


async def test_a_hanging_challenger_costs_its_time_out_once(
    database: Database, manifest: Any, services: Services
) -> None:
    policy = promote(database, manifest, services, share=0.5)
    services.behaviour["v2"] = hang
    patient = patient_of(policy, Role.CHALLENGER)
    async with gateway(database) as client:
        for _ in range(5):
            assert (await ask(client, patient)).json()["fell_back"]
    assert services.asked.count("v2") == 1


@pytest.mark.parametrize("failure", FAILURES)
async def test_nobody_answers_in_silence_for_a_champion_that_is_out(
    failure: Peer, database: Database, manifest: Any, services: Services
) -> None:
    policy = promote(database, manifest, services, share=0.5, shadows=(3,))
    services.behaviour["v1"] = failure
    async with gateway(database) as client:
        response = await ask(client, patient_of(policy, Role.CHAMPION))
    assert (response.status_code, response.json()["code"]) == (503, "model-unavailable")
    assert set(services.asked) == {"v1"}


async def test_a_champion_that_answers_again_is_asked_again(
    database: Database, manifest: Any, services: Services
) -> None:
    promote(database, manifest, services)
    async with gateway(database) as client:
        services.behaviour["v1"] = fail
        assert (await ask(client, PATIENTS[0])).status_code == 503
        del services.behaviour["v1"]
        assert (await ask(client, PATIENTS[0])).status_code == 200


async def test_an_image_that_cannot_be_scored_is_the_images_fault(
    database: Database, manifest: Any, services: Services
) -> None:
    policy = promote(database, manifest, services, share=0.5)
    services.behaviour["v2"] = refuse_image
    async with gateway(database) as client:
        response = await ask(client, patient_of(policy, Role.CHALLENGER))
    assert (response.status_code, response.json()["code"]) == (422, "unsupported-image-kind")
    assert services.asked == ["v2"]


async def test_shadows_are_recorded_under_the_prediction(database: Database, manifest: Any, services: Services) -> None:
    promote(database, manifest, services, shadows=(3,))

    def shadow_scores() -> list[tuple[str, float]]:
        with database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
            return [(s.model_version, s.probability) for s in work.shadow_scores.of(PredictionId("pr_shadowed"))]

    async with gateway(database) as client:
        answer = (await ask(client, PATIENTS[0], prediction="pr_shadowed")).json()
        assert answer["model_version"] == "chest@1"
        await eventually(lambda: shadow_scores() == [("chest@3", 0.3)])


@pytest.mark.parametrize("failure", FAILURES)
async def test_a_failing_shadow_neither_fails_nor_delays_the_answer(
    failure: Peer, database: Database, manifest: Any, services: Services
) -> None:
    promote(database, manifest, services, shadows=(3,))
    services.behaviour["v3"] = failure
    async with gateway(database, model_timeout_s=5.0) as client:
        async with asyncio.timeout(2):
            for _ in range(10):
                assert (await ask(client, PATIENTS[0])).json()["model_version"] == "chest@1"


async def test_shadow_calls_beyond_the_queue_are_shed_and_counted(
    database: Database, manifest: Any, services: Services
) -> None:
    promote(database, manifest, services, shadows=(3,))
    services.behaviour["v3"] = hang
    async with gateway(database, model_timeout_s=30.0, shadows_waiting=8) as client:
        await asyncio.gather(*(ask(client, PATIENTS[0]) for _ in range(16)))
        figures = (await client.get("/metrics")).text
    assert 'fiducial_gateway_shadow_calls_total{outcome="shed"}' in figures


async def test_a_new_policy_is_in_force_within_a_second(database: Database, manifest: Any, services: Services) -> None:
    promote(database, manifest, services)
    async with gateway(database) as client:
        assert (await ask(client, PATIENTS[0])).json()["model_version"] == "chest@1"
        with database.unit_of_work(DEFAULT_TENANT) as work:
            second = TrafficPolicy(task="chest", policy_version=2, champion=2)
            work.traffic.change(second, by="test", why="test", at=NOW)
        await asyncio.sleep(1.05)
        answer = (await ask(client, PATIENTS[0])).json()
    assert (answer["model_version"], answer["policy_version"]) == ("chest@2", 2)


async def test_the_demo_classifier_answers_while_there_is_no_policy(database: Database, services: Services) -> None:
    with database.unit_of_work(DEFAULT_TENANT) as work:
        work.addresses.set(DEMO_TASK, 0, services.urls["v5"])
    async with gateway(database) as client:
        answer = (await ask(client, PATIENTS[0], task=DEMO_TASK)).json()
    assert (answer["model_version"], answer["policy_version"]) == ("demo_classifier@0", 0)


async def test_a_level_without_demo_models_answers_nothing_without_a_policy(
    database: Database, services: Services
) -> None:
    with database.unit_of_work(DEFAULT_TENANT) as work:
        work.addresses.set(DEMO_TASK, 0, services.urls["v5"])
    async with gateway(database, demo_allowed=False) as client:
        response = await ask(client, PATIENTS[0], task=DEMO_TASK)
    assert (response.status_code, services.asked) == (503, [])


async def test_a_task_that_no_policy_names_is_unknown(database: Database, manifest: Any, services: Services) -> None:
    promote(database, manifest, services)
    with database.unit_of_work(DEFAULT_TENANT) as work:
        work.addresses.set(DEMO_TASK, 0, services.urls["v5"])
    async with gateway(database) as client:
        response = await ask(client, PATIENTS[0], task="nonsense")
    assert (response.status_code, response.json()["code"], services.asked) == (404, "unknown-task", [])


async def test_another_tenants_policy_and_services_are_out_of_reach(
    database: Database, manifest: Any, services: Services
) -> None:
    promote(database, manifest, services)
    async with gateway(database) as client:
        headers = {"X-Fiducial-Tenant": "other", "X-Fiducial-Patient": "p", "X-Fiducial-Prediction": "pr_1"}
        response = await client.post("/v1/tasks/chest/predict", content=IMAGE, headers=headers)
    assert (response.status_code, services.asked) == (404, [])


@pytest.mark.parametrize("declared", [True, False])
async def test_a_body_beyond_the_limit_is_refused(
    declared: bool, database: Database, manifest: Any, services: Services
) -> None:
    promote(database, manifest, services)

    async def pieces() -> AsyncIterator[bytes]:
        yield IMAGE

    async with gateway(database, max_image_bytes=100) as client:
        response = await ask(client, PATIENTS[0], content=IMAGE if declared else pieces())
    assert (response.status_code, response.json()["code"]) == (413, "image-too-large")
    assert services.asked == []


async def test_a_request_without_its_headers_is_refused(database: Database, services: Services) -> None:
    async with gateway(database) as client:
        response = await client.post("/v1/tasks/chest/predict", content=IMAGE)
    assert response.json()["detail"] == "The header X-Fiducial-Tenant is missing."


async def test_it_lives_and_is_ready(database: Database, services: Services) -> None:
    async with gateway(database) as client:
        assert (await client.get("/healthz")).text == "ok\n"
        assert (await client.get("/readyz")).text == "ready\n"


async def test_routes_of_tasks_that_nobody_has_do_not_pile_up(database: Database) -> None:
    routing = DatabaseRouting(database)
    tracemalloc.start()
    try:
        for number in range(2 * MOST_ROUTES):
            await routing.route(f"task-{number}-{'x' * 10_000}", tenant=DEFAULT_TENANT)
        held = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert held < 1.5 * MOST_ROUTES * 10_000


async def test_an_answer_tells_whom_the_policy_named_and_how_long_the_version_took(
    database: Database, manifest: Any, services: Services
) -> None:
    policy = promote(database, manifest, services, share=0.5)
    services.behaviour["v2"] = fail
    patient = patient_of(policy, Role.CHALLENGER)
    async with gateway(database) as client:
        answer = RoutedScore.model_validate_json((await ask(client, patient)).content)
    assert (answer.assigned, answer.assigned_role, answer.fell_back) == (2, Role.CHALLENGER, True)
    assert answer.seconds is not None
    assert 0.0 < answer.seconds < 5.0


async def test_a_pinned_patient_is_answered_by_the_version_pinned(
    database: Database, manifest: Any, services: Services
) -> None:
    pins = (Pin(patient=PATIENTS[0], version=2),)
    promote(database, manifest, services, share=0.0001, pins=pins)
    async with gateway(database) as client:
        answer = (await ask(client, PATIENTS[0])).json()
    assert (answer["model_version"], answer["role"], answer["assigned_role"]) == ("chest@2", "pinned", "pinned")


async def test_champion_only_sends_everybody_to_the_champion(
    database: Database, manifest: Any, services: Services
) -> None:
    promote(database, manifest, services, share=1.0, mode=Mode.CHAMPION_ONLY)
    async with gateway(database) as client:
        answers = [(await ask(client, patient)).json() for patient in PATIENTS[:10]]
    assert {answer["model_version"] for answer in answers} == {"chest@1"}
    assert not any(answer["fell_back"] for answer in answers)


async def test_a_task_that_is_switched_off_is_answered_by_nobody(
    database: Database, manifest: Any, services: Services
) -> None:
    promote(database, manifest, services, share=0.5, shadows=(3,), mode=Mode.OFF)
    async with gateway(database) as client:
        response = await ask(client, PATIENTS[0])
    assert (response.status_code, response.json()["code"], services.asked) == (403, "task-switched-off", [])


async def test_more_requests_than_there_are_places_are_refused_at_once_and_unread(
    database: Database, manifest: Any, services: Services
) -> None:
    promote(database, manifest, services)
    services.behaviour["v1"] = hang
    read = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal read
        read += 1
        yield IMAGE

    async with gateway(database, model_timeout_s=30.0) as client:
        await ask(client, PATIENTS[0], headers={})  # connections and routes are there
        inside = [asyncio.create_task(ask(client, PATIENTS[0])) for _ in range(IN_FLIGHT + WAITING)]
        await eventually(lambda: services.asked.count("v1") == IN_FLIGHT)
        begun = asyncio.get_running_loop().time()
        refused = await ask(client, PATIENTS[0], content=body())
        took = asyncio.get_running_loop().time() - begun
        for task in inside:
            task.cancel()
        figures = (await client.get("/metrics")).text
    assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
    assert refused.headers["Retry-After"] == "1"
    assert (took < 0.1, read) == (True, 0)
    assert 'fiducial_gateway_refused_total{model_version="chest@1"} 1.0' in figures


async def test_places_are_given_back_whatever_becomes_of_a_request(
    database: Database, manifest: Any, services: Services
) -> None:
    promote(database, manifest, services)
    async with gateway(database) as client:
        for behaviour in (refuse_image, be_too_busy, fail):
            services.behaviour["v1"] = behaviour
            await ask(client, PATIENTS[0])
        await ask(client, PATIENTS[0], content=b"x" * 5000)
        assert 'fiducial_gateway_inside{model_version="chest@1"} 0.0' in (await client.get("/metrics")).text


async def test_a_version_that_is_too_busy_is_told_as_such_and_stays_in(
    database: Database, manifest: Any, services: Services
) -> None:
    policy = promote(database, manifest, services, share=0.5)
    services.behaviour["v2"] = be_too_busy
    patient = patient_of(policy, Role.CHALLENGER)
    async with gateway(database) as client:
        busy = [await ask(client, patient) for _ in range(5)]
        del services.behaviour["v2"]
        answer = (await ask(client, patient)).json()
    assert {(one.status_code, one.json()["code"], one.headers["Retry-After"]) for one in busy} == {
        (503, "overloaded", "1")
    }
    assert answer["model_version"] == "chest@2"


async def test_a_champion_that_hung_is_not_asked_for_a_while_and_the_caller_told_when_to_come_back(
    database: Database, manifest: Any, services: Services
) -> None:
    promote(database, manifest, services)
    services.behaviour["v1"] = hang
    async with gateway(database) as client:
        responses = [await ask(client, PATIENTS[0]) for _ in range(5)]
    assert {(one.status_code, one.json()["code"], one.headers["Retry-After"]) for one in responses} == {
        (503, "model-unavailable", "5")
    }
    assert services.asked.count("v1") == 1


async def test_a_request_waits_for_a_champion_that_is_still_loading(
    database: Database, manifest: Any, services: Services
) -> None:
    promote(database, manifest, services, running=(2, 3))

    async def load() -> None:
        await asyncio.sleep(0.3)
        with database.unit_of_work(DEFAULT_TENANT) as work:
            work.addresses.set("chest", 1, services.urls["v1"])

    async with gateway(database, loading_within_s=5.0) as client:
        response, _ = await asyncio.gather(ask(client, PATIENTS[0]), load())
    assert response.json()["model_version"] == "chest@1"


async def test_a_champion_that_does_not_come_up_is_a_named_error(
    database: Database, manifest: Any, services: Services
) -> None:
    policy = promote(database, manifest, services, share=0.5, running=(2, 3))
    async with gateway(database) as client:
        champions = await ask(client, patient_of(policy, Role.CHAMPION))
        challengers = await ask(client, patient_of(policy, Role.CHALLENGER))
    assert (champions.status_code, champions.json()["code"]) == (503, "model-unavailable")
    assert challengers.json()["model_version"] == "chest@2"


async def test_no_shadow_call_begins_while_somebody_waits(
    database: Database, manifest: Any, services: Services
) -> None:
    promote(database, manifest, services, shadows=(3,))

    async def take_a_while(request: web.Request) -> web.Response:
        await asyncio.sleep(0.05)
        return web.json_response({"probability": 0.1, "image_features": {}})

    services.behaviour["v1"] = take_a_while
    async with gateway(database) as client:
        for _ in range(12):
            await ask(client, PATIENTS[0])
        assert "v3" not in services.asked
        await eventually(lambda: services.asked.count("v3") == 12)


async def test_what_a_shadow_finds_out_does_not_decide_about_a_patient(
    database: Database, manifest: Any, services: Services
) -> None:
    promote(database, manifest, services, shadows=(3,))
    services.behaviour["v3"] = hang
    async with gateway(database) as client:
        await ask(client, PATIENTS[0])
        await eventually(lambda: "v3" in services.asked)
        await asyncio.sleep(0.5)
        with database.unit_of_work(DEFAULT_TENANT) as work:
            work.traffic.change(
                TrafficPolicy(task="chest", policy_version=2, champion=3), by="test", why="test", at=NOW
            )
        del services.behaviour["v3"]
        await asyncio.sleep(1.05)
        assert (await ask(client, PATIENTS[0])).json()["model_version"] == "chest@3"


async def test_a_large_image_arrives_whole(database: Database, manifest: Any, services: Services) -> None:
    promote(database, manifest, services)
    sizes: list[int] = []

    async def measure(request: web.Request) -> web.Response:
        sizes.append(len(await request.read()))
        return web.json_response({"probability": 0.1, "image_features": {}})

    services.behaviour["v1"] = measure
    async with gateway(database, max_image_bytes=2**23) as client:
        await ask(client, PATIENTS[0], content=b"x" * 5_000_000)
    assert sizes == [5_000_000]


async def test_many_requests_at_once_read_the_route_once(database: Database) -> None:
    reads = 0

    class Counting(DatabaseRouting):
        def _read(self, task: str, tenant: Any) -> Any:
            nonlocal reads
            reads += 1
            return super()._read(task, tenant)

    routing = Counting(database)
    await asyncio.gather(*(routing.route("chest", tenant=DEFAULT_TENANT) for _ in range(20)))
    assert reads == 1


async def test_a_route_is_read_again_before_it_is_too_old(database: Database) -> None:
    now = 0.0
    routing = DatabaseRouting(database, clock=lambda: now)
    first = await routing.route("chest", tenant=DEFAULT_TENANT)
    now = 0.6
    assert await routing.route("chest", tenant=DEFAULT_TENANT) is first
    async with asyncio.timeout(5):
        while await routing.route("chest", tenant=DEFAULT_TENANT) is first:
            await asyncio.sleep(0.01)


async def test_a_failed_read_of_the_route_is_told_and_tried_again(database: Database) -> None:
    broken = True

    class Breaking(DatabaseRouting):
        def _read(self, task: str, tenant: Any) -> Any:
            if broken:
                raise Unavailable("The database does not answer.")
            return super()._read(task, tenant)

    routing = Breaking(database)
    with pytest.raises(Unavailable):
        await routing.route("chest", tenant=DEFAULT_TENANT)
    broken = False
    assert (await routing.route("chest", tenant=DEFAULT_TENANT)).policy is None


async def test_whoever_asks_is_told_of_addresses_that_were_taken_back(
    database: Database, manifest: Any, services: Services
) -> None:
    promote(database, manifest, services)
    gone: list[str] = []
    routing = DatabaseRouting(database, max_age_s=0.0, gone=gone.append)
    await routing.route("chest", tenant=DEFAULT_TENANT)
    with database.unit_of_work(DEFAULT_TENANT) as work:
        work.addresses.remove("chest", 2)
    await routing.route("chest", tenant=DEFAULT_TENANT)
    assert gone == [services.urls["v2"]]
