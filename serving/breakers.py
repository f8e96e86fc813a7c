"""Circuit breakers (Nygard, *Release It!*): a version that fails is not asked again until one request has tried it."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

FAILURES = 3  # in a row; a time-out counts as all of them, for each one costs a patient's whole patience
PAUSE_S, LONGEST_PAUSE_S = 2.0, 30.0


class State(StrEnum):
    """Closed: asked. Open: not asked. Half-open: one request is on its way to find out."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


@dataclass
class Breaker:
    """One version's. Calls tell when they began: an answer to an older question than the last change says nothing."""

    clock: Callable[[], float] = time.monotonic
    state: State = State.CLOSED
    pause_s: float = PAUSE_S
    _failures: int = 0
    _changed_at: float = float("-inf")

    def may_ask(self) -> bool:
        """Whether this request may go: always while closed, one after the pause, none else."""
        if self.state is State.OPEN and self.clock() - self._changed_at >= self.pause_s:
            self._become(State.HALF_OPEN)
            return True
        return self.state is State.CLOSED

    def is_out(self) -> bool:
        """True while no request may go; takes nothing away."""
        return self.state is State.HALF_OPEN or (
            self.state is State.OPEN and self.clock() - self._changed_at < self.pause_s
        )

    def succeeded(self, *, begun: float) -> None:
        """The version answered."""
        if begun < self._changed_at:
            return
        self._failures, self.pause_s = 0, PAUSE_S
        if self.state is not State.CLOSED:
            self._become(State.CLOSED)

    def failed(self, *, begun: float, timed_out: bool = False) -> None:
        """It did not, or not as agreed."""
        if begun < self._changed_at:
            return
        self._failures += 1
        if self.state is State.HALF_OPEN:
            self.pause_s = min(2 * self.pause_s, LONGEST_PAUSE_S)
            self._become(State.OPEN)
        elif timed_out or self._failures >= FAILURES:
            self._become(State.OPEN)

    def abandoned(self, *, begun: float) -> None:
        """The caller went away before it was known; the next request may try at once."""
        if self.state is State.HALF_OPEN and begun >= self._changed_at:
            self.state = State.OPEN
            self._changed_at = self.clock() - self.pause_s

    def _become(self, state: State) -> None:
        self.state, self._changed_at, self._failures = state, self.clock(), 0


@dataclass
class Breakers:
    """A breaker for each service that was ever asked and still has its address."""

    clock: Callable[[], float] = time.monotonic
    _by_name: dict[str, Breaker] = field(default_factory=dict)

    def of(self, name: str) -> Breaker:
        """The breaker of a service; closed for a new one."""
        return self._by_name.setdefault(name, Breaker(clock=self.clock))

    def forget(self, name: str) -> None:
        """A service has ended: the next one with its name begins afresh."""
        self._by_name.pop(name, None)

    def states(self) -> dict[str, State]:
        """Every service's state, for the figures."""
        return {name: breaker.state for name, breaker in self._by_name.items()}
