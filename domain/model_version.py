"""The model manifest: all that serving and monitoring may know of a model version, written once by packaging."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from domain.acceptance import CriterionResult, MetricValue
from domain.codes import CodedConcept
from domain.dataset import DatasetVersion
from domain.identifiers import Sha256
from domain.intended_use import IntendedUse
from domain.preprocessing import Preprocessing


class OperatingPoint(BaseModel):
    """The probability at and above which the finding is called present, and how it was chosen."""

    model_config = ConfigDict(frozen=True)

    threshold: float
    rule: str  # e.g. "highest specificity with sensitivity ≥ 0.95"
    chosen_on: Literal["tune", "not chosen"]


class ReferenceAnswer(BaseModel):
    """One input carried in the Bento and the probability it must give: the self-test before a version gets traffic."""

    model_config = ConfigDict(frozen=True)

    file: str  # .npy beside the manifest: 2-D grey-scale pixels
    probability: float
    tolerance: float


class ModelManifest(BaseModel):
    """Identity, intended use, inputs, operating point, proof and provenance of one model version."""

    model_config = ConfigDict(frozen=True)

    schema_version: Literal[1] = 1
    task: str
    title: str
    version: int  # MLflow registered model version; its name is the task's
    variant: str  # e.g. "network-seed1" or "baseline"
    demo: bool
    intended_use: IntendedUse
    finding: CodedConcept
    preprocessing: Preprocessing
    operating_point: OperatingPoint
    engine: Literal["onnxruntime", "openvino", "rule"]
    explains: bool  # gives an activation map with each probability
    parameters: int
    weights_sha256: Sha256  # of the trained parameters, framework-independent (models/checkpoints.py)
    model_sha256: Sha256  # of the bytes that serve (model.onnx)
    report_sha256: Sha256  # of report.json
    dataset_version: DatasetVersion
    external_dataset_versions: tuple[DatasetVersion, ...] = ()
    run_id: str  # MLflow
    git_commit: str
    git_dirty: bool
    seed: int | None
    performance: tuple[MetricValue, ...]
    criteria: tuple[CriterionResult, ...]
    reference_answers: tuple[ReferenceAnswer, ...]
    approver: str  # "demo" at the starter level

    @property
    def model_version(self) -> str:
        """Printable identity, e.g. ``chest_xray_pneumonia@3``."""
        return f"{self.task}@{self.version}"
