"""An exported model that answers differently is refused; a quantised one must earn its place."""

import io
import logging
from contextlib import redirect_stdout

import numpy as np
import onnx
import pytest

from domain.dataset import DatasetVersion, Sample, Split
from domain.errors import ParityNotMet
from domain.identifiers import sha256_of
from domain.model_version import Engine, EngineCandidate
from models import engine_choice, engines, export, networks, quantisation, torch_engine
from models.checkpoints import ProbabilityScale
from models.engine_choice import Chosen, Exported
from models.loaders import Cohort
from models.networks import DenseNet

pytestmark = pytest.mark.slow
SCALE = ProbabilityScale(slope=4.0, intercept=-0.2, fitted_on="test", n=1)
SPEC = DenseNet(init_features=8, growth_rate=8, block_config=(2, 2))
SIZE_PX, FILMS = 48, 160
INPUTS = np.random.default_rng(0).normal(size=(FILMS, 1, SIZE_PX, SIZE_PX)).astype(np.float32)
INPUTS *= np.linspace(0.7, 1.3, FILMS, dtype=np.float32)[:, None, None, None]  # of different contrast


def onnx_of(seed: int) -> bytes:
    return export.network_to_onnx(networks.build(SPEC, seed=seed).eval(), calibration=SCALE, size_px=SIZE_PX)


@pytest.fixture(scope="module")
def model() -> bytes:
    return onnx_of(1)


@pytest.fixture(scope="module")
def quantised(model: bytes) -> bytes:
    return quantisation.quantise(model, inputs=INPUTS[:: FILMS // 32])


@pytest.fixture(scope="module")
def trained() -> np.ndarray:
    return engines.probabilities(torch_engine.runner(networks.build(SPEC, seed=1), scale=SCALE), INPUTS)


@pytest.fixture(scope="module")
def cohort(trained: np.ndarray) -> Cohort:
    """Films whose reference standard the network knows, but for every fifth."""
    median = float(np.median(trained))
    labels = np.array([int((p > median) != (row % 5 == 0)) for row, p in enumerate(trained)])
    samples = tuple(
        Sample(
            sample_id=f"s{row:03d}", patient_key=f"p{row:03d}", split=Split.TUNE, label=int(label), site="here",
            sha256=sha256_of(b""), shard="0", offset=0, length=0, rows=SIZE_PX, columns=SIZE_PX,
        )
        for row, label in enumerate(labels)
    )  # fmt: skip
    version = DatasetVersion(
        source="noise", distribution="generated", digest=sha256_of(b"noise"), synthetic=True, counts={}, excluded={},
        shards={},
    )  # fmt: skip
    return Cohort(version, samples, np.zeros((FILMS, SIZE_PX, SIZE_PX), dtype=np.uint8), labels)


def choose(trained: np.ndarray, cohort: Cohort, *, fp32: bytes, int8: bytes) -> Chosen:
    exported = Exported(
        files={"fp32": fp32, "int8": int8}, weights_sha256=sha256_of(b"w"), against="torch", runner=None
    )
    return engine_choice.choose(exported, trained, tune=cohort, inputs=INPUTS, model_version="noise/network")


def of(chosen: Chosen, precision: str, engine: Engine = "openvino") -> EngineCandidate:
    (found,) = [one for one in chosen.choice.candidates if (one.engine, one.precision) == (engine, precision)]
    return found


def test_each_engine_answers_as_the_trained_network_within_its_precision(
    model: bytes, quantised: bytes, trained: np.ndarray, cohort: Cohort
) -> None:
    chosen = choose(trained, cohort, fp32=model, int8=quantised)

    assert of(chosen, "fp32", "onnxruntime").max_difference < 1e-5
    assert of(chosen, "fp32").max_difference < 1e-5
    assert 1e-5 < of(chosen, "int8").max_difference < 0.05
    assert all(one.passes for one in chosen.choice.candidates)
    assert of(chosen, "int8").model_sha256 == sha256_of(quantised)


def test_a_quantisation_calibrated_on_inputs_of_another_scale_is_recorded_and_not_chosen(
    model: bytes, trained: np.ndarray, cohort: Cohort
) -> None:
    spoilt = quantisation.quantise(model, inputs=INPUTS[:32] * 0.01)

    chosen = choose(trained, cohort, fp32=model, int8=spoilt)

    assert not of(chosen, "int8").passes
    assert chosen.choice.precision != "int8"


def test_another_networks_export_is_refused(trained: np.ndarray, cohort: Cohort, quantised: bytes) -> None:
    with pytest.raises(ParityNotMet, match="onnxruntime fp32 is up to"):
        choose(trained, cohort, fp32=onnx_of(2), int8=quantised)


def test_the_same_network_exports_and_quantises_to_the_same_bytes(model: bytes, quantised: bytes) -> None:
    again = onnx_of(1)

    assert again == model
    assert quantisation.quantise(again, inputs=INPUTS[:: FILMS // 32]) == quantised
    assert len(quantised) < 2 * len(model)


def test_nothing_after_the_last_convolution_is_quantised(quantised: bytes) -> None:
    graph = onnx.load_from_string(quantised)
    kinds = {node.name: node.op_type for node in graph.graph.node}
    tail = [kinds[name] for name in quantisation.after_the_last_convolution(graph)]

    assert "QuantizeLinear" in kinds.values()
    assert "ReduceMean" in tail
    assert "QuantizeLinear" not in tail


def test_openvino_computes_the_quantised_file_as_onnx_runtime_does() -> None:
    """With zero points in its activations (NNCF's preset "mixed") it does not, where the batch is of open size."""
    deeper = DenseNet(init_features=16, growth_rate=16, block_config=(2, 4, 6))
    network = networks.build(deeper, seed=1).eval()
    exported = export.network_to_onnx(network, calibration=SCALE, size_px=SIZE_PX)
    quantised = quantisation.quantise(exported, inputs=INPUTS[:32])
    reference = engines.probabilities(engines.load(quantised, engine="onnxruntime", precision="int8"), INPUTS)
    own = engines.probabilities(engines.load(quantised, engine="openvino", precision="int8"), INPUTS)

    assert np.abs(own - reference).mean() < 2e-3


def test_quantising_says_nothing_and_leaves_logging_as_it_was(model: bytes) -> None:
    loggers, said = logging.getLoggerClass(), io.StringIO()

    with redirect_stdout(said):
        quantisation.quantise(model, inputs=INPUTS[:4])

    assert said.getvalue() == ""
    assert logging.getLoggerClass() is loggers
