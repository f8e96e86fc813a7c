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


Engine = Literal["torch", "onnxruntime", "openvino", "rule"]
Precision = Literal["fp32", "bf16", "int8"]


class EngineCandidate(BaseModel):
    """One engine and precision, compared on the whole tuning set with the trained model and timed on one machine."""

    model_config = ConfigDict(frozen=True)

    engine: Engine
    precision: Precision
    model_sha256: Sha256  # of the bytes it runs
    ms_single: float  # median milliseconds of one image alone
    ms_batched: float  # and of one image in a batch of 16
    max_difference: float  # in probability, from the trained model
    tolerance: float
    auroc_difference: MetricValue | None  # candidate minus trained model, paired; None for the trained model itself
    margin: float  # the difference's lower limit must lie above −margin
    passes: bool


class EngineChoice(BaseModel):
    """Which engine a version uses, and what it was chosen from."""

    model_config = ConfigDict(frozen=True)

    engine: Engine
    precision: Precision
    why: str
    candidates: tuple[EngineCandidate, ...]
    measured_on: str  # processor and thread count


class ConformalSets(BaseModel):
    """Split conformal prediction, one class at a time (Vovk 2012; Sadinle, Lei and Wasserman 2019).

    ``present`` belongs to the set when the probability is at least ``least_present``, ``absent`` when it is at most
    ``most_absent``. Each class is then covered with chance ``coverage`` or more, for films like the tuning data.
    """

    model_config = ConfigDict(frozen=True)

    coverage: float
    least_present: float
    most_absent: float
    n_present: int
    n_absent: int
    fitted_on: str  # dataset version and split


class OutOfDistribution(BaseModel):
    """Mahalanobis distance of the embedding from the training data's (Lee et al., NeurIPS 2018); parameters in a file.

    Above ``limit`` the version abstains.
    """

    model_config = ConfigDict(frozen=True)

    file: str  # .npz beside the manifest: mean (d,), whitening (r, d)
    file_sha256: Sha256
    limit: float
    quantile: float  # of the tuning data's distances, which the limit is taken from
    n: int
    fitted_on: str


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
    engine: Engine
    precision: Precision = "fp32"
    engine_choice: EngineChoice | None = None  # None: not chosen by measurement (the demo classifier)
    conformal: ConformalSets | None = None  # None: gives no prediction set
    out_of_distribution: OutOfDistribution | None = None  # None: never abstains
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
