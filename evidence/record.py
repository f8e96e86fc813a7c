"""The validation report as a record: frozen types that hold every number the page shows, and nothing that is not
evidence.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from domain.acceptance import CriterionResult, MetricValue
from domain.codes import CodedConcept
from domain.dataset import DatasetVersion, Split
from domain.identifiers import Sha256
from domain.intended_use import IntendedUse
from domain.model_version import OperatingPoint


class Record(BaseModel):
    """Frozen, and refuses keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ReportedModel(Record):
    """What was validated: one trained variant of one task at one operating point."""

    task: str
    title: str
    variant: str
    model_version: str  # how its numbers are signed, e.g. "chest_xray_pneumonia/network-seed1"
    demo: bool
    intended_use: IntendedUse
    finding: CodedConcept
    operating_point: OperatingPoint


class Provenance(Record):
    """Where the model came from: enough to find every byte again."""

    run_id: str  # MLflow
    git_commit: str
    git_dirty: bool
    weights_sha256: Sha256
    model_sha256: Sha256
    parameters: int
    seed: int | None
    dataset_version: DatasetVersion  # trained and tuned on its training and tuning data


class Counts(Record):
    """The confusion matrix at the operating point."""

    true_positives: int
    false_positives: int
    false_negatives: int
    true_negatives: int


class ReliabilityPoint(Record):
    """Samples with a probability in [lower, upper): what was said, and the share that had the finding."""

    lower: float
    upper: float
    mean_probability: float
    observed: float
    interval: tuple[float, float]
    n: int


class SubgroupResults(Record):
    """One stratum; what too few samples forbid stands in ``not_estimated``."""

    group: str
    value: str
    n: int
    patients: int
    positives: int
    metrics: tuple[MetricValue, ...]
    not_estimated: dict[str, str]


class SetResults(Record):
    """Everything one set of samples says."""

    dataset_version: DatasetVersion
    split: Split | Literal["external"]
    model_version: str
    n: int
    patients: int
    positives: int
    counts: Counts
    metrics: tuple[MetricValue, ...]
    not_estimated: dict[str, str]
    roc: tuple[tuple[float, float], ...]
    reliability: tuple[ReliabilityPoint, ...]
    histogram_present: tuple[int, ...]  # samples with the finding per equal bin of probability, 0 to 1
    histogram_absent: tuple[int, ...]
    subgroups: tuple[SubgroupResults, ...]
    known_flaws: tuple[str, ...]


class Comparison(Record):
    """The model against the baseline on the same samples: paired difference of AUROC, model minus baseline."""

    baseline_version: str
    model_auroc: MetricValue
    baseline_auroc: MetricValue
    difference: MetricValue
    p_value: float
    baseline_roc: tuple[tuple[float, float], ...]


class Explanation(Record):
    """The pointing game (Zhang et al., IJCV 2018) on the films of the test set whose opacities are known."""

    hits: int  # films where the activation map's peak lies in an opacity
    share: MetricValue
    chance_elsewhere: float  # on the same films: peaks of other films, so a map that knows where opacities usually lie
    chance_area: float  # on the same films: a point anywhere

    @property
    def beats_chance(self) -> bool:
        """True when the whole interval lies above both levels of chance."""
        return self.share.interval[0] > max(self.chance_elsewhere, self.chance_area)


class Failure(Record):
    """One wrong answer on the test set."""

    sample_id: str
    finding_present: bool  # by the reference standard; the model said the opposite
    probability: float
    subgroups: dict[str, str]


class ValidationReport(Record):
    """The evidence that a model version meets its needs on held-out data, or does not."""

    schema_version: Literal[1] = 1
    model: ReportedModel
    provenance: Provenance
    tuning: tuple[MetricValue, ...]  # the operating point on the data it was chosen on
    test: SetResults
    external: tuple[SetResults, ...]
    comparison: Comparison | None
    explanation: Explanation | None = None  # None: the model gives no map, or nobody knows where the findings lie
    criteria: tuple[CriterionResult, ...]
    failures: tuple[Failure, ...]
    warnings: tuple[str, ...]

    @property
    def criteria_met(self) -> bool:
        """True when there are criteria and the test set meets each."""
        return bool(self.criteria) and all(result.met for result in self.criteria)
