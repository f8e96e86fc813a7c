"""Routing through the gateway's own application, with fake services that speak the wire contract."""

import asyncio
import contextlib
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import numpy as np
import pytest

from domain.identifiers import DEFAULT_TENANT, PredictionId, Pseudonym
from domain.model_version import ModelManifest
from domain.traffic import Challenger, Role, TrafficPolicy, assign
from infra.db.session import Database
from serving.demo import DEMO_TASK
from serving.gateway import build_gateway
from serving.gateway_client import npy_bytes
from serving.routing import MOST_ROUTES, DatabaseRouting

pytestmark = pytest.mark.anyio

KEY = b"k" * 32
IMAGE = npy_bytes(np.zeros((4, 4), dtype=np.uint8))
NOW = datetime(2026, 1, 1, tzinfo=UTC)
PATIENTS = [Pseudonym(f"{number:032x}") for number in range(60)]
Peer = Callable[[httpx.Request], Awaitable[httpx.Response]]


class Services:
    """Fake services by address; each answers with its version as probability, or as it is told to."""

    def __init__(self) -> None:
        self.behaviour: dict[str, Peer] = {}
        self.asked: list[str] = []

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        host = request.url.host
        self.asked.append(host)
        if host in self.behaviour:
            return await self.behaviour[host](request)
        return httpx.Response(200, json={"probability": int(host.removeprefix("v")) / 10, "image_features": {}})


async def refuse_connection(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("refused", request=request)


async def hang(request: httpx.Request) -> httpx.Response:
    await asyncio.sleep(60)
    return httpx.Response(500)


async def fail(request: httpx.Request) -> httpx.Response:
    return httpx.Response(500, json={"error": "An unexpected error has occurred"})


async def answer_nonsense(request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, json={"probability": "high"})


async def refuse_image(request: httpx.Request) -> httpx.Response:
    return httpx.Response(422, json={"code": "unsupported-image-kind", "error": "The image has no contrast."})


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def services() -> Services:
    return Services()


@contextlib.asynccontextmanager
async def gateway(database: Database, services: Services, **changes: Any) -> AsyncIterator[httpx.AsyncClient]:
    options = {"routing_key": KEY, "demo_allowed": True, "max_image_bytes": 4096, "model_timeout_s": 0.3, **changes}
    peers = httpx.AsyncClient(transport=httpx.MockTransport(services))
    app = build_gateway(database, client=peers, **options)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            yield client


async def ask(
    client: httpx.AsyncClient, patient: Pseudonym, *, prediction: str = "pr_1", **options: Any
) -> httpx.Response:
    headers = {
        "X-Fiducial-Tenant": DEFAULT_TENANT,
        "X-Fiducial-Patient": patient,
        "X-Fiducial-Prediction": prediction,
    }
    return await client.post("/v1/tasks/chest/predict", content=IMAGE, headers=headers, **options)


def promote(
    database: Database, manifest: Callable[..., ModelManifest], *, share: float = 0.0, shadows: tuple[int, ...] = ()
) -> TrafficPolicy:
    challengers = (Challenger(version=2, share=share),) if share else ()
    policy = TrafficPolicy(task="chest", policy_version=1, champion=1, challengers=challengers, shadows=shadows)
    with database.unit_of_work(DEFAULT_TENANT) as work:
        for version in (1, 2, 3):
            work.model_versions.add(manifest(version=version), "/nowhere")
            work.addresses.set("chest", version, f"http://v{version}")
        work.traffic.change(policy, by="test", why="test", at=NOW)
    return policy


def patient_of(policy: TrafficPolicy, role: Role) -> Pseudonym:
    return next(patient for patient in PATIENTS if assign(patient, policy, key=KEY).role is role)


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.01)


async def test_the_assigned_version_answers_each_patient(database: Database, manifest: Any, services: Services) -> None:
    policy = promote(database, manifest, share=0.5)
    async with gateway(database, services) as client:
        for patient in PATIENTS[:20]:
            expected = assign(patient, policy, key=KEY)
            answer = (await ask(client, patient)).json()
            assert (answer["model_version"], answer["role"]) == (f"chest@{expected.version}", expected.role)
            assert answer["score"]["probability"] == expected.version / 10
            assert not answer["fell_back"]


@pytest.mark.parametrize("failure", [refuse_connection, hang, fail, answer_nonsense])
async def test_the_champion_answers_for_a_challenger_that_is_out(
    failure: Peer, database: Database, manifest: Any, services: Services
) -> None:
    policy = promote(database, manifest, share=0.5)
    services.behaviour["v2"] = failure
    async with gateway(database, services) as client:
        answer = (await ask(client, patient_of(policy, Role.CHALLENGER))).json()
    assert (answer["model_version"], answer["role"], answer["fell_back"]) == ("chest@1", "champion", True)


async def test_a_hanging_challenger_costs_its_time_out_once(
    database: Database, manifest: Any, services: Services
) -> None:
    policy = promote(database, manifest, share=0.5)
    services.behaviour["v2"] = hang
    patient = patient_of(policy, Role.CHALLENGER)
    async with gateway(database, services) as client:
        for _ in range(5):
            assert (await ask(client, patient)).json()["fell_back"]
    assert services.asked.count("v2") == 1


@pytest.mark.parametrize("failure", [refuse_connection, hang, fail, answer_nonsense])
async def test_nobody_answers_in_silence_for_a_champion_that_is_out(
    failure: Peer, database: Database, manifest: Any, services: Services
) -> None:
    policy = promote(database, manifest, share=0.5, shadows=(3,))
    services.behaviour["v1"] = failure
    async with gateway(database, services) as client:
        response = await ask(client, patient_of(policy, Role.CHAMPION))
    assert (response.status_code, response.json()["code"]) == (503, "model-unavailable")
    assert set(services.asked) == {"v1"}


