"""Traffic policy and service addresses as the gateway sees them: read from the database, at most a second old."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import anyio.to_thread

from domain.errors import ModelUnavailable
from domain.identifiers import Tenant
from domain.traffic import TrafficPolicy
from infra.db.session import Database
from serving.demo import DEMO_TASK, DEMO_VERSION
from serving.model_calls import Target

MAX_AGE_S = 1.0
MOST_ROUTES = 256  # kept at once: whoever asks for tasks or tenants that do not exist must not fill the memory


@dataclass(frozen=True)
class Route:
    """Who answers for one task: the policy (None: the demo classifier) and where each running version listens."""

    task: str
    policy: TrafficPolicy | None
    addresses: Mapping[tuple[str, int], str]

    def target(self, version: int, *, task: str | None = None) -> Target | None:
        """A running version; None while it does not run."""
        named = (task or self.task, version)
        url = self.addresses.get(named)
        return None if url is None else Target(f"{named[0]}@{named[1]}", url)

    def demo(self) -> Target:
        """The demo classifier; raises ModelUnavailable."""
        target = self.target(DEMO_VERSION, task=DEMO_TASK)
        if target is None:
            raise ModelUnavailable("The demo classifier does not run.", next_step="Try again in a minute.")
        return target


class _Kept(NamedTuple):
    read_at: float
    route: Route


@dataclass
class DatabaseRouting:
    """Routes from the database, kept for ``max_age_s`` and read again ahead of that: few requests wait for a read."""

    database: Database
    max_age_s: float = MAX_AGE_S
    clock: Callable[[], float] = time.monotonic
    gone: Callable[[str], None] = lambda url: None  # a service's address was taken back
    _kept: dict[tuple[Tenant, str], _Kept] = field(default_factory=dict)
    _reading: dict[tuple[Tenant, str], asyncio.Task[Route]] = field(default_factory=dict)

    async def route(self, task: str, *, tenant: Tenant) -> Route:
        """The present route of a task."""
        kept = self._kept.get((tenant, task))
        age = self.clock() - kept.read_at if kept else self.max_age_s
        if kept is None or age >= self.max_age_s:
            return await asyncio.shield(self._reread(task, tenant))
        if age >= self.max_age_s / 2:
            self._reread(task, tenant)
        return kept.route

    def _reread(self, task: str, tenant: Tenant) -> asyncio.Task[Route]:
        """The one read under way, begun now where there is none."""
        key = (tenant, task)
        if key not in self._reading:
            reading = asyncio.ensure_future(self._read_and_keep(task, tenant))
            reading.add_done_callback(lambda done: self._read_ended(key, done))
            self._reading[key] = reading
        return self._reading[key]

    def _read_ended(self, key: tuple[Tenant, str], done: asyncio.Task[Route]) -> None:
        del self._reading[key]
        if not done.cancelled():
            done.exception()  # whoever waits is told; a read ahead of time is done again at its time

    async def _read_and_keep(self, task: str, tenant: Tenant) -> Route:
        now = self.clock()
        route = await anyio.to_thread.run_sync(self._read, task, tenant)
        before = self._kept.pop((tenant, task), None)
        self._kept[tenant, task] = _Kept(now, route)
        if len(self._kept) > MOST_ROUTES:
            del self._kept[next(iter(self._kept))]  # the one read longest ago
        for url in set(before.route.addresses.values() if before else ()) - set(route.addresses.values()):
            self.gone(url)
        return route

    def _read(self, task: str, tenant: Tenant) -> Route:
        with self.database.unit_of_work(tenant, read_only=True) as work:
            addresses = {(found.task, found.version): found.url for found in work.addresses.list()}
            return Route(task=task, policy=work.traffic.current(task), addresses=addresses)
