"""Requests that wait while the engine is busy are its next batches: no timer, no model of the pace, a bounded queue."""

import asyncio
import functools
import itertools
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

from domain.errors import Overloaded

MAX_BATCH_SIZE = 16
WORTH_IT = 1.05  # times the images a second of half the batch, or the first would wait for the last for nothing
WAIT_S = 10.0  # the gateway's patience: an answer that comes later is heard by nobody
STUCK_S = 30.0  # a batch that takes longer will not end

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class _Waiting(NamedTuple, Generic[Item, Answer]):
    item: Item
    answer: asyncio.Future[Answer]
    since: float


def worthwhile_batch_size(
    run: Callable[[int], object], *, lanes: int, clock: Callable[[], float] = time.perf_counter
) -> int:
    """The largest batch worth waiting for here: doubled while all lanes together answer more images a second by it.

    A network that fills a processor's caches gains nothing (1), a small one or a graphics card a lot. ``run`` scores a
    batch of so many images; each size is run alone and side by side, so that the engine has allocated for it.
    """
    size, pace = 1, 0.0
    with ThreadPoolExecutor(lanes, thread_name_prefix="warm-up") as pool:
        while size <= MAX_BATCH_SIZE:
            run(size)
            calls = functools.partial(pool.map, run, [size] * lanes)
            faster = lanes * size / min(_seconds(calls, clock) for _ in range(3))
            if faster < WORTH_IT * pace:
                return size // 2
            size, pace = 2 * size, faster
    return size // 2


def _seconds(calls: Callable[[], Iterable[object]], clock: Callable[[], float]) -> float:
    begun = clock()
    for _ in calls():
        pass
    return clock() - begun


@dataclass
class Batcher(Generic[Item, Answer]):
    """As many threads as ``lanes`` run ``run`` on what has gathered; one begins at once when it is idle."""

    run: Callable[[Sequence[Item]], Sequence[Answer]]
    observe: Callable[[int, float], None] = lambda size, seconds: None  # each batch
    lanes: int = 1
    max_batch_size: int = MAX_BATCH_SIZE
    wait_s: float = WAIT_S
    clock: Callable[[], float] = time.monotonic
    _queue: deque[_Waiting[Item, Answer]] = field(default_factory=deque)
    _running: dict[int, float] = field(default_factory=dict)  # batch → when it began
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self._engine = ThreadPoolExecutor(self.lanes, thread_name_prefix="engine")

    async def submit(self, item: Item) -> Answer:
        """The answer to one item, from whichever batch it travels in; raises Overloaded when it waited too long."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._queue.append(_Waiting(item, future, self.clock()))
        if len(self._running) < self.lanes:
            self._start()
        return await future

    def is_stuck(self) -> bool:
        """True when a batch has been in the engine for so long that it will not end."""
        return any(self.clock() - since > STUCK_S for since in self._running.values())

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
        number = next(self._numbers)
        self._running[number] = self.clock()
        loop = asyncio.get_running_loop()
        done = loop.run_in_executor(self._engine, self.run, [waiting.item for waiting in batch])
        done.add_done_callback(lambda ended: self._finish(number, batch, ended))

    def _finish(
        self, number: int, batch: Sequence[_Waiting[Item, Answer]], ended: asyncio.Future[Sequence[Answer]]
    ) -> None:
        error = ended.exception()
        self.observe(len(batch), self.clock() - self._running.pop(number))
        self._start()  # the engine works on while the answers are written
        for position, waiting in enumerate(batch):
            if waiting.answer.done():
                continue
            if error is not None:
                waiting.answer.set_exception(error)
            else:
                waiting.answer.set_result(ended.result()[position])
