"""What every peer does with a film: the same preprocessing as ours, ONNX Runtime, and all of the model's outputs.

Told by the environment: ``PEER_MODEL`` (a file), ``PEER_SIZE_PX``, ``PEER_PORT``, ``PEER_THREADS`` (of the engine for
one call), ``PEER_CALLS`` (how many calls may run side by side in one process) and ``PEER_WORKERS`` (processes).
"""

import io
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnxruntime
from PIL import Image

from domain.preprocessing import Preprocessing
from models import preprocess

PORT = int(os.environ.get("PEER_PORT", "0"))
CALLS = int(os.environ.get("PEER_CALLS", "1"))
WORKERS = int(os.environ.get("PEER_WORKERS", "1"))
OUTPUTS = ["probability", "activation_map", "embedding"]


class PeerModel:
    """The exported model with its preprocessing."""

    def __init__(self) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = int(os.environ["PEER_THREADS"]), 1
        path = os.environ["PEER_MODEL"]
        self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self._preprocessing = Preprocessing(size_px=int(os.environ["PEER_SIZE_PX"]))

    def prepare(self, body: bytes) -> np.ndarray:
        """The model input of a PNG."""
        return preprocess.apply(np.asarray(Image.open(io.BytesIO(body))), self._preprocessing)

    def run(self, inputs: Sequence[np.ndarray]) -> list[dict[str, Any]]:
        """Answers to a batch of model inputs, as JSON takes them."""
        answers = [output.tolist() for output in self._session.run(OUTPUTS, {"image": np.stack(inputs)})]
        return [dict(zip(OUTPUTS, row, strict=True)) for row in zip(*answers, strict=True)]

    def answer(self, body: bytes) -> dict[str, Any]:
        """The answer to one PNG."""
        return self.run([self.prepare(body)])[0]
