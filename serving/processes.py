"""Child processes that cannot outlive us: started, watched, started again, ended."""

import contextlib
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from infra import logs
from infra.lifetime import end_with_parent
from serving import process_tree

log = logs.get(__name__)
_LONGEST_PAUSE_S = 30.0
_STEADY_AFTER_S = 60.0


def stop_on_signals() -> threading.Event:
    """An event that SIGTERM and SIGINT set."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


def free_port(first: int, *, host: str = "127.0.0.1", taken: frozenset[int] = frozenset()) -> int:
    """The first free port from ``first`` on; any free one when ``first`` is 0."""
    for port in range(first, first + 200) if first else (0,):
        if port in taken:
            continue
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            return int(probe.getsockname()[1])
    raise OSError(f"no free port from {first} on")


@dataclass
class Child:
    """One program that is kept running. Start it from the main thread: the kernel's "parent" is a thread."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    folder: str | None = None
    _process: subprocess.Popen[bytes] | None = None
    _started_at: float = 0.0
    _failures: int = 0
    _not_before: float = field(default=0.0)
    _below: tuple[process_tree.Process, ...] = ()  # what stood below it when it was last seen running

    @property
    def pid(self) -> int | None:
        """The process, while it runs."""
        return self._process.pid if self.is_running() and self._process else None

    def is_running(self) -> bool:
        """True while the process lives."""
        return self._process is not None and self._process.poll() is None

    def keep_running(self) -> bool:
        """Start it, or start it again after a pause that grows; True when it was (re)started just now."""
        now = time.monotonic()
        if self.is_running() or now < self._not_before:
            return False
        if self._process is not None and self._not_before <= self._started_at:
            self._note_end(now)
            return False
        self._process = subprocess.Popen(
            list(self.command),
            env={**os.environ, **self.environment},
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            preexec_fn=end_with_parent,
            start_new_session=True,
        )
        self._started_at = now
        log.info("process.started", process=self.name, pid=self._process.pid)
        return True

    def _note_end(self, now: float) -> None:
        self._failures = 1 if now - self._started_at > _STEADY_AFTER_S else self._failures + 1
        self._not_before = now + min(0.25 * 2**self._failures, _LONGEST_PAUSE_S)
        process_tree.kill(self._below)
        code = self._process.returncode if self._process else None
        log.warning("process.ended", process=self.name, exit_code=code, failures=self._failures)

    def ask_to_end(self) -> None:
        """SIGTERM to the process alone: it ends its own children."""
        if self._process is not None and self.is_running():
            self.look_below()
            self._process.terminate()

    def end(self, *, within_s: float = 10.0) -> None:
        """Ask it to end; kill its whole group when it does not, or left anything behind."""
        if self._process is None:
            return
        self.ask_to_end()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=within_s)
        self.kill()

    def kill(self) -> None:
        """End it and everything below it at once, also what is stopped or leads a session of its own."""
        if self._process is None:
            return
        self.look_below()
        process_tree.kill(self._below)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def look_below(self) -> None:
        """Remember what it has started, so that none of it is left behind however it ends."""
        if self._process is not None and self.is_running():
            self._below = process_tree.tree(self._process.pid)


def end_all(children: Sequence[Child]) -> None:
    """End several at once: all are asked first, so that they end side by side."""
    for child in children:
        child.ask_to_end()
    for child in children:
        child.end()
