"""What is different between the champion and a candidate, as kinds of change that a change control plan can foresee."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from domain.codes import CodedConcept
from domain.dataset import DatasetVersion
from domain.identifiers import Sha256
from domain.intended_use import IntendedUse
from domain.model_version import ModelManifest, OperatingPoint
from domain.preprocessing import Preprocessing
from evidence.record import ValidationReport


class ChangeKind(StrEnum):
    """One way in which a candidate may differ from the champion."""

    INTENDED_USE = "intended_use"
    FINDING = "finding"
    PREPROCESSING = "preprocessing"
    ARCHITECTURE = "architecture"  # family of the model, number of parameters, or whether it explains itself
    DATA_SOURCE = "data_source"
    DATASET_VERSION = "dataset_version"  # of the same source
    OPERATING_POINT = "operating_point"  # the rule, or the data it was chosen on
    THRESHOLD = "threshold"  # another value by the same rule
    ENGINE = "engine"  # or the precision it computes at
    WEIGHTS = "weights"
    TRAINING_SEED = "training_seed"
    SOFTWARE = "software"  # the commit that trained it


@dataclass(frozen=True, slots=True)
class CandidateFacts:
    """What of a candidate can be held against the champion's manifest."""

    task: str
    variant: str
    intended_use: IntendedUse
    finding: CodedConcept
    preprocessing: Preprocessing
    operating_point: OperatingPoint
    engine: str
    explains: bool
    parameters: int
    weights_sha256: Sha256
    dataset_version: DatasetVersion
    seed: int | None
    git_commit: str
    precision: str = "fp32"

    @classmethod
    def of(
        cls, report: ValidationReport, *, preprocessing: Preprocessing, engine: str, explains: bool,
        precision: str = "fp32",
    ) -> "CandidateFacts":  # fmt: skip
        """From the report, and from packaging what the report does not say."""
        model, origin = report.model, report.provenance
        return cls(
            task=model.task, variant=model.variant, intended_use=model.intended_use, finding=model.finding,
            preprocessing=preprocessing, operating_point=model.operating_point, engine=engine, explains=explains,
            parameters=origin.parameters, weights_sha256=origin.weights_sha256, dataset_version=origin.dataset_version,
            seed=origin.seed, git_commit=origin.git_commit, precision=precision,
        )  # fmt: skip


def changes(champion: ModelManifest, candidate: CandidateFacts) -> tuple[ChangeKind, ...]:
    """Every kind of change from the champion to the candidate, in the order of ``ChangeKind``."""
    before, now = champion, candidate
    same_source = before.dataset_version.source == now.dataset_version.source
    same_rule = (before.operating_point.rule, before.operating_point.chosen_on) == (
        now.operating_point.rule,
        now.operating_point.chosen_on,
    )
    differs: Mapping[ChangeKind, bool] = {
        ChangeKind.INTENDED_USE: before.intended_use != now.intended_use,
        ChangeKind.FINDING: before.finding != now.finding,
        ChangeKind.PREPROCESSING: before.preprocessing != now.preprocessing,
        ChangeKind.ARCHITECTURE: (_family(before.variant), before.parameters, before.explains)
        != (_family(now.variant), now.parameters, now.explains),
        ChangeKind.DATA_SOURCE: not same_source,
        ChangeKind.DATASET_VERSION: same_source and before.dataset_version.digest != now.dataset_version.digest,
        ChangeKind.OPERATING_POINT: not same_rule,
        ChangeKind.THRESHOLD: same_rule and before.operating_point.threshold != now.operating_point.threshold,
        ChangeKind.ENGINE: (before.engine, before.precision) != (now.engine, now.precision),
        ChangeKind.WEIGHTS: before.weights_sha256 != now.weights_sha256,
        ChangeKind.TRAINING_SEED: before.seed != now.seed,
        ChangeKind.SOFTWARE: before.git_commit != now.git_commit,
    }
    return tuple(kind for kind in ChangeKind if differs[kind])


def _family(variant: str) -> str:
    """The kind of model that a variant's name begins with, e.g. ``network`` of ``network-seed1``."""
    return variant.partition("-")[0]
