"""One network on every engine, each with the same number of threads, without anything of ours around it."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from models import networks
from tests.benchmarks.support.densenet import Exported

Run = Callable[[NDArray[np.float32]], NDArray[np.float32]]  # inputs → probabilities


def torch_eager(exported: Exported, *, threads: int) -> Run:
    """The trained network as it is after training: the reference."""
    network = exported.network.eval()

    def run(inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        torch.set_num_threads(threads)
        with torch.inference_mode():
            return torch.sigmoid(networks.forward(network, torch.from_numpy(inputs)).logit).numpy()

    return run


def onnxruntime(model: bytes, *, threads: int) -> Run:
    import onnxruntime as engine

    options = engine.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = engine.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def run(inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        answers = session.run(["probability", "activation_map", "embedding"], {"image": inputs})
        return np.asarray(answers[0])

    return run


def openvino(model: bytes, *, threads: int, precision: str) -> Run:
    """``precision`` is OpenVINO's hint; an int8 model runs in int8 under either."""
    import openvino as engine

    config = {"INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}
    core = engine.Core()
    compiled = core.compile_model(core.read_model(model), "CPU", config)

    def run(inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.array(compiled({"image": inputs})["probability"])

    return run
