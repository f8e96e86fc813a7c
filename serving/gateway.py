"""The gateway: one address in front of every model version; the traffic policy says who answers for which patient."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route as Address

from domain.errors import (
    FiducialError,
    ImageTooLarge,
    InvalidField,
    ModelUnavailable,
    Overloaded,
    TaskSwitchedOff,
    UnknownTask,
)
from domain.identifiers import PredictionId, Pseudonym, Tenant
from domain.prediction import RoutedScore
from domain.traffic import Assignment, Mode, Role, TrafficPolicy, assign
from infra.db.session import Database
from serving.admission import Places, Visible
from serving.demo import DEMO_TASK
from serving.gateway_figures import Figures
from serving.model_calls import MODEL_TIMEOUT_S, Answered, ModelCalls, Target, new_session
from serving.problems import MEDIA_TYPE, problem, retry_after
from serving.routing import DatabaseRouting, Route
from serving.shadows import SHADOWS_WAITING, ShadowCall, Shadows

TENANT, PATIENT, PREDICTION = "X-Fiducial-Tenant", "X-Fiducial-Patient", "X-Fiducial-Prediction"
READ_WITHIN_S = 30.0  # a caller that sends more slowly gives its place to another
LOADING_WITHIN_S = 10.0  # a champion promoted a moment ago may still be loading
MOST_LOADING = 64  # requests that wait for that
_LOOK_EVERY_S = 0.1


@dataclass(frozen=True)
class Asked:
    """Whose image is to be scored, as which prediction, for which task."""

    task: str
    tenant: Tenant
    patient: Pseudonym
    prediction_id: PredictionId


@dataclass(frozen=True)
class Choice:
    """Who is asked: the version assigned to the patient, or the champion where that is out."""

    route: Route
    target: Target
    policy: TrafficPolicy | None = None  # None: the demo classifier answers
    assigned: Assignment | None = None
    fell_back: bool = False

    def instead(self) -> "Choice | None":
        """The champion in place of a challenger that has just failed; None where nobody else may answer."""
        if self.policy is None or self.assigned is None or self.assigned.version == self.policy.champion:
            return None
        champion = self.route.target(self.policy.champion)
        if self.fell_back or champion is None:
            return None
        return Choice(self.route, champion, self.policy, self.assigned, fell_back=True)

    def routed(self, answered: Answered) -> RoutedScore:
        """The answer with who gave it."""
        role = Role.CHAMPION if self.assigned is None or self.fell_back else self.assigned.role
        return RoutedScore(
            score=answered.score,
            model_version=self.target.name,
            role=role,
            policy_version=self.policy.policy_version if self.policy else 0,
            fell_back=self.fell_back,
            assigned=self.assigned.version if self.assigned else None,
            assigned_role=self.assigned.role if self.assigned else None,
            seconds=answered.seconds,
        )


@dataclass
class Gateway:
    """Routing with its parts: who answers, who is asked on the side, how many may be inside, and what is counted."""

    routing: DatabaseRouting
    calls: ModelCalls
    shadows: Shadows
    visible: Visible
    figures: Figures
    routing_key: bytes
    demo_allowed: bool
    max_image_bytes: int
    loading_within_s: float = LOADING_WITHIN_S
    _places: dict[str, Places] = field(default_factory=dict)
    _loading: int = 0

    def __post_init__(self) -> None:
        self.figures.watch(
            lambda: {name: places.inside for name, places in self._places.items()}, self.calls.breakers.states
        )

    async def predict(self, request: Request) -> Response:
        """``POST /v1/tasks/{task}/predict``: the visible answer; shadows are asked afterwards."""
        begun = time.perf_counter()
        asked = _parse(request)
        choice = await self._choose(asked)
        with self.visible.one_more(), self._place(choice.target):
            image = await _read(request, max_bytes=self.max_image_bytes)
            routed, content = await self._answer(choice, image)
        self.figures.answered(routed, seconds=time.perf_counter() - begun)
        self._offer_to_shadows(asked, choice.route, image)
        # The score's own bytes, which were checked: its thousand numbers are not written twice.
        about = routed.model_dump_json(exclude={"score"}).encode()
        return Response(b'{"score":' + content + b"," + about[1:], media_type="application/json")

    async def _choose(self, asked: Asked) -> Choice:
        """Who is asked; waits a while for a champion that has no address yet. Raises ModelUnavailable."""
        choice = self._choice(asked, await self.routing.route(asked.task, tenant=asked.tenant))
        if choice is not None:
            return choice
        if self._loading >= MOST_LOADING:
            raise _not_running()
        self._loading += 1
        try:
            async with asyncio.timeout(self.loading_within_s):
                while choice is None:
                    await asyncio.sleep(_LOOK_EVERY_S)
                    choice = self._choice(asked, await self.routing.route(asked.task, tenant=asked.tenant))
        except TimeoutError as error:
            raise _not_running() from error
        finally:
            self._loading -= 1
        return choice

    def _choice(self, asked: Asked, route: Route) -> Choice | None:
        """Who is asked; None while the champion, who must answer, does not run."""
        policy = route.policy
        if policy is None:
            if route.task != DEMO_TASK:
                raise UnknownTask("No traffic policy names this task.", next_step="Promote a validated model version.")
            if not self.demo_allowed:
                raise ModelUnavailable("No model version is promoted.", next_step="Promote a validated model version.")
            return Choice(route, route.demo())
        if policy.mode is Mode.OFF:
            raise TaskSwitchedOff(f"{policy.task} is switched off.", next_step="Ask who switched it off, and why.")
        assigned = assign(asked.patient, policy, key=self.routing_key)
        target, fell_back = route.target(assigned.version), False
        if assigned.version != policy.champion and (target is None or self.calls.is_out(target)):
            target, fell_back = route.target(policy.champion), True
        return None if target is None else Choice(route, target, policy, assigned, fell_back)

    async def _answer(self, choice: Choice, image: bytes) -> tuple[RoutedScore, bytes]:
        try:
            return await self._ask(choice, image)
        except ModelUnavailable:
            instead = choice.instead()
            if instead is None:
                raise
        with self._place(instead.target):
            return await self._ask(instead, image)

    async def _ask(self, choice: Choice, image: bytes) -> tuple[RoutedScore, bytes]:
        async with self._places[choice.target.name].turn():
            answered = await self.calls.score(choice.target, image=image)
        return choice.routed(answered), answered.content

    @contextlib.contextmanager
    def _place(self, target: Target) -> Iterator[None]:
        """A place with a version, before the body is read; raises Overloaded."""
        places = self._places.setdefault(target.name, Places())
        if places.is_full():
            self.figures.refused(target.name)
            raise Overloaded("More requests wait for this model version than it can answer.", next_step="Try again.")
        with places.place():
            yield

    def _offer_to_shadows(self, asked: Asked, route: Route, image: bytes) -> None:
        for version in route.policy.shadows if route.policy else ():
            target = route.target(version)
            if target is not None:
                self.shadows.offer(ShadowCall(asked.tenant, asked.prediction_id, target, image))


def build_gateway(
    database: Database, *, routing_key: bytes, demo_allowed: bool, max_image_bytes: int,
    model_timeout_s: float = MODEL_TIMEOUT_S, loading_within_s: float = LOADING_WITHIN_S,
    shadows_waiting: int = SHADOWS_WAITING,
) -> Starlette:  # fmt: skip
    """The gateway's ASGI application."""

    def build() -> Gateway:
        session, registry, visible = new_session(timeout_s=model_timeout_s), CollectorRegistry(), Visible()
        calls = ModelCalls(session)
        return Gateway(
            routing=DatabaseRouting(database, gone=calls.breakers.forget),
            calls=calls,
            # Breakers of its own: what a shadow call finds out must not decide about a patient's.
            shadows=Shadows(ModelCalls(session), visible, database, registry, max_calls=shadows_waiting),
            visible=visible,
            figures=Figures(registry),
            routing_key=routing_key,
            demo_allowed=demo_allowed,
            max_image_bytes=max_image_bytes,
            loading_within_s=loading_within_s,
        )

    return Starlette(
        routes=[
            Address("/v1/tasks/{task}/predict", _predict, methods=["POST"]),
            Address("/healthz", _healthz),
            Address("/readyz", _readyz),
            Address("/metrics", _metrics),
        ],
        exception_handlers={FiducialError: _on_problem, Exception: _on_problem},
        lifespan=_lifespan_of(build),
    )