async def test_a_champion_that_answers_again_is_asked_again(
    database: Database, manifest: Any, services: Services
) -> None:
    promote(database, manifest)
    async with gateway(database, services) as client:
        services.behaviour["v1"] = fail
        assert (await ask(client, PATIENTS[0])).status_code == 503
        del services.behaviour["v1"]
        assert (await ask(client, PATIENTS[0])).status_code == 200


async def test_an_image_that_cannot_be_scored_is_the_images_fault(
    database: Database, manifest: Any, services: Services
) -> None:
    policy = promote(database, manifest, share=0.5)
    services.behaviour["v2"] = refuse_image
    async with gateway(database, services) as client:
        response = await ask(client, patient_of(policy, Role.CHALLENGER))
    assert (response.status_code, response.json()["code"]) == (422, "unsupported-image-kind")
    assert services.asked == ["v2"]


async def test_shadows_are_recorded_under_the_prediction(database: Database, manifest: Any, services: Services) -> None:
    promote(database, manifest, shadows=(3,))

    def shadow_scores() -> list[tuple[str, float]]:
        with database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
            return [(s.model_version, s.probability) for s in work.shadow_scores.of(PredictionId("pr_shadowed"))]

    async with gateway(database, services) as client:
        answer = (await ask(client, PATIENTS[0], prediction="pr_shadowed")).json()
        assert answer["model_version"] == "chest@1"
        await eventually(lambda: shadow_scores() == [("chest@3", 0.3)])


@pytest.mark.parametrize("failure", [refuse_connection, fail, answer_nonsense, hang])
async def test_a_failing_shadow_neither_fails_nor_delays_the_answer(
    failure: Peer, database: Database, manifest: Any, services: Services
) -> None:
    promote(database, manifest, shadows=(3,))
    services.behaviour["v3"] = failure
    async with gateway(database, services, model_timeout_s=5.0) as client:
        async with asyncio.timeout(2):
            for _ in range(10):
                assert (await ask(client, PATIENTS[0])).json()["model_version"] == "chest@1"


async def test_shadow_calls_beyond_the_queue_are_shed_and_counted(
    database: Database, manifest: Any, services: Services
) -> None:
    promote(database, manifest, shadows=(3,))
    services.behaviour["v3"] = hang
    async with gateway(database, services, model_timeout_s=30.0) as client:
        await asyncio.gather(*(ask(client, PATIENTS[0]) for _ in range(80)))
        figures = (await client.get("/metrics")).text
    assert 'fiducial_gateway_shadow_calls_total{outcome="shed"}' in figures


async def test_a_new_policy_is_in_force_within_a_second(database: Database, manifest: Any, services: Services) -> None:
    promote(database, manifest)
    async with gateway(database, services) as client:
        assert (await ask(client, PATIENTS[0])).json()["model_version"] == "chest@1"
        with database.unit_of_work(DEFAULT_TENANT) as work:
            second = TrafficPolicy(task="chest", policy_version=2, champion=2)
            work.traffic.change(second, by="test", why="test", at=NOW)
        await asyncio.sleep(1.05)
        answer = (await ask(client, PATIENTS[0])).json()
    assert (answer["model_version"], answer["policy_version"]) == ("chest@2", 2)


async def test_the_demo_classifier_answers_while_there_is_no_policy(database: Database, services: Services) -> None:
    with database.unit_of_work(DEFAULT_TENANT) as work:
        work.addresses.set(DEMO_TASK, 0, "http://v5")
    async with gateway(database, services) as client:
        answer = (await ask(client, PATIENTS[0])).json()
    assert (answer["model_version"], answer["policy_version"]) == ("demo_classifier@0", 0)


async def test_a_level_without_demo_models_answers_nothing_without_a_policy(
    database: Database, services: Services
) -> None:
    with database.unit_of_work(DEFAULT_TENANT) as work:
        work.addresses.set(DEMO_TASK, 0, "http://v5")
    async with gateway(database, services, demo_allowed=False) as client:
        response = await ask(client, PATIENTS[0])
    assert (response.status_code, services.asked) == (503, [])


async def test_another_tenants_policy_and_services_are_out_of_reach(
    database: Database, manifest: Any, services: Services
) -> None:
    promote(database, manifest)
    async with gateway(database, services) as client:
        headers = {"X-Fiducial-Tenant": "other", "X-Fiducial-Patient": "p", "X-Fiducial-Prediction": "pr_1"}
        response = await client.post("/v1/tasks/chest/predict", content=IMAGE, headers=headers)
    assert (response.status_code, services.asked) == (503, [])


async def test_a_body_beyond_the_limit_is_refused(database: Database, services: Services) -> None:
    async with gateway(database, services, max_image_bytes=100) as client:
        response = await ask(client, PATIENTS[0])
    assert (response.status_code, response.json()["code"]) == (413, "image-too-large")


async def test_a_request_without_its_headers_is_refused(database: Database, services: Services) -> None:
    async with gateway(database, services) as client:
        response = await client.post("/v1/tasks/chest/predict", content=IMAGE)
    assert response.json()["detail"] == "The header X-Fiducial-Tenant is missing."


async def test_it_lives_and_is_ready(database: Database, services: Services) -> None:
    async with gateway(database, services) as client:
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
