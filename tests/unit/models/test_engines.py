"""Engines: the same answers from each, on the hardware that is there, from as many threads as ask."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

from domain.model_version import Engine, Precision
from models import engines
from models.engines import CPU, CUDA

INPUTS = np.random.default_rng(5).normal(size=(40, 1, 32, 32)).astype(np.float32)


def test_cuda_comes_first_where_the_machine_has_it_and_keeps_fp32() -> None:
    assert engines.providers([CUDA, CPU]) == [(CUDA, {"use_tf32": "0"}), (CPU, {})]
    assert engines.providers(["TensorrtExecutionProvider", CPU]) == [(CPU, {})]


def test_a_model_loads_with_the_providers_that_are_said_to_be_there(tiny_model_bytes: bytes) -> None:
    own = engines.load(tiny_model_bytes, engine="onnxruntime", available=[CPU])

    assert np.array_equal(
        engines.probabilities(own, INPUTS),
        engines.probabilities(engines.load(tiny_model_bytes, engine="onnxruntime"), INPUTS),
    )


@pytest.mark.parametrize(("precision", "apart"), [("fp32", 1e-6), ("bf16", 0.02)])
def test_openvino_answers_as_onnx_runtime_within_its_precision(
    precision: Precision, apart: float, tiny_model_bytes: bytes
) -> None:
    reference = engines.probabilities(engines.load(tiny_model_bytes, engine="onnxruntime"), INPUTS)
    other = engines.load(tiny_model_bytes, engine="openvino", precision=precision, threads=2)

    assert engines.probabilities(other, INPUTS) == pytest.approx(reference, abs=apart)


@pytest.mark.parametrize("lanes", [1, 2])
@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_threads_that_ask_at_once_each_get_their_own_answer(
    engine: Engine, lanes: int, tiny_model_bytes: bytes
) -> None:
    run = engines.load(tiny_model_bytes, engine=engine, threads=2, lanes=lanes)
    alone = [engines.probabilities(run, INPUTS[row : row + 1])[0] for row in range(len(INPUTS))]

    with ThreadPoolExecutor(4) as pool:
        at_once = list(pool.map(lambda row: engines.probabilities(run, INPUTS[row : row + 1])[0], range(len(INPUTS))))

    assert at_once == alone


def test_a_call_that_is_alone_takes_all_threads_and_one_that_meets_it_its_share(
    tiny_model_bytes: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside, leave, used = threading.Event(), threading.Event(), []

    def runner(model: bytes, *, threads: int, available: object) -> engines.Runner:
        def run(inputs: NDArray[np.float32]) -> engines.Outputs:
            used.append(threads)
            inside.set()
            assert leave.wait(5)
            return {}

        return run

    monkeypatch.setattr(engines, "_onnxruntime_runner", runner)
    run = engines.load(tiny_model_bytes, engine="onnxruntime", threads=4, lanes=2)
    with ThreadPoolExecutor(1) as other:
        first = other.submit(run, INPUTS)
        assert inside.wait(5)
        inside.clear()
        second = threading.Thread(target=run, args=(INPUTS,))
        second.start()
        assert inside.wait(5)
        leave.set()
        second.join()
        first.result()
    run(INPUTS)

    assert used == [4, 2, 4]
