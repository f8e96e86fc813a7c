"""The gateway: one address in front of every model version; the traffic policy says who answers for which patient."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

import httpx
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route as Address

from domain.errors import FiducialError, ImageTooLarge, InvalidField, ModelUnavailable
from domain.identifiers import PredictionId, Pseudonym, Tenant
from domain.prediction import RoutedScore
from domain.traffic import Role, TrafficPolicy, assign
from infra.db.session import Database
from serving.demo import DEMO_MANIFEST
from serving.model_calls import ModelCalls, new_client
from serving.problems import MEDIA_TYPE, problem
from serving.routing import DatabaseRouting, Route
from serving.shadows import ShadowCall, Shadows

TENANT, PATIENT, PREDICTION = "X-Fiducial-Tenant", "X-Fiducial-Patient", "X-Fiducial-Prediction"


@dataclass(frozen=True)
class Asked:
    """One request, parsed."""

    task: str
    tenant: Tenant
    patient: Pseudonym
    prediction_id: PredictionId
    image: bytes


@dataclass
class Gateway:
    """Routing with its parts: who answers, who is asked on the side, and what is counted."""

    routing: DatabaseRouting
    calls: ModelCalls
    shadows: Shadows
    routing_key: bytes
    demo_allowed: bool
    max_image_bytes: int
    registry: CollectorRegistry

    def __post_init__(self) -> None:
        self._answers = Counter(
            "fiducial_gateway_answers", "Answers by model version and role",
            ["model_version", "role", "fell_back"], registry=self.registry,
        )  # fmt: skip
        self._problems = Counter("fiducial_gateway_problems", "Problems by code", ["code"], registry=self.registry)
        self._seconds = Histogram("fiducial_gateway_seconds", "Time to the visible answer", registry=self.registry)

    async def predict(self, request: Request) -> Response:
        """``POST /v1/tasks/{task}/predict``: the visible answer; shadows are asked afterwards."""
        asked = await _parse(request, max_image_bytes=self.max_image_bytes)
        route = await self.routing.route(asked.task, tenant=asked.tenant)
        with self._seconds.time():
            answer = await self.answer(asked, route)
        self._answers.labels(answer.model_version, answer.role.value, str(answer.fell_back).lower()).inc()
        self._offer_to_shadows(asked, route)
        return Response(answer.model_dump_json(), media_type="application/json")

    async def answer(self, asked: Asked, route: Route) -> RoutedScore:
        """The assigned version's answer, or the champion's where a challenger is out; raises ModelUnavailable."""
        if route.policy is None:
            return await self._demo_answer(asked, route)
        policy = route.policy
        assigned = assign(asked.patient, policy, key=self.routing_key)
        if assigned.role is not Role.CHAMPION:
            with contextlib.suppress(ModelUnavailable):
                return await self._challenger_answer(asked, route, policy, assigned.version)
        fell_back = assigned.role is not Role.CHAMPION
        address = route.address(policy.champion)
        return await self._ask(asked, address, policy=policy, version=policy.champion, fell_back=fell_back)

    async def _challenger_answer(self, asked: Asked, route: Route, policy: TrafficPolicy, version: int) -> RoutedScore:
        address = route.address(version)
        if self.calls.is_out(address):
            raise ModelUnavailable("The challenger failed a moment ago.")
        return await self._ask(asked, address, policy=policy, version=version)

    async def _ask(
        self, asked: Asked, address: str, *, policy: TrafficPolicy, version: int, fell_back: bool = False
    ) -> RoutedScore:
        return RoutedScore(
            score=await self.calls.score(address, image=asked.image),
            model_version=f"{policy.task}@{version}",
            role=Role.CHAMPION if version == policy.champion else Role.CHALLENGER,
            policy_version=policy.policy_version,
            fell_back=fell_back,
        )

    async def _demo_answer(self, asked: Asked, route: Route) -> RoutedScore:
        if not self.demo_allowed:
            raise ModelUnavailable("No model version is promoted.", next_step="Promote a validated model version.")
        score = await self.calls.score(route.demo_address(), image=asked.image)
        return RoutedScore(score=score, model_version=DEMO_MANIFEST.model_version, role=Role.CHAMPION, policy_version=0)

    def _offer_to_shadows(self, asked: Asked, route: Route) -> None:
        for version in route.policy.shadows if route.policy else ():
            address = route.addresses.get((route.task, version))
            if address is not None:
                name = f"{route.task}@{version}"
                self.shadows.offer(ShadowCall(asked.tenant, asked.prediction_id, name, address, asked.image))

    async def on_problem(self, request: Request, error: Exception) -> Response:
        """A problem document for every error of our tree."""
        known = error if isinstance(error, FiducialError) else FiducialError("The gateway failed.")
        self._problems.labels(known.code).inc()
        document = problem(known)
        return JSONResponse(document, status_code=document["status"], media_type=MEDIA_TYPE)


def build_gateway(
    database: Database,
    *,
    routing_key: bytes,
    demo_allowed: bool,
    max_image_bytes: int,
    client: httpx.AsyncClient | None = None,
    model_timeout_s: float = 10.0,
) -> Starlette:
    """The gateway's ASGI application."""
    registry = CollectorRegistry()
    calls = ModelCalls(client or new_client(timeout_s=model_timeout_s), timeout_s=model_timeout_s)
    gateway = Gateway(
        routing=DatabaseRouting(database),
        calls=calls,
        shadows=Shadows(calls, database, registry),
        routing_key=routing_key,
        demo_allowed=demo_allowed,
        max_image_bytes=max_image_bytes,
        registry=registry,
    )
    return Starlette(
        routes=[
            Address("/v1/tasks/{task}/predict", gateway.predict, methods=["POST"]),
            Address("/healthz", _healthz),
            Address("/readyz", _readyz),
            Address("/metrics", _metrics),
        ],
        exception_handlers={FiducialError: gateway.on_problem, Exception: gateway.on_problem},
        lifespan=_lifespan_of(gateway),
    )


