"""The trained network itself as an engine: the reference that every exported file is held against. It never serves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models import checkpoints, networks
from models.checkpoints import ProbabilityScale, TrainedModel
from models.engines import OUTPUTS, Outputs, Runner
from models.task import NetworkSpec

if TYPE_CHECKING:
    import torch


def runner(network: torch.nn.Module, *, scale: ProbabilityScale, threads: int = 1) -> Runner:
    """A network in memory, with its probability scale."""
    import torch

    network = network.eval()

    def run(inputs: NDArray[np.float32]) -> Outputs:
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            with torch.inference_mode():
                given = torch.from_numpy(np.ascontiguousarray(inputs))
                found = networks.answer(network, given, slope=scale.slope, intercept=scale.intercept)
        finally:
            torch.set_num_threads(before)
        return {name: tensor.numpy() for name, tensor in zip(OUTPUTS, found, strict=True)}

    return run


def stored(folder: Path, trained: TrainedModel, *, spec: NetworkSpec, threads: int = 1) -> Runner:
    """The network of a variant's folder, by the weights that its record names.

    Raises:
        DigestMismatch: ``weights.pt`` holds other weights.
    """
    state = checkpoints.load_weights(folder / checkpoints.WEIGHTS_FILE, expected=trained.weights_sha256)
    network = networks.build(spec, seed=0)  # every weight it draws is replaced
    network.load_state_dict(state)
    scale = trained.calibration or ProbabilityScale(slope=1.0, intercept=0.0, fitted_on="nothing", n=0)
    return runner(network, scale=scale, threads=threads)
