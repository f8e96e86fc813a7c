"""A trained network as ONNX; whether it still answers the same is for ``engine_choice`` to find."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING

import onnx

from models.checkpoints import ProbabilityScale
from models.engines import INPUT, OUTPUTS
from models.networks import answer

if TYPE_CHECKING:
    import torch

OPSET = 17


def network_to_onnx(network: torch.nn.Module, *, calibration: ProbabilityScale, size_px: int) -> bytes:
    """The network with its probability scale as one ONNX model: outputs probability, activation map and embedding."""
    import torch

    class Exported(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
            return answer(self.network, image, slope=calibration.slope, intercept=calibration.intercept)

    buffer = io.BytesIO()
    axes = {name: {0: "n"} for name in (INPUT, *OUTPUTS)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter through TorchScript is deprecated, and six times faster
        torch.onnx.export(
            Exported().eval(),
            (torch.zeros(1, 1, size_px, size_px),),
            buffer,  # type: ignore[arg-type]
            input_names=[INPUT],
            output_names=list(OUTPUTS),
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
        )
    onnx.checker.check_model(onnx.load_from_string(buffer.getvalue()))
    return buffer.getvalue()
