"""Golden vectors of pre-processing: received films, the input each must become, and a model that shows its input."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from PIL import Image

from domain.identifiers import Sha256, sha256_of
from domain.preprocessing import Preprocessing

SIZE_PX = 64
# Of float32, little-endian, row by row. A change of one bit needs a new `Preprocessing.version`: models in service rely
# on these. Where the digest of a DICOM film alone changes, it is the decoding that did.
GOLDEN = json.loads((Path(__file__).parent / "model_inputs.json").read_text())


def pattern(rows: int, columns: int, *, seed: int, largest: int) -> np.ndarray:
    """Grey values by integer arithmetic alone, so that no library's random numbers can change them."""
    y, x = np.mgrid[0:rows, 0:columns].astype(np.int64)
    values = 37 * x + 61 * y + (x * y + seed) % 251 + 11 * ((x // 7) * (y // 5) % 23) + (x * x * (seed + 3)) % 89
    return (values * (largest // 1024 + 1) % (largest + 1)).astype(np.uint8 if largest < 256 else np.uint16)


def png(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def films(dicom: Callable[..., bytes]) -> dict[str, bytes]:
    """What is received: both depths, odd sizes smaller and larger than the model's input, both senses of grey."""
    inverted = {"PhotometricInterpretation": "MONOCHROME1"}
    window = {"WindowCenter": "1800.5", "WindowWidth": "2900", "RescaleSlope": "1.25", "RescaleIntercept": "-100"}
    return {
        "png, 8 bit, 101 × 67": png(pattern(101, 67, seed=1, largest=255)),
        "png, 8 bit, 33 × 47": png(pattern(33, 47, seed=2, largest=255)),
        "png, 16 bit, 133 × 201": png(pattern(133, 201, seed=3, largest=65535)),
        "png, 16 bit, 999 × 777": png(pattern(999, 777, seed=4, largest=4095)),
        "dicom, MONOCHROME1, 8 bit": dicom(pattern(91, 77, seed=5, largest=255), **inverted),
        "dicom, MONOCHROME1, 12 bit": dicom(
            pattern(151, 149, seed=6, largest=4095), BitsStored=12, HighBit=11, **inverted
        ),
        "dicom, MONOCHROME2, 16 bit": dicom(pattern(64, 64, seed=7, largest=65535)),
        "dicom, MONOCHROME1, window": dicom(
            pattern(75, 103, seed=8, largest=4095), BitsStored=12, HighBit=11, **inverted, **window
        ),
    }


def digest_of(model_input: Any) -> Sha256:
    return sha256_of(np.ascontiguousarray(np.asarray(model_input, dtype=np.float32), dtype="<f4").tobytes())


@pytest.fixture(scope="session")
def golden() -> dict[str, str]:
    """Digests of the model's inputs, in the order of the films."""
    return dict(GOLDEN)


@pytest.fixture(scope="session")
def spec() -> Preprocessing:
    return Preprocessing(size_px=SIZE_PX)


@pytest.fixture(scope="session")
def digest() -> Callable[[Any], Sha256]:
    """The digest of a model input, whatever its shape, or of the numbers a service sent back."""
    return digest_of


@pytest.fixture(scope="session")
def grey_pattern() -> Callable[..., np.ndarray]:
    return pattern


@pytest.fixture(scope="session")
def received(dicom: Callable[..., bytes]) -> dict[str, bytes]:
    return films(dicom)


@pytest.fixture(scope="session")
def seeing() -> bytes:
    """A model that answers with its own input, as embedding: what reaches a model in service can be read back."""
    side = SIZE_PX
    nodes = [
        helper.make_node("Flatten", ["image"], ["embedding"], axis=1),
        helper.make_node("GlobalAveragePool", ["image"], ["pooled"]),
        helper.make_node("Sigmoid", ["pooled"], ["sigmoid"]),
        helper.make_node("Reshape", ["sigmoid", "vector"], ["probability"]),
    ]
    graph = helper.make_graph(
        nodes,
        "seeing",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 1, side, side])],
        [
            helper.make_tensor_value_info("probability", TensorProto.FLOAT, ["n"]),
            helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", side * side]),
        ],
        [helper.make_tensor("vector", TensorProto.INT64, [1], [-1])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())
