"""The bare engine: how many times faster than torch the exported network is, at batch 1 and 16."""

import statistics
import time
from collections.abc import Callable

import numpy as np
import pytest

from tests.benchmarks.support import engines
from tests.benchmarks.support.densenet import Exported
from tests.benchmarks.support.facts import facts, pytest_command
from tests.benchmarks.support.knobs import CORES, ROUNDS, SECONDS
from tests.benchmarks.support.tables import Limit, table, verdicts

pytestmark = pytest.mark.benchmark
BATCHES = (1, 16)
FASTER_THAN_TORCH = 3.0


@pytest.mark.timeout(3600)
def test_chosen_engine_against_torch(
    densenet121: Exported, densenet121_int8: bytes, show: Callable[[str], None]
) -> None:
    runs = {
        "torch eager": engines.torch_eager(densenet121, threads=CORES),
        "ONNX Runtime fp32": engines.onnxruntime(densenet121.model, threads=CORES),
        "OpenVINO fp32": engines.openvino(densenet121.model, threads=CORES, precision="f32"),
        "OpenVINO bf16": engines.openvino(densenet121.model, threads=CORES, precision="bf16"),
        "OpenVINO int8": engines.openvino(densenet121_int8, threads=CORES, precision="f32"),
    }
    inputs = densenet121.inputs(max(BATCHES))
    probabilities = {name: run(inputs) for name, run in runs.items()}
    seconds: dict[tuple[str, int], list[float]] = {(name, batch): [] for name in runs for batch in BATCHES}
    each = SECONDS / len(seconds) * 2
    header = facts(pytest_command("test_engines.py"))
    for _ in range(ROUNDS):
        for (name, batch), spent in seconds.items():
            spent += timed(runs[name], inputs[:batch], seconds=each)
    ms = {key: 1e3 * statistics.median(values) for key, values in seconds.items()}
    rows = [
        (
            name, ms[name, 1], ms["torch eager", 1] / ms[name, 1], ms[name, 16] / 16,
            ms["torch eager", 16] / ms[name, 16],
            f"{np.abs(probabilities[name] - probabilities['torch eager']).max():.1g}",
        )
        for name in runs
    ]  # fmt: skip
    head = ("engine", "ms, batch 1", "times torch", "ms an image, batch 16", "times torch", "largest difference")
    best = {batch: max(ms["torch eager", batch] / ms[name, batch] for name in runs) for batch in BATCHES}
    limits = [
        Limit(f"fastest engine against torch eager, batch {batch}", ratio, "at least", FASTER_THAN_TORCH)
        for batch, ratio in best.items()
    ]
    show(f"{header}\nDenseNet121, 224 × 224, {CORES} threads each.\n\n{table(head, rows)}\n{verdicts(limits)}")


def timed(run: engines.Run, inputs: np.ndarray, *, seconds: float) -> list[float]:
    """Seconds of each call; the first one warms up."""
    run(inputs)
    spent: list[float] = []
    until = time.perf_counter() + seconds
    while not spent or time.perf_counter() < until:
        begun = time.perf_counter()
        run(inputs)
        spent.append(time.perf_counter() - begun)
    return spent
