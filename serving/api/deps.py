"""What routes are given: the facade's parts, and who asks."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import BoundedSemaphore
from typing import Annotated

from fastapi import Depends, Request
from fastapi.openapi.models import HTTPBase
from fastapi.security.base import SecurityBase

from domain.access import Permission, Principal
from domain.audit import AuditAction, AuditEvent
from domain.errors import Overloaded
from domain.identifiers import Tenant
from domain.level import Authentication, Level
from imaging.limits import Limits
from infra.clock import now
from infra.db.session import Database, UnitOfWork
from infra.objects import ObjectStore
from serving.api.metrics import Metrics
from serving.api.refusals import Refusals
from serving.authentication import Authenticator, BasicAuthenticator, TokenAuthenticator
from serving.intake import Intake
from serving.problems import NotPermitted

UPLOADS_AT_ONCE = 4  # whose bytes are in memory; the others wait on disk


@dataclass(frozen=True)
class Facade:
    """Everything the routes need from the outside."""

    tenant: Tenant
    level: Level
    authentication: Authentication
    database: Database
    objects: ObjectStore
    intake: Intake
    limits: Limits
    accounts: BasicAuthenticator
    tokens: TokenAuthenticator
    metrics: Metrics
    max_upload_bytes: int
    refusals: Refusals = field(init=False)
    uploads: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(UPLOADS_AT_ONCE))
    upload_patience_s: float = 30.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "refusals", Refusals(self.database, self.tenant))

    @contextmanager
    def upload_slot(self) -> Iterator[None]:
        """Room for the bytes of one upload; raises Overloaded when none becomes free in time."""
        if not self.uploads.acquire(timeout=self.upload_patience_s):
            raise Overloaded("Too many uploads at once.", next_step="Send it again in a few seconds.")
        try:
            yield
        finally:
            self.uploads.release()

    @property
    def authenticator(self) -> Authenticator:
        """How people sign in here."""
        return self.accounts if self.authentication == "basic" else self.tokens


class _Scheme(SecurityBase):
    """Names a way to sign in for OpenAPI; the check itself is the level's authenticator."""

    def __init__(self, scheme: str) -> None:
        self.model = HTTPBase(scheme=scheme)
        self.scheme_name = scheme

    async def __call__(self, request: Request) -> None:
        """Nothing to do here."""


def get_facade(request: Request) -> Facade:
    """The facade's parts."""
    facade: Facade = request.app.state.facade
    return facade


def signed_in(request: Request) -> Principal:
    """Who asks; raises NotAuthenticated or TooManyAttempts."""
    authenticator = get_facade(request).authenticator
    principal = authenticator.principal(request.headers.get("Authorization"), address=address_of(request))
    request.state.principal = principal
    return principal


def address_of(request: Request) -> str:
    """Where the request comes from, as far as the server can tell."""
    return request.client.host if request.client else ""


def allowed(request: Request, permission: Permission) -> Principal:
    """Who asks, if they may; raises NotPermitted or as ``signed_in`` does."""
    principal = signed_in(request)
    if not principal.may(permission):
        raise NotPermitted(f"The role {principal.role} may not {permission.replace('_', ' ')}.")
    return principal


_BASIC, _BEARER = Depends(_Scheme("basic")), Depends(_Scheme("bearer"))


def may(permission: Permission) -> Callable[..., Principal]:
    """A dependency: the principal who asks, with that permission."""

    def dependency(request: Request, _basic: Annotated[None, _BASIC], _bearer: Annotated[None, _BEARER]) -> Principal:
        return allowed(request, permission)

    return dependency


def signed_in_as(request: Request, _basic: Annotated[None, _BASIC], _bearer: Annotated[None, _BEARER]) -> Principal:
    """A dependency: the principal who asks, whatever their role."""
    return signed_in(request)


def record_read(work: UnitOfWork, action: AuditAction, *, entity: str, by: Principal) -> None:
    """Puts a read access into the audit trail."""
    event = AuditEvent(tenant=by.tenant, agent=by.name, action=action, entity=entity, outcome="success", recorded=now())
    work.audit.append(event)


FacadeParts = Annotated[Facade, Depends(get_facade)]
SignedIn = Annotated[Principal, Depends(signed_in_as)]
MaySend = Annotated[Principal, Depends(may(Permission.SEND_STUDY))]
MayRead = Annotated[Principal, Depends(may(Permission.READ_STUDY))]
MayTrace = Annotated[Principal, Depends(may(Permission.READ_TRACE))]
MayReadWorklist = Annotated[Principal, Depends(may(Permission.READ_WORKLIST))]
MayReview = Annotated[Principal, Depends(may(Permission.REVIEW_STUDY))]
MayReadTraffic = Annotated[Principal, Depends(may(Permission.READ_TRAFFIC))]
MayChangeTraffic = Annotated[Principal, Depends(may(Permission.CHANGE_TRAFFIC))]
