"""Refused access in the audit trail: who, where, at most once a minute each, so that a flood cannot fill the disk."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import anyio.to_thread
from fastapi import Request

from domain.access import Principal
from domain.audit import AuditAction, AuditEvent
from domain.errors import FiducialError, NotAuthenticated, TooManyAttempts
from domain.identifiers import Tenant
from infra import logs
from infra.clock import now
from infra.db.session import Database

log = logs.get(__name__)
NOBODY = "unknown"  # never the name as sent: it may be a person's, or a password in the wrong field
PAUSE_S = 60.0


@dataclass
class Refusals:
    """What was refused of late. Agents are accounts and entities are routes, so there are few pairs of them."""

    database: Database
    tenant: Tenant
    clock: Callable[[], float] = time.monotonic
    _written: dict[tuple[Tenant, str, str], float] = field(default_factory=dict)

    async def record(self, request: Request, error: FiducialError) -> None:
        """Put the refusal of a request into the audit trail, unless the same one was there a moment ago."""
        principal: Principal | None = getattr(request.state, "principal", None)
        tenant = principal.tenant if principal else self.tenant
        event = AuditEvent(
            tenant=tenant,
            agent=principal.name if principal else _account(error),
            action=AuditAction.ACCESS_REFUSED,
            entity=_address(request),
            outcome="failure",
            recorded=now(),
        )
        key = (tenant, event.agent, event.entity)
        if self.clock() - self._written.get(key, float("-inf")) >= PAUSE_S:
            self._written[key] = self.clock()
            await anyio.to_thread.run_sync(self._write, event)

    def _write(self, event: AuditEvent) -> None:
        try:
            with self.database.unit_of_work(event.tenant) as work:
                work.audit.append(event)
        except FiducialError as error:  # the refusal stands, whether or not it can be written down
            log.error("refusal.not_recorded", code=error.code)


def _address(request: Request) -> str:
    """Method and route; only a route that was found has taken the method, so both are ours and not the caller's."""
    route = request.scope.get("route")
    return f"{request.method} {route.path}" if route is not None else "another site's page"


def _account(error: FiducialError) -> str:
    account = error.account if isinstance(error, NotAuthenticated | TooManyAttempts) else ""
    return account or NOBODY
