"""The platform's own state: what it is, whether it lives, its figures."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from domain.identifiers import Tenant
from serving.api.deps import FacadeParts, SignedIn
from serving.api.openapi import problems
from serving.api.schemas import About, Me
from serving.intake import TOPIC

ROUTER = APIRouter(tags=["platform"])


@ROUTER.get("/api/v1/about")
def about(request: Request, facade: FacadeParts) -> About:
    """Level, what it aims at, and the way to sign in."""
    level = facade.level
    version: str = request.app.version
    return About(
        version=version,
        level=level.name,
        authentication=facade.authentication,
        worklist=level.worklist,
        aims=level.aims,
    )


@ROUTER.get("/api/v1/me", responses=problems(401, 429))
def me(principal: SignedIn) -> Me:
    """Who is signed in."""
    return Me(name=principal.name, role=principal.role)


@ROUTER.get("/healthz", response_class=PlainTextResponse)
async def healthz() -> str:
    """The process lives, whatever its threads wait for."""
    return "ok\n"


@ROUTER.get("/readyz", response_class=PlainTextResponse, responses=problems(503))
def readyz(facade: FacadeParts) -> str:
    """Studies can be received: the database answers."""
    _waiting(facade, facade.tenant)
    return "ready\n"


@ROUTER.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def metrics(facade: FacadeParts) -> Response:
    """Figures in Prometheus' format; no identifier is a label."""
    facade.metrics.waiting.set(_waiting(facade, facade.tenant))
    for task, times in _stopped(facade, facade.tenant).items():
        facade.metrics.stopped.labels(task).set(times)
    return Response(generate_latest(facade.metrics.registry), media_type=CONTENT_TYPE_LATEST)


def _waiting(facade: FacadeParts, tenant: Tenant) -> int:
    with facade.database.unit_of_work(tenant, read_only=True) as work:
        return work.outbox.depth(TOPIC)


def _stopped(facade: FacadeParts, tenant: Tenant) -> dict[str, int]:
    with facade.database.unit_of_work(tenant, read_only=True) as work:
        stopped = work.traffic_events.stopped()
        return {policy.task: stopped.get(policy.task, 0) for policy in work.traffic.all_current()}
