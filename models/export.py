"""A trained model as ONNX, and the proof that it still answers the same."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

import numpy as np
import onnx
from numpy.typing import NDArray

from domain.errors import ParityNotMet
from models.checkpoints import Parity, ProbabilityScale
from models.networks import forward

if TYPE_CHECKING:
    import torch

TOLERANCE = 1e-4  # in probability
OPSET = 17
OUTPUTS = ("probability", "activation_map", "embedding")

Engine = Literal["onnxruntime", "openvino"]


def network_to_onnx(network: torch.nn.Module, *, calibration: ProbabilityScale, size_px: int) -> bytes:
    """The network with its probability scale as one ONNX model: outputs probability, activation map and embedding."""
    import torch

    class Exported(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
            output = forward(self.network, image)
            probability = torch.sigmoid(calibration.slope * output.logit + calibration.intercept)
            return probability, calibration.slope * output.activation_map + calibration.intercept, output.embedding

    buffer = io.BytesIO()
    axes = {name: {0: "n"} for name in ("image", *OUTPUTS)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter through TorchScript is deprecated, and six times faster
        torch.onnx.export(
            Exported().eval(),
            (torch.zeros(1, 1, size_px, size_px),),
            buffer,  # type: ignore[arg-type]
            input_names=["image"],
            output_names=list(OUTPUTS),
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
        )
    onnx.checker.check_model(onnx.load_from_string(buffer.getvalue()))
    return buffer.getvalue()


def require_parity(
    trained: NDArray[np.float64],
    *,
    exported: Mapping[Engine, NDArray[np.float64]],
    against: Literal["torch", "scikit-learn"],
) -> tuple[Parity, ...]:
    """Compare the trained model's probabilities with those of each engine on the same inputs.

    Raises:
        ParityNotMet: one probability differs by more than the tolerance.
    """
    found = []
    for engine, probabilities in exported.items():
        difference = float(np.abs(probabilities - trained).max())
        if not difference <= TOLERANCE:
            raise ParityNotMet(
                f"{engine} answers up to {difference:.2g} apart from {against} on the tuning data "
                f"(allowed: {TOLERANCE:g}).",
                next_step="Look for an operation that the export does not carry over.",
            )
        found.append(
            Parity(against=against, engine=engine, n=len(trained), max_difference=difference, tolerance=TOLERANCE)
        )
    return tuple(found)
