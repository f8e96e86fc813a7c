"""Scoring with an exported model: what serves, and what validation scores. Knows neither torch nor MLflow."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from domain.errors import DigestMismatch, IntegrityViolation
from domain.identifiers import sha256_of
from domain.model_version import ModelManifest
from domain.prediction import ImageScore
from domain.preprocessing import Preprocessing
from models import image_features, preprocess

MANIFEST_FILE = "manifest.json"
MODEL_FILE = "model.onnx"
INPUT = "image"  # (n, 1, size_px, size_px) float32
OUTPUTS = PROBABILITY, ACTIVATION_MAP, EMBEDDING = "probability", "activation_map", "embedding"
_BATCH = 32

Engine = Literal["onnxruntime", "openvino"]
Outputs = dict[str, NDArray[np.float32]]


class Runner(Protocol):
    """An engine with a loaded model."""

    def __call__(self, inputs: NDArray[np.float32]) -> Outputs: ...


class Scorer:
    """A model with its preprocessing; radiographs in, scores out."""

    def __init__(self, model: bytes, *, preprocessing: Preprocessing, engine: Engine, threads: int = 1) -> None:
        self.preprocessing = preprocessing
        self._run = _RUNNERS[engine](model, threads)

    def prepare(self, pixels: preprocess.Pixels) -> preprocess.ModelInput:
        """One radiograph → (1, size_px, size_px); raises UnsupportedImageKind. Do this before batching with others."""
        return preprocess.apply(pixels, self.preprocessing)

    def score_prepared(
        self, inputs: NDArray[np.float32], *, features: Sequence[Mapping[str, float]] | None = None
    ) -> list[ImageScore]:
        """Scores of inputs of shape (n, 1, size_px, size_px); ``features``: theirs, where known already."""
        measured = [image_features.measure(one) for one in inputs] if features is None else features
        scores: list[ImageScore] = []
        for first in range(0, len(inputs), _BATCH):
            outputs = self._run(inputs[first : first + _BATCH])
            scores += [_image_score(outputs, row, one) for row, one in enumerate(measured[first : first + _BATCH])]
        return scores

    def probabilities(self, inputs: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probabilities (n,) alone of inputs of shape (n, 1, size_px, size_px)."""
        parts = [self._run(inputs[first : first + _BATCH])[PROBABILITY] for first in range(0, len(inputs), _BATCH)]
        return np.concatenate(parts).astype(np.float64)

    def score(self, radiographs: Sequence[preprocess.Pixels]) -> list[ImageScore]:
        """Scores of 2-D radiographs of any size."""
        return self.score_prepared(np.stack([self.prepare(pixels) for pixels in radiographs])) if radiographs else []


class Classifier(Scorer):
    """One packaged model version: the manifest and the model it names."""

    def __init__(self, folder: Path, *, manifest: ModelManifest, model: bytes, threads: int) -> None:
        engine: Engine = "openvino" if manifest.engine == "openvino" else "onnxruntime"
        super().__init__(model, preprocessing=manifest.preprocessing, engine=engine, threads=threads)
        self.manifest = manifest
        self._folder = folder

    @classmethod
    def load(cls, folder: Path, *, threads: int = 1) -> "Classifier":
        """The model version in a folder with ``manifest.json`` and ``model.onnx``.

        Raises:
            DigestMismatch: the model's bytes are not those the manifest names.
        """
        manifest = ModelManifest.model_validate_json((folder / MANIFEST_FILE).read_bytes())
        model = (folder / MODEL_FILE).read_bytes()
        if sha256_of(model) != manifest.model_sha256:
            raise DigestMismatch(
                f"{MODEL_FILE} of {manifest.model_version} is not the model its manifest names.",
                next_step="Package the model version again.",
            )
        return cls(folder, manifest=manifest, model=model, threads=threads)

    def self_test(self) -> None:
        """Score the reference inputs that travel with the model.

        Raises:
            IntegrityViolation: an answer differs from the recorded one by more than its tolerance, or none is carried.
        """
        if not self.manifest.reference_answers:
            raise IntegrityViolation(f"{self.manifest.model_version} carries no reference answers.")
        for expected in self.manifest.reference_answers:
            pixels = np.load(self._folder / expected.file, allow_pickle=False)
            probability = self.score([pixels])[0].probability
            if not abs(probability - expected.probability) <= expected.tolerance:
                raise IntegrityViolation(
                    f"{self.manifest.model_version} answers {probability:.6f} to {expected.file}, "
                    f"not {expected.probability:.6f} as recorded.",
                    next_step="Do not serve it; package the model version again.",
                )


def _image_score(outputs: Outputs, row: int, features: Mapping[str, float]) -> ImageScore:
    maps, embeddings = outputs.get(ACTIVATION_MAP), outputs.get(EMBEDDING)
    return ImageScore(
        probability=float(outputs[PROBABILITY][row]),
        image_features=dict(features),
        embedding=() if embeddings is None else tuple(embeddings[row].tolist()),
        activation_map=None if maps is None else tuple(tuple(line) for line in maps[row].tolist()),
    )


def _onnxruntime_runner(model: bytes, threads: int) -> Runner:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.use_deterministic_compute = True
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return lambda inputs: dict(zip(names, session.run(names, {INPUT: inputs}), strict=True))


def _openvino_runner(model: bytes, threads: int) -> Runner:
    import openvino

    # Without the hint OpenVINO takes bf16 where the processor has it, and probabilities move in the third digit.
    config = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(model), "CPU", config)
    # OpenVINO gives an output every name its tensor ever had.
    names = [name for output in compiled.outputs for name in OUTPUTS if name in output.get_names()]

    def run(inputs: NDArray[np.float32]) -> Outputs:
        results = compiled({INPUT: inputs})
        return {name: np.array(results[name]) for name in names}

    return run


_RUNNERS = {"onnxruntime": _onnxruntime_runner, "openvino": _openvino_runner}
