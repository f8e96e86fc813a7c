"""Tiny classifiers in ONNX, built by hand: one answers by the mean grey value, one looks for a striped cell."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from domain.codes import PNEUMONIA
from domain.dataset import DatasetVersion, Sample, Split
from domain.identifiers import Sha256, sha256_of
from domain.intended_use import IntendedUse
from domain.model_version import ModelManifest, OperatingPoint, ReferenceAnswer
from domain.preprocessing import Preprocessing
from evidence.scored_set import ScoredSet
from models import preprocess
from models.inference import Scorer
from models.loaders import Cohort
from models.scoring import Scored

SIZE_PX = 32


def tiny_model() -> bytes:
    nodes = [
        helper.make_node("AveragePool", ["image"], ["map4"], kernel_shape=[8, 8], strides=[8, 8]),
        helper.make_node("Squeeze", ["map4", "axis1"], ["activation_map"]),
        helper.make_node("ReduceMean", ["image", "axes23"], ["embedding"], keepdims=0),
        helper.make_node("Mul", ["embedding", "slope"], ["logit"]),
        helper.make_node("Sigmoid", ["logit"], ["probability2"]),
        helper.make_node("Squeeze", ["probability2", "axis1"], ["probability"]),
    ]
    constants = {"axis1": np.array([1]), "axes23": np.array([2, 3]), "slope": np.array([3.0], dtype=np.float32)}
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 1, SIZE_PX, SIZE_PX])],
        [
            helper.make_tensor_value_info("probability", TensorProto.FLOAT, ["n"]),
            helper.make_tensor_value_info("activation_map", TensorProto.FLOAT, ["n", 4, 4]),
            helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", 1]),
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def reference_pixels(seed: int = 7) -> np.ndarray:
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:120, 0:100]
    return ((rows + columns) % 200 + rng.integers(0, 40, (120, 100))).astype(np.uint8)


@pytest.fixture
def film() -> Callable[[int], np.ndarray]:
    return reference_pixels


@pytest.fixture
def tiny_model_bytes() -> bytes:
    return tiny_model()


@pytest.fixture
def model_folder(tmp_path: Path) -> Callable[..., Path]:
    """Write a complete model folder; keyword arguments replace fields of its manifest."""

    def write(**changes: object) -> Path:
        folder = tmp_path / "model"
        folder.mkdir(exist_ok=True)
        model = tiny_model()
        (folder / "model.onnx").write_bytes(model)
        np.save(folder / "reference-0.npy", reference_pixels())
        digest = Sha256("0" * 64)
        manifest = ModelManifest(
            task="tiny", title="Tiny", version=1, variant="network-seed1", demo=False,
            intended_use=IntendedUse(
                statement="test", modalities=frozenset({"DX"}), body_parts=frozenset({"CHEST"}),
                view_positions=frozenset({"PA"}),
            ),
            finding=PNEUMONIA, preprocessing=Preprocessing(size_px=SIZE_PX),
            operating_point=OperatingPoint(threshold=0.5, rule="test", chosen_on="tune"),
            engine="onnxruntime", explains=True, parameters=1, weights_sha256=digest, model_sha256=sha256_of(model),
            report_sha256=digest,
            dataset_version=DatasetVersion(
                source="tiny", distribution="generated", digest=digest, synthetic=True, counts={}, excluded={},
                shards={},
            ),
            run_id="0" * 32, git_commit="0" * 40, git_dirty=False, seed=1, performance=(), criteria=(),
            reference_answers=(ReferenceAnswer(file="reference-0.npy", probability=0.5652, tolerance=0.01),),
            approver="demo",
        )  # fmt: skip
        (folder / "manifest.json").write_text(manifest.model_copy(update=changes).model_dump_json())
        return folder

    return write


def striped() -> np.ndarray:
    """The pattern of an 8 × 8 cell that ``looking_model`` looks for: rows of +1 and −1 in turn, sum 0."""
    return np.where(np.arange(64).reshape(8, 8) // 8 % 2 == 0, 1.0, -1.0)


@pytest.fixture(scope="session")
def looking_model() -> Callable[..., bytes]:
    """A network whose logit is ``slope`` · (the strongest cell of its map − 0.5); the map is a convolution with the
    striped pattern, or with ``pooled`` the cells' means, which owe nothing to the weights.
    """

    def make(*, slope: float = 12.0, pooled: bool = False) -> bytes:
        kernel = (striped() / 64).astype(np.float32).reshape(1, 1, 8, 8)
        constants = {
            "kernel": kernel, "axis1": np.array([1]), "axes123": np.array([1, 2, 3]),
            "half": np.array(0.5, dtype=np.float32), "slope": np.array(slope, dtype=np.float32),
        }  # fmt: skip
        seen = helper.make_node("Conv", ["image", "kernel"], ["striped"], kernel_shape=[8, 8], strides=[8, 8])
        means = helper.make_node("AveragePool", ["image"], ["means"], kernel_shape=[8, 8], strides=[8, 8])
        nodes = [
            seen,
            means,
            helper.make_node("Squeeze", ["means" if pooled else "striped", "axis1"], ["activation_map"]),
            helper.make_node("ReduceMax", ["striped", "axes123"], ["strongest"], keepdims=0),
            helper.make_node("Sub", ["strongest", "half"], ["excess"]),
            helper.make_node("Mul", ["excess", "slope"], ["logit"]),
            helper.make_node("Sigmoid", ["logit"], ["probability"]),
        ]
        graph = helper.make_graph(
            nodes,
            "looking",
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 1, SIZE_PX, SIZE_PX])],
            [
                helper.make_tensor_value_info("probability", TensorProto.FLOAT, ["n"]),
                helper.make_tensor_value_info("activation_map", TensorProto.FLOAT, ["n", 4, 4]),
            ],
            [numpy_helper.from_array(value, name) for name, value in constants.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
        onnx.checker.check_model(model)
        return bytes(model.SerializeToString())

    return make


@pytest.fixture(scope="session")
def striped_cohort() -> Cohort:
    """60 films of 40 patients; each with the finding has one striped cell somewhere on a noisy ground."""
    draw = np.random.default_rng(3)
    grey, samples = [], []
    for i in range(60):
        label = i % 3 % 2
        film = draw.normal(110, 12, (SIZE_PX, SIZE_PX))
        if label:
            row, column = 8 * draw.integers(0, 4, 2)
            film[row : row + 8, column : column + 8] += 60 * striped()
        grey.append(np.clip(film, 0, 255).astype(np.uint8))
        samples.append(
            Sample(
                sample_id=f"s{i:03d}",
                patient_key=f"p{i * 2 // 3:03d}",
                split=Split.TEST,
                label=label,
                site="here",
                sha256=Sha256("0" * 64),
                shard="00000.tar",
                offset=0,
                length=0,
                rows=SIZE_PX,
                columns=SIZE_PX,
            )
        )
    version = DatasetVersion(
        source="striped", distribution="generated", digest=sha256_of(b"striped"), synthetic=True, counts={},
        excluded={}, shards={},
    )  # fmt: skip
    return Cohort(version, tuple(samples), np.stack(grey), np.array([sample.label for sample in samples]))


@pytest.fixture(scope="session")
def scored_by() -> Callable[[Cohort, bytes], tuple[Scored, ScoredSet, Scorer]]:
    """A cohort scored by a model: with its maps, as columns, and the scorer that did it."""

    def score(cohort: Cohort, model: bytes) -> tuple[Scored, ScoredSet, Scorer]:
        scorer = Scorer(model, preprocessing=Preprocessing(size_px=SIZE_PX), engine="onnxruntime")
        inputs = preprocess.normalise(cohort.grey[:, np.newaxis], scorer.preprocessing)
        part = Scored(cohort, Split.TEST, tuple(scorer.score_prepared(inputs)))
        columns = ScoredSet(
            dataset_version=cohort.dataset_version, split=Split.TEST, model_version="striped/network",
            sample_ids=tuple(sample.sample_id for sample in cohort.samples),
            patient_keys=tuple(sample.patient_key for sample in cohort.samples),
            labels=cohort.labels, probabilities=part.probabilities,
        )  # fmt: skip
        return part, columns, scorer

    return score
