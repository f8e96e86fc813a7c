"""An exported model that answers differently is refused."""

import numpy as np
import pytest

from domain.errors import ParityNotMet
from domain.preprocessing import Preprocessing
from models import export, networks
from models.checkpoints import ProbabilityScale
from models.inference import Scorer
from models.networks import DenseNet

pytestmark = pytest.mark.slow
SPEC = Preprocessing(size_px=48)
SCALE = ProbabilityScale(slope=1.5, intercept=-0.2, fitted_on="test", n=1)


def probabilities(seed: int, inputs: np.ndarray) -> np.ndarray:
    network = networks.build(DenseNet(init_features=8, growth_rate=8, block_config=(2, 2)), seed=seed).eval()
    model = export.network_to_onnx(network, calibration=SCALE, size_px=48)
    return Scorer(model, preprocessing=SPEC, engine="onnxruntime").probabilities(inputs)


def test_parity_is_refused_when_another_network_was_exported() -> None:
    inputs = np.random.default_rng(0).normal(size=(4, 1, 48, 48)).astype(np.float32)

    with pytest.raises(ParityNotMet):
        export.require_parity(
            probabilities(1, inputs), exported={"onnxruntime": probabilities(2, inputs)}, against="torch"
        )


def test_parity_is_refused_when_an_engine_gives_no_number() -> None:
    with pytest.raises(ParityNotMet):
        export.require_parity(np.array([0.5]), exported={"openvino": np.array([np.nan])}, against="torch")


def test_the_same_network_exports_to_the_same_bytes() -> None:
    network = networks.build(DenseNet(init_features=8, growth_rate=8, block_config=(2, 2)), seed=1).eval()

    first, second = (export.network_to_onnx(network, calibration=SCALE, size_px=48) for _ in range(2))

    assert first == second
