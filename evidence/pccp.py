"""The predetermined change control plan: which changes to a model are foreseen, how each is made and proven, and why
that is safe.

After FDA, «Marketing Submission Recommendations for a Predetermined Change Control Plan for Artificial
Intelligence-Enabled Device Software Functions» (December 2024; section 515C of the FD&C Act, 21 U.S.C. 360e-4), whose
three parts are the description of modifications, the modification protocol and the impact assessment.
"""

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, field_validator, model_validator

from domain.electronic_signature import SignatureMeaning, SignerRole
from domain.identifiers import Sha256, sha256_of
from evidence.change import ChangeKind
from evidence.plan import Against, read_document
from evidence.strict import Record

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Count = Annotated[int, Field(ge=1)]
# A change of what the device is for needs a new submission, whatever a plan says (guidance, section V.B).
NEVER = frozenset({ChangeKind.INTENDED_USE, ChangeKind.FINDING})


class Modification(Record):
    """One foreseen modification, and every kind of change that it may bring with it (guidance, section VI)."""

    name: Text
    description: Text
    changes: Annotated[tuple[ChangeKind, ...], Field(min_length=1)]

    @field_validator("changes")
    @classmethod
    def _stays_inside_the_intended_use(cls, kinds: tuple[ChangeKind, ...]) -> tuple[ChangeKind, ...]:
        forbidden = NEVER.intersection(kinds)
        if forbidden:
            raise ValueError(f"{', '.join(sorted(forbidden))} cannot be changed under a plan")
        if len(set(kinds)) != len(kinds):
            raise ValueError("a kind of change is listed twice")
        return kinds


class DataRules(Record):
    """Data management (guidance, section VII.B, first part of the protocol)."""

    allowed_sources: Annotated[tuple[Text, ...], Field(min_length=1)]  # to train and tune on
    min_training_samples: Count
    min_training_patients: Count
    same_external_sources: bool  # the candidate is reported on every external source the champion was
    synthetic_allowed_for_demo: bool  # synthetic data, and then only for a model marked as a demonstration


class RetrainingRules(Record):
    """Re-training (second part of the protocol)."""

    allowed_variants: Annotated[tuple[Text, ...], Field(min_length=1)]  # shell patterns, e.g. "network-*"
    practice: Text


class EvaluationRules(Record):
    """Performance evaluation (third part of the protocol); the endpoints stand in the validation plan."""

    required_comparisons: tuple[Against, ...]

    @field_validator("required_comparisons")
    @classmethod
    def _lists_each_once(cls, against: tuple[Against, ...]) -> tuple[Against, ...]:
        if len(set(against)) != len(against):
            raise ValueError("a comparison is listed twice")
        return against


class UpdateRules(Record):
    """Update procedures (fourth part of the protocol)."""

    labelling: Text  # what users are told of a new version
    rollback: Text  # when and how the version before comes back


class ModificationProtocol(Record):
    """How a modification is developed, proven and put to use."""

    data: DataRules
    retraining: RetrainingRules
    evaluation: EvaluationRules
    update: UpdateRules


class Impact(Record):
    """One row of the impact assessment (guidance, section VIII)."""

    modification: Text  # name of a modification
    benefit: Text
    risk: Text
    mitigation: Text


class RequiredSignature(Record):
    """Who must sign the report, and with what meaning, from the clinical level on."""

    meaning: SignatureMeaning
    role: SignerRole


class ChangeControlPlan(Record):
    """One task's plan (``models/plans/<task>/pccp.yaml``)."""

    schema_version: Literal[1]
    task: Text
    modifications: Annotated[tuple[Modification, ...], Field(min_length=1)]
    modification_protocol: ModificationProtocol
    impact_assessment: Annotated[tuple[Impact, ...], Field(min_length=1)]
    signatures: Annotated[tuple[RequiredSignature, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _parts_agree(self) -> "ChangeControlPlan":
        names = [modification.name for modification in self.modifications]
        if len(set(names)) != len(names):
            raise ValueError("a modification is listed twice")
        assessed = {row.modification for row in self.impact_assessment}
        if assessed - set(names):
            raise ValueError(f"impact_assessment names no modification: {', '.join(sorted(assessed - set(names)))}")
        if set(names) - assessed:
            raise ValueError(f"impact_assessment says nothing of: {', '.join(sorted(set(names) - assessed))}")
        if len(set(self.signatures)) != len(self.signatures):
            raise ValueError("a signature is listed twice")
        return self


def read_pccp(data: bytes, *, task: str) -> tuple[ChangeControlPlan, Sha256]:
    """The plan in the bytes of a ``pccp.yaml``, and their digest.

    Raises:
        InvalidPlan: not YAML, an unknown key, a value out of range, or the plan of another task; each place is named.
    """
    plan: Any = read_document(data, ChangeControlPlan, what="pccp.yaml", task=task)
    found: ChangeControlPlan = plan
    return found, sha256_of(data)
