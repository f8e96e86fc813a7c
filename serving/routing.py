"""Traffic policy and service addresses as the gateway sees them: read from the database, at most a second old."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import anyio.to_thread

from domain.errors import ModelUnavailable
from domain.identifiers import Tenant
from domain.traffic import TrafficPolicy
from infra.db.session import Database
from serving.demo import DEMO_TASK, DEMO_VERSION

MAX_AGE_S = 1.0
MOST_ROUTES = 256  # kept at once: whoever asks for tasks or tenants that do not exist must not fill the memory


@dataclass(frozen=True)
class Route:
    """Who answers for one task: the policy (None: the demo classifier) and where each running version listens."""

    task: str
    policy: TrafficPolicy | None
    addresses: Mapping[tuple[str, int], str]

    def address(self, version: int, *, task: str | None = None) -> str:
        """Where a version listens; raises ModelUnavailable."""
        named = (task or self.task, version)
        if named not in self.addresses:
            raise ModelUnavailable(f"No service runs for {named[0]}@{version}.", next_step="Try again in a minute.")
        return self.addresses[named]

    def demo_address(self) -> str:
        """Where the demo classifier listens; raises ModelUnavailable."""
        return self.address(DEMO_VERSION, task=DEMO_TASK)


@dataclass
class DatabaseRouting:
    """Routes from the database, kept for ``max_age_s``."""

    database: Database
    max_age_s: float = MAX_AGE_S
    clock: Callable[[], float] = time.monotonic
    _kept: dict[tuple[Tenant, str], tuple[float, Route]] = field(default_factory=dict)

    async def route(self, task: str, *, tenant: Tenant) -> Route:
        """The present route of a task."""
        read_at, route = self._kept.get((tenant, task), (None, None))
        if route is not None and read_at is not None and self.clock() - read_at < self.max_age_s:
            return route
        now = self.clock()
        route = await anyio.to_thread.run_sync(self._read, task, tenant)
        self._kept.pop((tenant, task), None)
        self._kept[tenant, task] = (now, route)
        if len(self._kept) > MOST_ROUTES:
            del self._kept[next(iter(self._kept))]  # the one read longest ago
        return route

    def _read(self, task: str, tenant: Tenant) -> Route:
        with self.database.unit_of_work(tenant, read_only=True) as work:
            addresses = {(found.task, found.version): found.url for found in work.addresses.list()}
            return Route(task=task, policy=work.traffic.current(task), addresses=addresses)
