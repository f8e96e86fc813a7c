"""Shadow scores: computed while nobody waits for a visible answer, from a bounded queue; shed and counted beyond it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import anyio.to_thread
from prometheus_client import CollectorRegistry, Counter, Gauge

from domain.errors import FiducialError
from domain.identifiers import PredictionId, Tenant
from infra import logs
from infra.clock import now as clock_now
from infra.db.session import Database
from serving.admission import Visible
from serving.model_calls import ModelCalls, Target

log = logs.get(__name__)
SHADOWS_WAITING = 1024
QUIET_S = (
    0.25  # without a visible request: a steady stream has no such gap, so no shadow slips between two of its calls
)


@dataclass(frozen=True)
class ShadowCall:
    """One image for one shadow version."""

    tenant: Tenant
    prediction_id: PredictionId
    target: Target
    image: bytes


@dataclass
class Shadows:
    """A queue bounded in calls and bytes, with one consumer that waits for quiet before each call.

    A visible request meets at most the one shadow call that began before it came.
    """

    calls: ModelCalls
    visible: Visible
    database: Database
    registry: CollectorRegistry
    max_calls: int = SHADOWS_WAITING
    max_bytes: int = 128 * 1024 * 1024
    quiet_s: float = QUIET_S
    now: Callable[[], datetime] = clock_now
    _bytes: int = 0
    _queue: asyncio.Queue[ShadowCall] = field(default_factory=asyncio.Queue)

    def __post_init__(self) -> None:
        self._outcomes = Counter(
            "fiducial_gateway_shadow_calls", "Shadow calls by outcome", ["outcome"], registry=self.registry
        )
        waiting = Gauge("fiducial_gateway_shadow_queue", "Shadow calls that wait", registry=self.registry)
        waiting.set_function(self._queue.qsize)

    def offer(self, call: ShadowCall) -> bool:
        """Take a call unless the queue is full; says whether it was taken."""
        if self._queue.qsize() >= self.max_calls or self._bytes + len(call.image) > self.max_bytes:
            self._outcomes.labels("shed").inc()
            return False
        self._bytes += len(call.image)
        self._queue.put_nowait(call)
        return True

    async def run(self) -> None:
        """Consume for ever."""
        while True:
            call = await self._queue.get()
            try:
                await self.visible.quiet(for_s=self.quiet_s)
                await self._score(call)
                self._outcomes.labels("recorded").inc()
            except FiducialError as error:
                self._outcomes.labels("failed").inc()
                log.warning("shadow.failed", model_version=call.target.name, code=error.code)
            finally:
                self._bytes -= len(call.image)

    async def _score(self, call: ShadowCall) -> None:
        answered = await self.calls.score(call.target, image=call.image)
        await anyio.to_thread.run_sync(self._record, call, answered.score.probability)

    def _record(self, call: ShadowCall, probability: float) -> None:
        with self.database.unit_of_work(call.tenant) as work:
            work.shadow_scores.add(call.prediction_id, call.target.name, probability, self.now())
