"""The networks that are measured: DenseNet121 as published, and the demo's small one; weights random, seeds fixed.

Speed does not depend on the weights. What parity means clinically is measured on trained models when they are
packaged; here only the largest difference in probability is told.
"""

import logging
from dataclasses import dataclass

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from domain.preprocessing import Preprocessing
from models import networks, preprocess
from models.checkpoints import ProbabilityScale
from models.export import network_to_onnx
from models.task import NetworkSpec
from models.tasks import get_task
from tests.benchmarks.support.films import films

SEED = 1
CALIBRATION_FILMS = 64
SCALE = ProbabilityScale(slope=1.0, intercept=0.0, fitted_on="nothing: random weights", n=0)
DENSENET121 = networks.DenseNet(init_features=64, growth_rate=32, block_config=(6, 12, 24, 16), bottleneck=4)
SMALL_TASK, SMALL_PRESET = "chest_xray_pneumonia", "demo"


@dataclass(frozen=True)
class Exported:
    """A network, and the ONNX bytes that serve in its place."""

    name: str
    network: torch.nn.Module
    preprocessing: Preprocessing
    model: bytes

    def inputs(self, count: int) -> NDArray[np.float32]:
        """Model inputs (count, 1, size_px, size_px) of invented films."""
        side = self.preprocessing.size_px
        return np.stack([preprocess.apply(film, self.preprocessing) for film in films(side, count=count)])


def densenet121() -> Exported:
    """DenseNet121 (Huang et al., CVPR 2017) for one channel of 224 × 224."""
    return _exported("DenseNet121", DENSENET121, Preprocessing(size_px=224))


def small() -> Exported:
    """The network the demo trains."""
    preset = get_task(SMALL_TASK).presets[SMALL_PRESET]
    return _exported("demo's network", preset.network, preset.preprocessing)


def _exported(name: str, spec: NetworkSpec, preprocessing: Preprocessing) -> Exported:
    network = networks.build(spec, seed=SEED)
    network.train()
    with torch.no_grad():  # batch normalisation learns its statistics, else activations vanish layer by layer
        sample = torch.from_numpy(
            np.stack([preprocess.apply(film, preprocessing) for film in films(preprocessing.size_px, count=8)])
        )
        for _ in range(3):
            networks.forward(network, sample)
    network.eval()
    model = network_to_onnx(network, calibration=SCALE, size_px=preprocessing.size_px)
    return Exported(name, network, preprocessing, model)


def int8(exported: Exported) -> bytes:
    """The same model with NNCF's 8-bit weights and activations."""
    import nncf

    nncf.set_log_level(logging.ERROR)
    inputs = exported.inputs(CALIBRATION_FILMS)
    data = nncf.Dataset([one[np.newaxis] for one in inputs], lambda image: {"image": image})
    quantised = nncf.quantize(
        onnx.load_from_string(exported.model), data, subset_size=CALIBRATION_FILMS,
        preset=nncf.QuantizationPreset.MIXED,
    )  # fmt: skip
    content: bytes = quantised.SerializeToString()
    return content