def _lifespan_of(gateway: Gateway) -> Callable[[Starlette], AbstractAsyncContextManager[None]]:
    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        app.state.gateway = gateway
        consumer = asyncio.create_task(gateway.shadows.run())
        yield
        consumer.cancel()
        await gateway.calls.client.aclose()

    return lifespan


async def _healthz(request: Request) -> Response:
    return PlainTextResponse("ok\n")


async def _readyz(request: Request) -> Response:
    # Readiness is the database's: a gateway without any model still answers, with the reason.
    gateway: Gateway = request.app.state.gateway
    await gateway.routing.route("readyz", tenant=Tenant("readyz"))
    return PlainTextResponse("ready\n")


async def _metrics(request: Request) -> Response:
    gateway: Gateway = request.app.state.gateway
    return Response(generate_latest(gateway.registry), media_type=CONTENT_TYPE_LATEST)


async def _parse(request: Request, *, max_image_bytes: int) -> Asked:
    missing = [name for name in (TENANT, PATIENT, PREDICTION) if not request.headers.get(name)]
    if missing:
        raise InvalidField(f"The header {missing[0]} is missing.")
    return Asked(
        task=request.path_params["task"],
        tenant=Tenant(request.headers[TENANT]),
        patient=Pseudonym(request.headers[PATIENT]),
        prediction_id=PredictionId(request.headers[PREDICTION]),
        image=await _read(request, max_bytes=max_image_bytes),
    )


async def _read(request: Request, *, max_bytes: int) -> bytes:
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > max_bytes:
                raise ImageTooLarge(f"The image has more than {max_bytes} bytes.")
    except ClientDisconnect as error:
        raise InvalidField("The caller went away before the image was complete.") from error
    return bytes(body)
