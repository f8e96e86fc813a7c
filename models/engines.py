"""Engines behind one small protocol: bytes of an exported model in, a function from inputs to outputs back.

Part of every Bento, so it knows neither torch nor NNCF; the trained network itself is ``models.torch_engine``.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from domain.errors import Refused
from domain.model_version import Engine, Precision

INPUT = "image"  # (n, 1, size_px, size_px) float32
OUTPUTS = PROBABILITY, ACTIVATION_MAP, EMBEDDING = "probability", "activation_map", "embedding"
CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
_BATCH = 32

Outputs = dict[str, NDArray[np.float32]]


class Runner(Protocol):
    """An engine with a loaded model; it may be called from several threads."""

    def __call__(self, inputs: NDArray[np.float32]) -> Outputs: ...


def load(
    model: bytes, *, engine: Engine, precision: Precision = "fp32", threads: int = 1, lanes: int = 1,
    available: Sequence[str] | None = None,
) -> Runner:  # fmt: skip
    """The model in an engine. int8 is a property of the bytes, bf16 of how OpenVINO computes them.

    A call that is alone gets all ``threads``; up to ``lanes`` calls that meet share them out and run side by side.
    ``available``: ONNX Runtime's providers on this machine; left out, the library is asked.

    Raises:
        Refused: no such engine runs exported bytes, or not at this precision.
    """
    if engine == "openvino":
        return _by_company(
            lambda lanes: _openvino_runner(model, precision=precision, threads=threads, lanes=lanes), lanes
        )
    if engine != "onnxruntime" or precision == "bf16":
        raise Refused(
            f"{engine} does not run an exported model at {precision}.",
            next_step="onnxruntime runs fp32 and int8, openvino fp32, bf16 and int8.",
        )
    return _by_company(
        lambda lanes: _onnxruntime_runner(model, threads=max(1, threads // lanes), available=available), lanes
    )


def _by_company(make: Callable[[int], Runner], lanes: int) -> Runner:
    return make(1) if lanes == 1 else _ByCompany(make(1), make(lanes))


class _ByCompany:
    """Threads of one call wait for each other at every layer: calls on a thread each get more out of the same cores."""

    def __init__(self, alone: Runner, beside_others: Runner) -> None:
        self._alone, self._beside_others = alone, beside_others
        self._running, self._lock = 0, threading.Lock()

    def __call__(self, inputs: NDArray[np.float32]) -> Outputs:
        with self._lock:
            run = self._beside_others if self._running else self._alone
            self._running += 1
        try:
            return run(inputs)
        finally:
            with self._lock:
                self._running -= 1


def probabilities(run: Runner, inputs: NDArray[np.float32]) -> NDArray[np.float64]:
    """Probabilities (n,) of inputs (n, 1, size_px, size_px), batch by batch."""
    parts = [run(batch)[PROBABILITY] for batch in batches(inputs)]
    return np.concatenate(parts).astype(np.float64)


def batches(inputs: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Inputs in batches of what memory bears."""
    return [inputs[first : first + _BATCH] for first in range(0, len(inputs), _BATCH)]


def providers(available: Sequence[str]) -> list[tuple[str, dict[str, str]]]:
    """What ONNX Runtime tries, in order: CUDA where the machine has it, the processor always.

    Without TF32: its ten bits of mantissa are not the fp32 that was compared with the trained model.
    """
    return [(CUDA, {"use_tf32": "0"})] * (CUDA in available) + [(CPU, {})]


def _onnxruntime_runner(model: bytes, *, threads: int, available: Sequence[str] | None) -> Runner:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.use_deterministic_compute = True
    found = onnxruntime.get_available_providers() if available is None else available
    session = onnxruntime.InferenceSession(model, options, providers=providers(found))
    names = [output.name for output in session.get_outputs()]
    return lambda inputs: dict(zip(names, session.run(names, {INPUT: inputs}), strict=True))


def _openvino_runner(model: bytes, *, precision: Precision, threads: int, lanes: int) -> Runner:
    import openvino

    # Said, not left to OpenVINO: it takes bf16 where the processor has it, and probabilities move in the third digit.
    hint = "bf16" if precision == "bf16" else "f32"
    config = {"INFERENCE_PRECISION_HINT": hint, "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": lanes}
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(model), "CPU", config)
    # OpenVINO gives an output every name its tensor ever had.
    names = [name for output in compiled.outputs for name in OUTPUTS if name in output.get_names()]
    request = _one_for_each_thread(compiled.create_infer_request)  # one request answers one call at a time

    def run(inputs: NDArray[np.float32]) -> Outputs:
        results = request().infer({INPUT: inputs})
        return {name: np.array(results[name]) for name in names}

    return run


def _one_for_each_thread(make: Callable[[], Any]) -> Callable[[], Any]:
    mine = threading.local()

    def get() -> Any:
        if not hasattr(mine, "made"):
            mine.made = make()
        return mine.made

    return get
