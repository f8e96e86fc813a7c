"""The scikit-learn baseline: logistic regression on principal components of a coarse grid, as ONNX like a network."""

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, compose, helper, numpy_helper

PARAMETERS: dict[str, Any] = {
    "kind": "PCA, LogisticRegression",
    "components": 64,
    "whiten": True,
    "class_weight": "balanced",
    "C": 0.1,
}
_OPSET = 17
_IR_VERSION = 10


@dataclass(frozen=True)
class Baseline:
    """A fitted baseline in every form that is needed of it."""

    model: bytes  # ONNX, same input and outputs as a network's, without an activation map
    weights: dict[str, NDArray[np.float64]]
    parameters: int
    tuning_probabilities: NDArray[np.float64]  # by scikit-learn, for the parity check


def fit(
    inputs: NDArray[np.float32], labels: NDArray[np.int64], *, tuning: NDArray[np.float32], grid_px: int
) -> Baseline:
    """Fit on training inputs (n, 1, size, size); both classes weigh the same."""
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    grids = coarse_grid(inputs, grid_px=grid_px)
    components = min(PARAMETERS["components"], *grids.shape)
    pipeline = make_pipeline(
        PCA(n_components=components, svd_solver="full", whiten=PARAMETERS["whiten"]),
        LogisticRegression(class_weight=PARAMETERS["class_weight"], C=PARAMETERS["C"], max_iter=2000),
    )
    pipeline.fit(grids, labels)
    pca, regression = pipeline
    arrays = {
        "mean": pca.mean_,
        "components": pca.components_,
        "variance": pca.explained_variance_,
        "coefficients": regression.coef_,
        "intercept": regression.intercept_,
    }
    return Baseline(
        model=_to_onnx(pipeline, size_px=inputs.shape[-1], grid_px=grid_px),
        weights=arrays,
        parameters=sum(array.size for array in arrays.values()),
        tuning_probabilities=pipeline.predict_proba(coarse_grid(tuning, grid_px=grid_px))[:, 1].astype(np.float64),
    )


def probabilities(weights: Mapping[str, NDArray[np.float64]], inputs: NDArray[np.float32]) -> NDArray[np.float64]:
    """What scikit-learn's pipeline answers by these weights to inputs (n, 1, size, size), in double precision."""
    grid_px = math.isqrt(weights["mean"].size)
    centred = coarse_grid(inputs, grid_px=grid_px) - weights["mean"]
    components = centred @ weights["components"].T / np.sqrt(weights["variance"])
    logits = components @ weights["coefficients"][0] + weights["intercept"][0]
    return np.asarray(1.0 / (1.0 + np.exp(-logits)), dtype=np.float64)


def coarse_grid(inputs: NDArray[np.float32], *, grid_px: int) -> NDArray[np.float32]:
    """Inputs (n, 1, size, size) averaged to grid_px × grid_px cells and flattened; size must be a multiple."""
    n, _, rows, columns = inputs.shape
    cells = inputs.reshape(n, grid_px, rows // grid_px, grid_px, columns // grid_px)
    return np.asarray(cells.mean(axis=(2, 4), dtype=np.float32).reshape(n, grid_px * grid_px))


def _to_onnx(pipeline: object, *, size_px: int, grid_px: int) -> bytes:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # skl2onnx looks at optional parts of scikit-learn that are deprecated
        from skl2onnx import to_onnx
        from skl2onnx.common.data_types import FloatTensorType

        fitted = to_onnx(
            pipeline,
            initial_types=[("grid", FloatTensorType([None, grid_px * grid_px]))],
            options={"zipmap": False},
            target_opset={"": _OPSET, "ai.onnx.ml": 3},
        )
    fitted.ir_version = _IR_VERSION
    whole = compose.merge_models(_averaging(size_px=size_px, grid_px=grid_px), fitted, io_map=[("cells", "grid")])
    return _with_our_outputs(whole)


def _averaging(*, size_px: int, grid_px: int) -> onnx.ModelProto:
    """``coarse_grid`` as a model: image → cells."""
    side = size_px // grid_px
    graph = helper.make_graph(
        [
            helper.make_node("AveragePool", ["image"], ["averaged"], kernel_shape=[side, side], strides=[side, side]),
            helper.make_node("Flatten", ["averaged"], ["cells"]),
        ],
        "averaging",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 1, size_px, size_px])],
        [helper.make_tensor_value_info("cells", TensorProto.FLOAT, ["n", grid_px * grid_px])],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION)


def _with_our_outputs(model: onnx.ModelProto) -> bytes:
    """Name the outputs as every exported model does: the second class's probability, and the principal components."""
    graph = model.graph
    (classifier,) = [node for node in graph.node if node.op_type == "LinearClassifier"]
    graph.initializer.append(numpy_helper.from_array(np.array(1, dtype=np.int64), "present"))
    graph.node.append(helper.make_node("Gather", [classifier.output[1], "present"], ["probability"], axis=1))
    graph.node.append(helper.make_node("Identity", [classifier.input[0]], ["embedding"]))
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info("probability", TensorProto.FLOAT, ["n"]))
    graph.output.append(helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", None]))
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())
