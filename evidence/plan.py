"""The validation plan: everything that is decided before the test set may be opened, as one strict document."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from domain.errors import InvalidPlan
from domain.identifiers import Sha256, sha256_of
from evidence.strict import Record

Against = Literal["champion", "baseline"]
PairedMetric = Literal["auroc", "sensitivity", "specificity"]
BoundedMetric = Literal["auroc", "sensitivity", "specificity", "ppv", "npv", "brier", "expected_calibration_error"]
CalibrationMetric = Literal["calibration_slope", "calibration_intercept", "calibration_in_the_large"]
Share = Annotated[float, Field(gt=0.0, lt=1.0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]


class Bound(Record):
    """The interval of a metric must lie at or above ``at_least``, or at or below ``at_most``."""

    kind: Literal["bound"]
    metric: BoundedMetric
    at_least: Share | None = None
    at_most: Share | None = None

    @model_validator(mode="after")
    def _has_one_bound(self) -> Bound:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("give one of at_least and at_most")
        return self

    @property
    def name(self) -> str:
        """How results name it."""
        return f"{self.metric}_{'at_least' if self.at_least is not None else 'at_most'}"


class NonInferiority(Record):
    """The new model's metric may be worse than another's by less than ``margin`` (paired, same samples)."""

    kind: Literal["non_inferiority"]
    metric: PairedMetric
    against: Against
    margin: Annotated[float, Field(gt=0.0, le=0.25, allow_inf_nan=False)]

    @property
    def name(self) -> str:
        """How results name it."""
        return f"{self.metric}_not_inferior_to_{self.against}"


class Superiority(Record):
    """The new model's metric must be better than another's (paired, same samples)."""

    kind: Literal["superiority"]
    metric: PairedMetric
    against: Against

    @property
    def name(self) -> str:
        """How results name it."""
        return f"{self.metric}_superior_to_{self.against}"


class CalibrationBound(Record):
    """The whole interval of a calibration figure must lie within ``low`` to ``high``."""

    kind: Literal["calibration"]
    metric: CalibrationMetric
    low: Finite
    high: Finite

    @model_validator(mode="after")
    def _is_ordered(self) -> CalibrationBound:
        if self.low >= self.high:
            raise ValueError("low must lie below high")
        return self

    @property
    def name(self) -> str:
        """How results name it."""
        return f"{self.metric}_within"


Endpoint = Annotated[Bound | NonInferiority | Superiority | CalibrationBound, Field(discriminator="kind")]


class SubgroupFloor(Record):
    """In every stratum of ``group`` that has ``min_n`` samples of the class, the interval's lower end is at least
    ``at_least``; smaller strata are listed as underpowered and decide nothing.
    """

    group: Literal["sex", "age", "site", "view", "subtype"]
    metric: Literal["auroc", "sensitivity", "specificity"]
    at_least: Share
    min_n: Annotated[int, Field(ge=10)]

    @property
    def name(self) -> str:
        """How results name it."""
        return f"{self.metric}_floor_by_{self.group}"


class SampleSize(Record):
    """What the test set needs so that a primary endpoint can be met, with the assumptions."""

    endpoint: str  # name of a primary endpoint
    expected: Share  # value assumed for the model
    positive_share: Share  # of the samples
    samples_per_patient: Annotated[float, Field(ge=1.0)] = 1.0
    intracluster_correlation: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    power: Share
    samples: Annotated[int, Field(ge=10)]  # needed, by evidence/statistics/power*; a test set with fewer is a deviation


class Reuse(Record):
    """What using the same test set for several models costs."""

    adjustment: Literal["bonferroni", "none"]  # bonferroni: the k-th distinct model is judged at alpha / k
    max_models: Annotated[int, Field(ge=1)]  # distinct models that may open the test set before it must be renewed


class ValidationPlan(Record):
    """One task's plan (``models/plans/<task>/plan.yaml``)."""

    schema_version: Literal[1]
    task: str
    intended_use: str
    population: str
    reference_standard: str
    missing_data: str
    operating_point: str
    min_sensitivity: Share  # the operating point's rule, checked against the task
    alpha: Annotated[float, Field(gt=0.0, le=0.1)]  # one-sided, of each primary endpoint; all must be met
    primary: Annotated[tuple[Endpoint, ...], Field(min_length=1)]
    secondary: tuple[Endpoint, ...] = ()
    subgroups: tuple[SubgroupFloor, ...] = ()
    sample_size: Annotated[tuple[SampleSize, ...], Field(min_length=1)]
    test_set_reuse: Reuse

    @field_validator("intended_use", "population", "reference_standard", "missing_data", "operating_point")
    @classmethod
    def _says_something(cls, text: str) -> str:
        if not text.strip():
            raise ValueError("must say something")
        return text.strip()

    @model_validator(mode="after")
    def _names_agree(self) -> ValidationPlan:
        names = [endpoint.name for endpoint in (*self.primary, *self.secondary)]
        if len(set(names)) != len(names):
            raise ValueError("an endpoint is listed twice")
        unknown = {size.endpoint for size in self.sample_size} - {endpoint.name for endpoint in self.primary}
        if unknown:
            raise ValueError(f"sample_size names no primary endpoint: {', '.join(sorted(unknown))}")
        return self


def read_plan(data: bytes, *, task: str) -> tuple[ValidationPlan, Sha256]:
    """The plan in the bytes of a ``plan.yaml``, and their digest.

    Raises:
        InvalidPlan: not YAML, an unknown key, a value out of range, or the plan of another task; each place is named.
    """
    plan: ValidationPlan = read_document(data, ValidationPlan, what="plan.yaml", task=task)
    return plan, sha256_of(data)


def read_document(data: bytes, kind: type[Any], *, what: str, task: str) -> Any:
    """A strict YAML document of a task as ``kind``, which has a field ``task``.

    Raises:
        InvalidPlan: as ``read_plan``.
    """
    document = parse_document(data, kind, what=f"{what} of {task}")
    if document.task != task:
        raise InvalidPlan(f"{what} of {task} is that of {document.task}.", next_step="Scaffold one for this task.")
    return document


def parse_document(data: bytes, kind: type[Any], *, what: str) -> Any:
    """A strict YAML document as ``kind``.

    Raises:
        InvalidPlan: not YAML, an unknown key or a value out of range; each place is named.
    """
    try:
        raw = yaml.load(data, Loader=_NoKeyTwice)  # noqa: S506 - a SafeLoader
        return kind.model_validate(raw)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        at = f" at line {mark.line + 1}" if mark else ""
        twice = "has a key twice" if getattr(error, "problem", "") == "a key twice" else "is not YAML"
        raise InvalidPlan(f"{what} {twice}{at}.", next_step="Mend that line.") from None
    except (ValidationError, UnicodeDecodeError) as error:
        raise InvalidPlan(f"{what}: {_places(error)}.", next_step="Mend each place named.") from None


class _NoKeyTwice(yaml.SafeLoader):
    """YAML would let the last of two equal keys win, unseen by who reads the first."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Refuses a key that the mapping has already."""
        seen: set[Any] = set()
        for key, _ in node.value:
            name = self.construct_object(key, deep=True)
            if name in seen:
                raise yaml.constructor.ConstructorError(problem="a key twice", problem_mark=key.start_mark)
            seen.add(name)
        return super().construct_mapping(node, deep=deep)


def _places(error: ValidationError | UnicodeDecodeError) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "not UTF-8"
    return "; ".join(
        f"{'.'.join(str(part) for part in found['loc']) or 'the document'}: {found['msg']}" for found in error.errors()
    )
