"""Shadow scores: computed after the visible answer, from a bounded queue; shed when it is full, and counted."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import anyio.to_thread
from prometheus_client import CollectorRegistry, Counter

from domain.errors import FiducialError
from domain.identifiers import PredictionId, Tenant
from infra import logs
from infra.clock import now as clock_now
from infra.db.session import Database
from serving.model_calls import ModelCalls

log = logs.get(__name__)


@dataclass(frozen=True)
class ShadowCall:
    """One image for one shadow version."""

    tenant: Tenant
    prediction_id: PredictionId
    model_version: str
    address: str
    image: bytes


@dataclass
class Shadows:
    """A queue bounded in calls and bytes, with one consumer: a shadow can neither fail nor hold up a visible answer."""

    calls: ModelCalls
    database: Database
    registry: CollectorRegistry
    max_calls: int = 64
    max_bytes: int = 128 * 1024 * 1024
    now: Callable[[], datetime] = clock_now
    _bytes: int = 0
    _queue: asyncio.Queue[ShadowCall] = field(default_factory=asyncio.Queue)

    def __post_init__(self) -> None:
        self._outcomes = Counter(
            "fiducial_gateway_shadow_calls", "Shadow calls by outcome", ["outcome"], registry=self.registry
        )

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
                await self._score(call)
                self._outcomes.labels("recorded").inc()
            except FiducialError as error:
                self._outcomes.labels("failed").inc()
                log.warning("shadow.failed", model_version=call.model_version, code=error.code)
            finally:
                self._bytes -= len(call.image)

    async def _score(self, call: ShadowCall) -> None:
        score = await self.calls.score(call.address, image=call.image)
        await anyio.to_thread.run_sync(self._record, call, score.probability)

    def _record(self, call: ShadowCall, probability: float) -> None:
        with self.database.unit_of_work(call.tenant) as work:
            work.shadow_scores.add(call.prediction_id, call.model_version, probability, self.now())
