"""How many requests may be inside the gateway for one model version: beyond that, the caller is told at once."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field

IN_FLIGHT = 32  # two batches of 16: one in the engine, one prepared meanwhile
WAITING = 32


@dataclass
class Places:
    """Places of one version: some in flight, some waiting their turn; each holds at most one image in memory."""

    in_flight: int = IN_FLIGHT
    waiting: int = WAITING
    inside: int = 0
    _turns: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self._turns = asyncio.Semaphore(self.in_flight)

    def is_full(self) -> bool:
        """True when the next request must be refused."""
        return self.inside >= self.in_flight + self.waiting

    @contextlib.contextmanager
    def place(self) -> Iterator[None]:
        """A place, held until the answer; ask ``is_full`` first."""
        self.inside += 1
        try:
            yield
        finally:
            self.inside -= 1

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """The right to ask the version now; whoever came first goes first."""
        async with self._turns:
            yield


@dataclass
class Visible:
    """The requests whose answers somebody waits for, and since when there are none: shadows wait for that."""

    clock: Callable[[], float] = time.monotonic
    count: int = 0
    _left_at: float = float("-inf")
    _none: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._none.set()

    @contextlib.contextmanager
    def one_more(self) -> Iterator[None]:
        """While a request is inside."""
        self.count += 1
        self._none.clear()
        try:
            yield
        finally:
            self.count -= 1
            if not self.count:
                self._left_at = self.clock()
                self._none.set()

    async def quiet(self, *, for_s: float) -> None:
        """Return once no request was inside for so long."""
        while self.count or (left := self._left_at + for_s - self.clock()) > 0:
            if self.count:
                await self._none.wait()
            else:
                await asyncio.sleep(left)
