"""Processor time and memory of whole process trees."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence

import psutil

GONE = (psutil.NoSuchProcess, psutil.ZombieProcess)


def tree(process: psutil.Process) -> list[psutil.Process]:
    """A process and all that descend from it."""
    return [process, *process.children(recursive=True)]


def cpu_seconds(process: psutil.Process) -> float:
    """Processor time of a tree so far, ended and waited-for children included."""
    spent = 0.0
    for one in tree(process):
        with contextlib.suppress(*GONE):
            spent += sum(one.cpu_times()[:4])  # own user and system, then those of children waited for
    return spent


def rss_mib(process: psutil.Process) -> float:
    """Resident memory of a tree; pages that processes share count in each."""
    return _sum(process, "rss")


def own_mib(process: psutil.Process) -> float:
    """Memory that would be free if the tree ended: pages that nobody else has."""
    return _sum(process, "uss")


def _sum(process: psutil.Process, kind: str) -> float:
    total = 0
    for one in tree(process):
        with contextlib.suppress(*GONE):
            total += getattr(one.memory_full_info(), kind)
    return total / 2**20


def snapshot(processes: Mapping[str, psutil.Process]) -> dict[str, float]:
    """Processor seconds of several trees."""
    return {name: cpu_seconds(process) for name, process in processes.items()}


@contextlib.contextmanager
def stopped(processes: Sequence[psutil.Process]) -> Iterator[None]:
    """Trees that take no processor time meanwhile: servers that are resident while another one is measured."""
    members = [one for process in processes for one in tree(process)]
    for one in members:
        with contextlib.suppress(*GONE):
            one.suspend()
    try:
        yield
    finally:
        for one in reversed(members):
            with contextlib.suppress(*GONE):
                one.resume()
