"""Requests that wait while the engine is busy are its next batch: no timer, no model of the pace, a bounded queue."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

from domain.errors import Overloaded

MAX_BATCH_SIZE = 16
WAIT_S = 10.0  # the gateway's patience: an answer that comes later is heard by nobody
STUCK_S = 30.0  # a batch that takes longer will not end

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class _Waiting(NamedTuple, Generic[Item, Answer]):
    item: Item
    answer: asyncio.Future[Answer]
    since: float


@dataclass
class Batcher(Generic[Item, Answer]):
    """One thread runs ``run`` on what has gathered; begins at once when it is idle."""

    run: Callable[[Sequence[Item]], Sequence[Answer]]
    observe: Callable[[int, float], None] = lambda size, seconds: None  # each batch
    max_batch_size: int = MAX_BATCH_SIZE
    wait_s: float = WAIT_S
    clock: Callable[[], float] = time.monotonic
    _queue: deque[_Waiting[Item, Answer]] = field(default_factory=deque)
    _engine: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, thread_name_prefix="engine"))
    _busy_since: float | None = None

    async def submit(self, item: Item) -> Answer:
        """The answer to one item, from whichever batch it travels in; raises Overloaded when it waited too long."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._queue.append(_Waiting(item, future, self.clock()))
        if self._busy_since is None:
            self._start()
        return await future

    def is_stuck(self) -> bool:
        """True when a batch has been in the engine for so long that it will not end."""
        return self._busy_since is not None and self.clock() - self._busy_since > STUCK_S

    def _start(self) -> None:
        batch: list[_Waiting[Item, Answer]] = []
        while self._queue and len(batch) < self.max_batch_size:
            waiting = self._queue.popleft()
            if waiting.answer.done():  # its caller went away
                continue
            if self.clock() - waiting.since > self.wait_s:
                waiting.answer.set_exception(Overloaded("The engine did not get to this image in time."))
                continue
            batch.append(waiting)
        if not batch:
            return
        self._busy_since = self.clock()
        loop = asyncio.get_running_loop()
        done = loop.run_in_executor(self._engine, self.run, [waiting.item for waiting in batch])
        done.add_done_callback(lambda ended: self._finish(batch, ended))

    def _finish(self, batch: Sequence[_Waiting[Item, Answer]], ended: asyncio.Future[Sequence[Answer]]) -> None:
        begun, self._busy_since = self._busy_since, None
        error = ended.exception()
        self.observe(len(batch), self.clock() - (begun or 0.0))
        self._start()  # the engine works on while the answers are written
        for position, waiting in enumerate(batch):
            if waiting.answer.done():
                continue
            if error is not None:
                waiting.answer.set_exception(error)
            else:
                waiting.answer.set_result(ended.result()[position])