def _lifespan_of(build: Callable[[], Gateway]) -> Callable[[Starlette], AbstractAsyncContextManager[None]]:
    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        gateway = app.state.gateway = build()  # inside the loop that its connections belong to
        consumer = asyncio.create_task(gateway.shadows.run())
        yield
        consumer.cancel()
        await gateway.calls.session.close()

    return lifespan


async def _predict(request: Request) -> Response:
    gateway: Gateway = request.app.state.gateway
    return await gateway.predict(request)


async def _healthz(request: Request) -> Response:
    return PlainTextResponse("ok\n")


async def _readyz(request: Request) -> Response:
    # Readiness is the database's: a gateway without any model still answers, with the reason.
    gateway: Gateway = request.app.state.gateway
    await gateway.routing.route("readyz", tenant=Tenant("readyz"))
    return PlainTextResponse("ready\n")


async def _metrics(request: Request) -> Response:
    gateway: Gateway = request.app.state.gateway
    return Response(generate_latest(gateway.figures.registry), media_type=CONTENT_TYPE_LATEST)


async def _on_problem(request: Request, error: Exception) -> Response:
    """A problem document for every error of our tree."""
    known = error if isinstance(error, FiducialError) else FiducialError("The gateway failed.")
    gateway: Gateway = request.app.state.gateway
    gateway.figures.problem(known.code)
    document = problem(known)
    return JSONResponse(document, document["status"], headers=retry_after(known), media_type=MEDIA_TYPE)


def _not_running() -> ModelUnavailable:
    return ModelUnavailable("No service runs for the version that must answer.", next_step="Try again in a minute.")


def _parse(request: Request) -> Asked:
    missing = [name for name in (TENANT, PATIENT, PREDICTION) if not request.headers.get(name)]
    if missing:
        raise InvalidField(f"The header {missing[0]} is missing.")
    return Asked(
        task=request.path_params["task"],
        tenant=Tenant(request.headers[TENANT]),
        patient=Pseudonym(request.headers[PATIENT]),
        prediction_id=PredictionId(request.headers[PREDICTION]),
    )


async def _read(request: Request, *, max_bytes: int) -> bytes:
    chunks: list[bytes] = []
    length = 0
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > max_bytes:
        raise ImageTooLarge(f"The image has more than {max_bytes} bytes.")
    try:
        async with asyncio.timeout(READ_WITHIN_S):
            async for chunk in request.stream():
                chunks.append(chunk)
                length += len(chunk)
                if length > max_bytes:
                    raise ImageTooLarge(f"The image has more than {max_bytes} bytes.")
    except (ClientDisconnect, TimeoutError) as error:
        raise InvalidField("The caller went away before the image was complete.") from error
    return b"".join(chunks)
