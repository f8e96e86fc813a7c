"""The validation report as a record: frozen types that hold every number the page shows, and nothing that is not
evidence.
"""

from typing import Literal

from domain.acceptance import CriterionResult, MetricValue
from domain.change_control import TestSetOpening
from domain.codes import CodedConcept
from domain.dataset import DatasetVersion, Split
from domain.identifiers import Sha256
from domain.intended_use import IntendedUse
from domain.model_version import OperatingPoint
from domain.preprocessing import Preprocessing
from evidence.engine_record import EngineReport
from evidence.judgement import EndpointResult, FloorResult, PlannedValidation, ReuseCost
from evidence.strict import Record
from evidence.uncertainty_record import UncertaintyResults


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
    preprocessing: Preprocessing | None = None


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


class DecisionPoint(Record):
    """Net benefit at one threshold probability (Vickers and Elkin 2006), with a bootstrap interval by patient."""

    threshold: float
    net_benefit: float
    interval: tuple[float, float]
    treat_all: float
    interventions_avoided: float  # per 100 patients, against treating all


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
    precision_recall: tuple[tuple[float, float], ...] = ()  # (recall, precision), by falling threshold
    decision_curve: tuple[DecisionPoint, ...] = ()
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


class MapFaithfulness(Record):
    """Deletion and insertion (Petsiuk et al., BMVC 2018) against random pixels, and the sanity check of Adebayo et al.
    (NeurIPS 2018): a map that stays the same when the weights are random explains nothing.
    """

    deletion: MetricValue  # area under probability while the map's strongest pixels vanish, minus that of random pixels
    insertion: MetricValue  # the same while they appear on a blurred film
    randomised_similarity: MetricValue  # rank correlation of maps by trained and by randomised weights
    films: int


class RobustnessResult(Record):
    """The test set again after one disturbance of the films."""

    disturbance: Literal["noise", "blur", "contrast", "rotation", "window", "jpeg"]
    strength: str  # in words with a unit, e.g. "σ = 10 grey levels"
    auroc: MetricValue
    auroc_difference: MetricValue  # disturbed minus undisturbed, paired, on the same films
    changed_calls: float  # share of films whose call at the operating point changed


class TableOneRow(Record):
    """One characteristic: its value in each column, as count of samples."""

    group: str  # "sex", "age", "view", "site", "subtype", "finding"
    value: str
    counts: tuple[int, ...]


class TableOne(Record):
    """Who the samples are, by split."""

    columns: tuple[str, ...]  # "train", "tune", "test", "external: <source>"
    samples: tuple[int, ...]
    patients: tuple[int, ...]
    rows: tuple[TableOneRow, ...]


class ReferenceStandard(Record):
    """How the best available truth was made, by the source's card."""

    source: str
    statement: str
    population: str
    licence: str
    citation: str


class Adaptation(Record):
    """Learning, potential and retention against the champion, with S(M|D) the AUROC of model M on test data D: Burgon,
    Sahiner, Petrick, Pennello and Samala, arXiv:2604.04878 (2026), and the authors' toolkit DIDSR/VIGILANT.

    Retention there weighs all previous test data by their age; with one previous version it is S(new | its test data).
    """

    previous: str
    learning: MetricValue  # S(new | present) − S(champion | present), paired
    potential: MetricValue | None  # S(champion | its own) − S(champion | present); None: the same data, or see ``note``
    retention: MetricValue | None  # S(new | the champion's own), no difference; None: the same data, or see ``note``
    note: str


class LeakageCheck(Record):
    """What was compared before the test set was opened; a finding would have stopped the validation."""

    films_compared: int  # training, tuning, test and external
    rule: str


class Environment(Record):
    """What the validation ran on; the list itself is ``sbom.cdx.json`` beside the report."""

    python: str
    platform: str
    packages: int
    sbom_sha256: Sha256


class ChecklistItem(Record):
    """One item of a reporting guideline and where this report answers it."""

    number: str
    section: str
    asks: str  # in our words
    answer: str  # empty: not answered by a run; the authors must
    where: str  # section of this report


class Checklist(Record):
    """A reporting guideline, item by item."""

    name: Literal["CLAIM 2024", "STARD-AI", "TRIPOD+AI"]
    citation: str
    items: tuple[ChecklistItem, ...]


class Failure(Record):
    """One wrong answer on the test set."""

    sample_id: str
    finding_present: bool  # by the reference standard; the model said the opposite
    probability: float
    subgroups: dict[str, str]


class ValidationReport(Record):
    """The evidence that a model version meets its needs on held-out data, or does not."""

    schema_version: Literal[2] = 2
    model: ReportedModel
    provenance: Provenance
    planned: PlannedValidation | None = None
    ledger: tuple[TestSetOpening, ...] = ()  # openings of this test set up to this model's first
    reuse: ReuseCost | None = None
    reference_standards: tuple[ReferenceStandard, ...] = ()
    table_one: TableOne | None = None
    leakage: LeakageCheck | None = None
    tuning: tuple[MetricValue, ...]  # the operating point on the data it was chosen on
    test: SetResults
    external: tuple[SetResults, ...]
    endpoints: tuple[EndpointResult, ...] = ()
    floors: tuple[FloorResult, ...] = ()
    comparison: Comparison | None
    champion: Comparison | None = None  # ``baseline_*`` fields then hold the champion's
    adaptation: Adaptation | None = None
    robustness: tuple[RobustnessResult, ...] = ()
    faithfulness: MapFaithfulness | None = None
    uncertainty: UncertaintyResults | None = None  # secondary: the primary figures stand on all films
    engine: EngineReport | None = None  # None: not chosen by measurement
    environment: Environment | None = None
    checklists: tuple[Checklist, ...] = ()
    explanation: Explanation | None = None  # None: the model gives no map, or nobody knows where the findings lie
    criteria: tuple[CriterionResult, ...]
    failures: tuple[Failure, ...]
    warnings: tuple[str, ...]

    @property
    def criteria_met(self) -> bool:
        """True when there are criteria and the test set meets each."""
        return bool(self.criteria) and all(result.met for result in self.criteria)
