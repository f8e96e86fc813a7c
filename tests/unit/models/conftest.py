"""A tiny classifier in ONNX, built by hand: the probability is a logistic of the mean grey value."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from domain.codes import PNEUMONIA
from domain.dataset import DatasetVersion
from domain.identifiers import Sha256, sha256_of
from domain.intended_use import IntendedUse
from domain.model_version import ModelManifest, OperatingPoint, ReferenceAnswer
from domain.preprocessing import Preprocessing

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
