"""What a training leaves behind: weights with a digest, the record of the run, and where it stood when interrupted."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from domain.acceptance import MetricValue
from domain.dataset import DatasetVersion
from domain.errors import DigestMismatch
from domain.identifiers import Sha256, sha256_of
from domain.model_version import ConformalSets, Engine, EngineChoice, OperatingPoint, OutOfDistribution, Precision
from domain.preprocessing import Preprocessing

if TYPE_CHECKING:
    import torch

MODEL_FILE, RECORD_FILE, RUNS_FILE = "model.onnx", "training.json", "run.json"
WEIGHTS_FILE, BASELINE_WEIGHTS_FILE = "weights.pt", "weights.npz"


class ProbabilityScale(BaseModel):
    """How the model's logit became a probability: logistic(slope · logit + intercept), fitted on tuning data."""

    model_config = ConfigDict(frozen=True)

    slope: float
    intercept: float
    fitted_on: str  # dataset version and split
    n: int


class Parity(BaseModel):
    """How far the exported model's probabilities are from the trained one's, on the whole tuning set."""

    model_config = ConfigDict(frozen=True)

    against: Literal["torch", "scikit-learn"]
    engine: Literal["onnxruntime", "openvino"]
    n: int
    max_difference: float
    tolerance: float


class EpochRecord(BaseModel):
    """One pass over the training data."""

    model_config = ConfigDict(frozen=True)

    epoch: int  # from 1
    loss: float
    tuning_auroc: float
    learning_rate: float
    seconds: float


class TrainedModel(BaseModel):
    """One trained variant of a task: all that is known of it before it is validated. Kept as ``training.json``."""

    model_config = ConfigDict(frozen=True)

    schema_version: Literal[1] = 1
    task: str
    variant: str  # e.g. "network-seed1" or "baseline"
    kind: Literal["network", "baseline"]
    preset: str
    seed: int | None
    run_id: str  # MLflow
    preprocessing: Preprocessing
    explains: bool
    parameters: int
    weights_sha256: Sha256
    model_sha256: Sha256
    calibration: ProbabilityScale | None  # None: the model's own probabilities
    operating_point: OperatingPoint
    parity: tuple[Parity, ...]
    engine_choice: EngineChoice | None = None
    conformal: ConformalSets | None = None
    out_of_distribution: OutOfDistribution | None = None
    uncertainty_not_fitted: tuple[str, ...] = ()  # why one of the two is missing
    tuning: tuple[MetricValue, ...]
    history: tuple[EpochRecord, ...]
    best_epoch: int | None
    dataset_version: DatasetVersion
    git_commit: str
    git_dirty: bool
    seconds: float

    @property
    def engine(self) -> Engine:
        """What runs ``model.onnx``; a record from before engines were chosen is for ONNX Runtime."""
        return self.engine_choice.engine if self.engine_choice else "onnxruntime"

    @property
    def precision(self) -> Precision:
        """At which precision the engine runs it."""
        return self.engine_choice.precision if self.engine_choice else "fp32"

    @classmethod
    def load(cls, folder: Path) -> TrainedModel:
        """The record in a variant's folder, after checking that the model beside it is the one recorded.

        Raises:
            DigestMismatch: ``model.onnx`` is another file.
        """
        record = cls.model_validate_json((folder / RECORD_FILE).read_bytes())
        if sha256_of((folder / MODEL_FILE).read_bytes()) != record.model_sha256:
            raise DigestMismatch(
                f"{MODEL_FILE} of {record.task}/{record.variant} is not the one that was trained.",
                next_step="Train the task again.",
            )
        return record

    def save(self, folder: Path) -> None:
        """Write ``training.json``."""
        (folder / RECORD_FILE).write_text(self.model_dump_json(indent=2) + "\n")


def variants(checkpoints: Path) -> tuple[str, ...]:
    """Names of the trained variants below ``checkpoints/<task>``, the networks first."""
    names = [path.parent.name for path in checkpoints.glob(f"*/{RECORD_FILE}")]
    return tuple(sorted(names, key=lambda name: (name == "baseline", name)))


def write_runs(checkpoints: Path, trained: tuple[TrainedModel, ...]) -> None:
    """Write ``run.json``, so that a cached stage still names its runs."""
    runs = {model.variant: model.run_id for model in trained}
    (checkpoints / RUNS_FILE).write_text(json.dumps(runs, indent=2) + "\n")


def canonical_bytes(arrays: Mapping[str, NDArray[Any]]) -> Iterator[bytes]:
    """Names, types, shapes and little-endian values, sorted by name: the same in any framework or file."""
    for name in sorted(arrays):
        values = np.ascontiguousarray(arrays[name])
        values = values.astype(values.dtype.newbyteorder("<"), copy=False)
        yield f"{name}\0{values.dtype.str}\0{values.shape}\0".encode()
        yield values.tobytes()


def weights_digest(arrays: Mapping[str, NDArray[Any]]) -> Sha256:
    """SHA-256 of ``canonical_bytes``."""
    digest = hashlib.sha256()
    for chunk in canonical_bytes(arrays):
        digest.update(chunk)
    return Sha256(digest.hexdigest())


def read_weights(folder: Path) -> dict[str, NDArray[Any]]:
    """The trained parameters of a variant as arrays: a network's ``weights.pt`` or the baseline's ``weights.npz``."""
    if (folder / BASELINE_WEIGHTS_FILE).is_file():
        with np.load(folder / BASELINE_WEIGHTS_FILE, allow_pickle=False) as arrays:
            return dict(arrays)
    import torch

    state = torch.load(folder / WEIGHTS_FILE, map_location="cpu", weights_only=True)
    return _arrays(state)


def state_digest(state: Mapping[str, torch.Tensor]) -> Sha256:
    """``weights_digest`` of a network's state."""
    return weights_digest(_arrays(state))


def _arrays(state: Mapping[str, torch.Tensor]) -> dict[str, NDArray[Any]]:
    return {name: tensor.detach().contiguous().numpy() for name, tensor in state.items()}


def save_weights(state: Mapping[str, torch.Tensor], path: Path) -> None:
    """Write a state; read it with ``load_weights``."""
    import torch

    torch.save(dict(state), path)


def load_weights(path: Path, *, expected: Sha256) -> dict[str, torch.Tensor]:
    """The state in a file, which can hold tensors only and run no code.

    Raises:
        DigestMismatch: the weights are not those expected.
    """
    import torch

    state: dict[str, torch.Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    require_weights(_arrays(state), expected=expected, name=path.name)
    return state


def require_weights(arrays: Mapping[str, NDArray[Any]], *, expected: Sha256, name: str) -> None:
    """Do nothing where these are the weights of the record.

    Raises:
        DigestMismatch: they are others.
    """
    if weights_digest(arrays) != expected:
        raise DigestMismatch(f"{name} does not hold the recorded weights.", next_step="Train the task again.")


def save_progress(progress: Mapping[str, Any], path: Path) -> None:
    """Store where a training stands; a crash while writing leaves the previous state."""
    import torch

    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".tmp")
    torch.save(dict(progress), beside)
    beside.replace(path)


def load_progress(path: Path) -> dict[str, Any] | None:
    """Where the training stood, or ``None`` when it has not begun."""
    import torch

    if not path.exists():
        return None
    progress: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return progress
