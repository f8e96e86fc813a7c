"""Sign-in attempts: after some wrong passwords for one account from one address, a pause. Kept in memory."""

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from domain.errors import TooManyAttempts

WRONG_ATTEMPTS = 10
WINDOW_S = 60
_MOST_KEPT = 10_000  # pairs of account and address; the oldest is forgotten first
Key = tuple[str, str]


@dataclass
class Throttle:
    """Counts wrong passwords. A name that no account has counts for its address alone."""

    wrong_attempts: int = WRONG_ATTEMPTS
    window_s: float = WINDOW_S
    clock: Callable[[], float] = time.monotonic
    _wrong: OrderedDict[Key, deque[float]] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def check(self, key: Key) -> None:
        """Before a password is looked at; raises TooManyAttempts."""
        with self._lock:
            wrong = self._wrong.get(key, deque())
            while wrong and self.clock() - wrong[0] >= self.window_s:
                wrong.popleft()
            if len(wrong) >= self.wrong_attempts:
                raise TooManyAttempts("Too many wrong passwords.", next_step=f"Wait {WINDOW_S} seconds.")

    def wrong(self, key: Key) -> None:
        """After a wrong password."""
        with self._lock:
            self._wrong.setdefault(key, deque(maxlen=self.wrong_attempts)).append(self.clock())
            self._wrong.move_to_end(key)
            if len(self._wrong) > _MOST_KEPT:
                self._wrong.popitem(last=False)

    def right(self, key: Key) -> None:
        """After the right password."""
        with self._lock:
            self._wrong.pop(key, None)
