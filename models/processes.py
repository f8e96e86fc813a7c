"""Jobs side by side, each in a process of its own."""

from __future__ import annotations

import logging
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any

from domain.errors import FiducialError, Unavailable

Report = Callable[[Any], None]
_Message = tuple[str, Any]


def run_side_by_side(
    work: Callable[[Any, Report], Any], jobs: Sequence[Any], *, at_once: int, on_report: Callable[[Any, Any], None]
) -> Iterator[tuple[Any, Any]]:
    """Each job with the result of ``work(job, report)``, as they finish; what a job reports arrives in this process.

    When one fails, or the caller stops, the others are ended.

    Raises:
        FiducialError: raised by a job.
        Unavailable: a process ended without a result, e.g. because it was killed.
    """
    waiting, running = list(jobs), dict[Connection, tuple[Any, SpawnProcess]]()
    try:
        while waiting or running:
            while waiting and len(running) < at_once:
                job = waiting.pop(0)
                connection, process = _start(work, job)
                running[connection] = (job, process)
            for ready in [item for item in wait(list(running)) if isinstance(item, Connection)]:
                job, process = running[ready]
                kind, content = _receive(ready, process)
                if kind == "report":
                    on_report(job, content)
                    continue
                del running[ready]
                process.join()
                if kind == "failed":
                    raise content
                yield job, content
    finally:
        for _, process in running.values():
            process.kill()


def cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _start(work: Callable[[Any, Report], Any], job: Any) -> tuple[Connection, SpawnProcess]:
    # Spawned, not forked: torch's and MLflow's threads do not survive a fork.
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(work, job, theirs), daemon=True)
    process.start()
    theirs.close()  # so that the end of the process is the end of the pipe
    return ours, process


def _run(work: Callable[[Any, Report], Any], job: Any, connection: Connection) -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        result = work(job, lambda content: connection.send(("report", content)))
    except FiducialError as error:
        connection.send(("failed", error))
    else:
        connection.send(("done", result))


def _receive(connection: Connection, process: SpawnProcess) -> _Message:
    try:
        message: _Message = connection.recv()
    except EOFError:
        process.join()
        return "failed", Unavailable(
            f"A training process ended early (exit code {process.exitcode}).",
            next_step="Run the same command again; it continues after the last finished epoch.",
        )
    return message
