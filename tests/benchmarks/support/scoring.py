"""The bare call in this process: the engine a version names, with as many threads as there are cores."""

import inspect
import itertools
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from domain.preprocessing import Preprocessing
from models.inference import Scorer
from tests.benchmarks.support.films import decoded
from tests.benchmarks.support.knobs import CORES


def scorer(model: bytes, preprocessing: Preprocessing, *, engine: str, precision: str, threads: int = CORES) -> Scorer:
    """What serves the model, loaded in this process."""
    settings: dict[str, Any] = {"engine": engine, "threads": threads}
    if "precision" in inspect.signature(Scorer).parameters:
        settings["precision"] = precision
    return Scorer(model, preprocessing=preprocessing, **settings)


def images_per_second(bare: Scorer, inputs: Any, *, batch: int, seconds: float) -> float:
    """How many prepared inputs the engine alone scores."""
    batches = itertools.cycle([inputs[i : i + batch] for i in range(0, len(inputs) - batch + 1, batch)])
    bare.probabilities(next(batches))
    begun, done = time.perf_counter(), 0
    while (spent := time.perf_counter() - begun) < seconds:
        bare.probabilities(next(batches))
        done += batch
    return done / spent


def side_by_side(bares: Sequence[Scorer], inputs: Any, *, seconds: float) -> float:
    """The same with several engines of one thread each, one image a call: no thread waits for another."""
    with ThreadPoolExecutor(len(bares)) as pool:
        return sum(pool.map(lambda bare: images_per_second(bare, inputs, batch=1, seconds=seconds), bares))


@dataclass(frozen=True)
class Parts:
    """Core-milliseconds of one image's parts, each measured alone."""

    decode: float
    preprocess: float
    engine: float  # in batches of 16


def parts(bare: Scorer, bodies: Sequence[bytes], *, seconds: float, batch: int = 16) -> Parts:
    """Processor time of each part on these bodies, all threads together."""
    films = [decoded(body) for body in bodies]
    inputs = np.stack([bare.prepare(film) for film in films[:batch]])
    return Parts(
        decode=core_ms(lambda: [decoded(body) for body in bodies], seconds=seconds) / len(bodies),
        preprocess=core_ms(lambda: [bare.prepare(film) for film in films], seconds=seconds) / len(films),
        engine=core_ms(lambda: bare.probabilities(inputs), seconds=seconds) / len(inputs),
    )


def core_ms(call: Callable[[], object], *, seconds: float) -> float:
    """Processor milliseconds of a call, all threads of this process together; the mean over some seconds."""
    call()
    calls, until, begun = 0, time.perf_counter() + seconds, time.process_time()
    while calls == 0 or time.perf_counter() < until:
        call()
        calls += 1
    return 1e3 * (time.process_time() - begun) / calls
