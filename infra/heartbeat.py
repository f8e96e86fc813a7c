"""A file whose age says whether a loop still turns: for processes without a port, read by ``healthcheck.py``."""

import contextlib
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_PAUSE_S = 1.0


@dataclass
class Heartbeat:
    """``<name>-<host>`` in a folder: containers that share the folder have hosts of their own."""

    folder: Path
    name: str
    clock: Callable[[], float] = time.monotonic
    _beaten_at: float = float("-inf")

    @property
    def path(self) -> Path:
        """The file."""
        return self.folder / f"{self.name}-{socket.gethostname()}"

    def beat(self) -> None:
        """Say that the loop turns; written at most once a second."""
        if self.clock() - self._beaten_at < _PAUSE_S:
            return
        self._beaten_at = self.clock()
        with contextlib.suppress(OSError):  # nobody's work ends because this cannot be written; the file grows old
            self.folder.mkdir(parents=True, exist_ok=True)
            self.path.touch()
