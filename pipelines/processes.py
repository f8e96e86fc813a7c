"""Servers the offline side starts for itself: begun as child processes, watched, and ended by pid."""

import contextlib
import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from domain.errors import Unavailable
from infra.lifetime import end_with_parent


@dataclass
class Processes:
    """Child processes by name, each with a log file of its own."""

    logs: Path
    environment: Mapping[str, str]
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str, *command: str) -> None:
        """Start ``python -m command…`` with its output in ``<logs>/<name>.log``."""
        self.logs.mkdir(parents=True, exist_ok=True)
        with self._log(name).open("ab") as log:
            self._running[name] = subprocess.Popen(
                [sys.executable, "-m", *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.environment},
                preexec_fn=end_with_parent,  # even when we are killed
                start_new_session=True,
            )

    def wait_until_ready(self, name: str, url: str, *, timeout_s: float) -> None:
        """Return once ``url`` answers 200.

        Raises:
            Unavailable: the process ended or did not answer in time; the message names its log.
        """
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if self._running[name].poll() is not None:
                raise Unavailable(f"{name} ended while starting.", next_step=f"Its log is {self._log(name)}.")
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(url, timeout=2.0, trust_env=False).status_code == httpx.codes.OK:
                    return
            time.sleep(0.2)
        raise Unavailable(f"{name} did not answer in {timeout_s:g} s.", next_step=f"Its log is {self._log(name)}.")

    def ended(self) -> tuple[str, ...]:
        """Names of the processes that are no longer running."""
        return tuple(name for name, process in self._running.items() if process.poll() is not None)

    def stop(self) -> None:
        """End every process: SIGTERM to its group, SIGKILL after ten seconds."""
        for process in self._running.values():
            _signal_group(process, signal.SIGTERM)
        deadline = time.monotonic() + 10.0
        for process in self._running.values():
            try:
                process.wait(timeout=max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                _signal_group(process, signal.SIGKILL)
                process.wait()
        self._running.clear()

    def _log(self, name: str) -> Path:
        return self.logs / f"{name}.log"


@contextlib.contextmanager
def processes(*, logs: Path, environment: Mapping[str, str]) -> Iterator[Processes]:
    """A set of child processes that all end with the block."""
    running = Processes(logs=logs, environment=environment)
    before = signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # so that `finally` runs
    try:
        yield running
    finally:
        running.stop()
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def alone_in(home: Path) -> Iterator[None]:
    """The block is the only one that serves from this home; the kernel ends the claim with the process.

    Raises:
        Unavailable: another process does. Two would take each other's model versions out of traffic.
    """
    home.mkdir(parents=True, exist_ok=True)
    with (home / "serving.lock").open("w") as claim:
        try:
            fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Unavailable(
                f"Another process serves from {home}.", next_step="End it, or set FIDUCIAL_HOME to another folder."
            ) from None
        yield


def require_free(port: int, *, host: str, setting: str) -> None:
    """Do nothing when nobody listens there.

    Raises:
        Unavailable: somebody does.
    """
    if port and free_port(port, host=host) != port:
        raise Unavailable(f"Port {port} of {host} is in use.", next_step=f"End what listens there, or set {setting}.")


def free_port(preferred: int, *, host: str) -> int:
    """``preferred`` when nothing listens on it, else a port the system chooses."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind((host, port))
                return int(probe.getsockname()[1])
    raise Unavailable(f"No free port on {host}.", next_step="End a process that listens there.")


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)
