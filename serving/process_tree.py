"""A process and everything below it, read from ``/proc``; empty where the system has none."""

import contextlib
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

_PROC = Path("/proc")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Process(NamedTuple):
    """One process, told apart from a later one that got the same number by when it began."""

    pid: int
    parent: int
    began: int  # clock ticks since the machine started


def tree(pid: int) -> tuple[Process, ...]:
    """A process and its descendants, parents first. BentoML's workers lead sessions of their own."""
    below: dict[int, list[Process]] = {}
    everyone = {found.pid: found for found in _all()}
    for found in everyone.values():
        below.setdefault(found.parent, []).append(found)
    found_of = [everyone[pid]] if pid in everyone else []
    for process in found_of:  # grows while it is walked
        found_of += below.get(process.pid, [])
    return tuple(found_of)


def rss_bytes(pid: int) -> int:
    """Resident memory of the tree; pages that several of its processes share count in each."""
    return sum(_resident(process.pid) for process in tree(pid))


def kill(processes: Sequence[Process]) -> None:
    """SIGKILL to each that still is the process it was: a stopped one does not act on any other signal."""
    for process in processes:
        now = _read(process.pid)
        if now is not None and now.began == process.began:  # its parent may have ended before it
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(process.pid, signal.SIGKILL)


def _all() -> list[Process]:
    if not _PROC.is_dir():
        return []
    read = [_read(int(folder.name)) for folder in _PROC.iterdir() if folder.name.isdigit()]
    return [process for process in read if process is not None]


def _read(pid: int) -> Process | None:
    try:
        # "pid (name) state ppid …": the name may hold blanks and brackets. proc(5): fields 4 and 22.
        fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:  # it ended meanwhile
        return None
    return Process(pid, parent=int(fields[1]), began=int(fields[19]))


def _resident(pid: int) -> int:
    try:
        return int((_PROC / str(pid) / "statm").read_text().split()[1]) * _PAGE_BYTES
    except OSError:
        return 0
