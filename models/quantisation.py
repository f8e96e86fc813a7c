"""int8 by post-training quantisation: weights and activations in eight bits, their ranges from tuning films (NNCF).

The result is one self-contained ONNX file of quantise and dequantise pairs, the same to the byte for the same inputs.
Test data never come here: ranges fitted on them would be a look at the test set.
"""

import contextlib
import io
import logging

import numpy as np
import onnx
from numpy.typing import NDArray

from models.engines import INPUT

FILMS = 128  # NNCF's default is 300; on 128 films the ranges of a small network stand still
_HEAVY = frozenset({"Conv", "Gemm", "MatMul"})  # where the time goes


def quantise(model: bytes, *, inputs: NDArray[np.float32]) -> bytes:
    """The fp32 model in int8, calibrated on inputs (n, 1, size_px, size_px). Imports NNCF late: it takes seconds.

    Two things are for OpenVINO 2026.4, which answers any number of films with one model. Activations are symmetric
    (NNCF's "performance"): with its "mixed" zero points, films in a batch of open size get other answers than ONNX
    Runtime gives with the same file, by up to 0.07. And what follows the last convolution stays in fp32, where it costs
    no time: quantised, its means come from uninitialised memory.
    """
    graph = onnx.load_from_string(model)
    loggers = logging.getLoggerClass()
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # a progress bar, whatever the level of its log
            import nncf

            nncf.set_log_level(logging.ERROR)
            quantised = nncf.quantize(
                graph,
                nncf.Dataset([inputs[row : row + 1] for row in range(len(inputs))], lambda film: {INPUT: film}),
                subset_size=len(inputs),
                preset=nncf.QuantizationPreset.PERFORMANCE,
                ignored_scope=nncf.IgnoredScope(names=after_the_last_convolution(graph)),
            )
    finally:
        logging.setLoggerClass(loggers)  # NNCF sets its own for everybody
    return bytes(quantised.SerializeToString(deterministic=True))


def after_the_last_convolution(model: onnx.ModelProto) -> list[str]:
    """Names of the nodes that lead to no convolution or matrix product and are none, in the order of the graph."""
    leading: set[str] = set()  # tensors that reach a heavy node
    tail = []
    for node in reversed(model.graph.node):
        if node.op_type in _HEAVY or leading.intersection(node.output):
            leading.update(node.input)
        else:
            tail.append(node.name)
    return tail[::-1]
