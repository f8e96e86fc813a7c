"""How long engines take, side by side on this machine."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from models.engines import Runner

BATCH = 16
_ROUNDS = 31
_BUDGET_S = 8.0  # for all engines together, at each size of batch; a large network has fewer rounds

Key = TypeVar("Key", bound=Hashable)


class Timed(NamedTuple):
    """Median milliseconds of one image alone, and of one image in a batch."""

    ms_single: float
    ms_batched: float


def timed(runners: Mapping[Key, Runner], inputs: NDArray[np.float32]) -> dict[Key, Timed]:
    """Each engine on the first images (n, 1, size_px, size_px), repeated where there are fewer than a batch.

    In turn, not one after the other: what else the machine does then slows all of them, and their ratios stand.
    """
    batch = np.resize(inputs[:BATCH], (BATCH, *inputs.shape[1:]))
    single, batched = _medians(runners, batch[:1]), _medians(runners, batch)
    return {key: Timed(1e3 * single[key], 1e3 * batched[key] / BATCH) for key in runners}


def machine(*, threads: int) -> str:
    """The processor and the number of threads, as a record names them."""
    return f"{_processor()}, {threads} thread{'s' if threads > 1 else ''}"


def _medians(runners: Mapping[Key, Runner], batch: NDArray[np.float32]) -> dict[Key, float]:
    for run in runners.values():
        run(batch)  # the first call prepares memory
    taken: dict[Key, list[float]] = {key: [] for key in runners}
    until = time.perf_counter() + _BUDGET_S
    for round_ in range(_ROUNDS):
        if round_ >= 3 and time.perf_counter() > until:
            break
        for key, run in runners.items():
            began = time.perf_counter()
            run(batch)
            taken[key].append(time.perf_counter() - began)
    return {key: statistics.median(seconds) for key, seconds in taken.items()}


def _processor() -> str:
    listed = Path("/proc/cpuinfo")
    lines = listed.read_text().splitlines() if listed.is_file() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()
