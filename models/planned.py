"""What a report says of its plan, its ledger, its data and its machine, beside the results."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from domain.acceptance import AcceptanceCriterion, CriterionResult
from domain.change_control import RegisteredPlan, TestSetOpening
from domain.dataset import DatasetVersion, SourceCard, Split
from domain.identifiers import Sha256, sha256_of
from evidence.additions import Additions
from evidence.checklists.fill import fill
from evidence.endpoints import Role, assess, deviations, floors, reuse_cost
from evidence.judgement import PlannedValidation
from evidence.plan import Bound, Endpoint, ValidationPlan
from evidence.record import Environment, LeakageCheck, ReferenceStandard, TableOne, ValidationReport
from evidence.sbom import Package, sbom_bytes
from evidence.scored_set import ScoredSet
from evidence.table_one import table_one
from models import loaders
from models.checkpoints import TrainedModel
from models.measures import Measured
from models.task import Task


class OpenTestSet(Protocol):
    """Writes the opening of a test set into the ledger before anything is scored."""

    def __call__(
        self, *, dataset_version: DatasetVersion, model_version: str, model_sha256: Sha256
    ) -> tuple[TestSetOpening, ...]:
        """The ledger of that test set up to the model's first opening.

        Raises:
            PlanNotRegistered: it may not be opened.
        """


@dataclass(frozen=True)
class Planned:
    """The registered plan of a validation, the door to the test set, and what the ledger said at it."""

    plan: ValidationPlan
    registered: RegisteredPlan
    open_test_set: OpenTestSet
    leakage: LeakageCheck | None = None  # what was compared before
    ledgers: Mapping[str, tuple[TestSetOpening, ...]] = field(default_factory=dict)  # by variant

    def opened(self, variants: Sequence[TrainedModel], external: Sequence[DatasetVersion]) -> Planned:
        """The same with the test set, and each external set, opened for every variant in their order.

        Raises:
            PlanNotRegistered: the plan is not registered.
        """
        ledgers = {}
        for trained in variants:
            ledgers[trained.variant], *_ = (
                self.open_test_set(
                    dataset_version=version,
                    model_version=f"{trained.task}/{trained.variant}",
                    model_sha256=trained.model_sha256,
                )
                for version in (trained.dataset_version, *external)
            )
        return replace(self, ledgers=ledgers)


@dataclass(frozen=True)
class Fixed:
    """The same for every variant: who the samples are, how the reference standard was made, where it ran."""

    table_one: TableOne
    reference_standards: tuple[ReferenceStandard, ...]
    environment: Environment
    leakage: LeakageCheck | None

    @classmethod
    def of(
        cls, prepared: Path, external: Sequence[Path], *, cards: Mapping[str, SourceCard], environment: Environment,
        leakage: LeakageCheck | None,
    ) -> Fixed:  # fmt: skip
        """From the prepared sources and their cards."""
        splits = {split.value: loaders.samples_of(prepared, split) for split in Split}
        outside = {f"external: {folder.name}": loaders.samples_of(folder, None) for folder in external}
        return cls(
            table_one=table_one({**splits, **outside}),
            reference_standards=tuple(
                ReferenceStandard(
                    source=card.name, statement=card.reference_standard, population=card.population,
                    licence=card.licence, citation=card.citation,
                )
                for card in cards.values()
            ),
            environment=environment,
            leakage=leakage,
        )  # fmt: skip


def environment(packages: Sequence[Package]) -> Environment:
    """Python, machine and packages of this process."""
    return Environment(
        python=platform.python_version(),
        platform=f"{platform.system()} {platform.machine()}",
        packages=len(packages),
        sbom_sha256=sha256_of(sbom_bytes(packages)),
    )


def additions_of(
    task: Task, trained: TrainedModel, *, test: ScoredSet, planned: Planned, measured: Measured, fixed: Fixed
) -> Additions:
    """Plan, ledger, endpoints and floors at this model's share of alpha, and everything that was measured."""
    plan, ledger = planned.plan, planned.ledgers[trained.variant]
    reuse = reuse_cost(ledger, trained.model_sha256, plan)
    threshold, alpha = trained.operating_point.threshold, reuse.adjusted_alpha
    listed: tuple[tuple[Role, tuple[Endpoint, ...]], ...] = (("primary", plan.primary), ("secondary", plan.secondary))
    endpoints = tuple(
        assess(endpoint, role=role, test=test, threshold=threshold, rivals=measured.rivals, alpha=alpha)
        for role, endpoints in listed
        for endpoint in endpoints
    )
    return Additions(
        planned=PlannedValidation(
            plan=plan,
            sha256=planned.registered.sha256,
            registered_by=planned.registered.registered_by,
            registered_at=planned.registered.registered_at,
            deviations=(
                *_looks_before(planned.registered, ledger),
                *deviations(plan, test, min_sensitivity=task.min_sensitivity, operating_point=trained.operating_point),
            ),
        ),
        ledger=ledger,
        reuse=reuse,
        reference_standards=fixed.reference_standards,
        table_one=fixed.table_one,
        leakage=fixed.leakage,
        endpoints=endpoints,
        floors=floors(plan, test, threshold=threshold, alpha=alpha),
        champion=measured.champion,
        adaptation=measured.adaptation,
        robustness=measured.robustness,
        faithfulness=measured.faithfulness,
        environment=fixed.environment,
    )


def _looks_before(registered: RegisteredPlan, ledger: Sequence[TestSetOpening]) -> tuple[str, ...]:
    """That the plan was registered after a look at the test set, where it was."""
    looks = [line for line in ledger if line.opened_at < registered.registered_at]
    if not looks:
        return ()
    plans = len({line.plan_sha256 for line in looks})
    return (
        f"The plan was registered at {registered.registered_at:%Y-%m-%d %H:%M} UTC, after this test set had been "
        f"opened {len(looks)} times under {plans} other plan{'s' if plans > 1 else ''}, first at "
        f"{looks[0].opened_at:%Y-%m-%d %H:%M} UTC.",
    )


def completed(report: ValidationReport, measured: Measured) -> ValidationReport:
    """The report with what follows from its own content: the bounds as criteria, warnings, and the checklists."""
    bounds = {endpoint.name: endpoint for endpoint in report.planned.plan.primary} if report.planned else {}
    criteria = tuple(
        CriterionResult(
            criterion=AcceptanceCriterion(metric=bound.metric, lower_bound=bound.at_least),
            value=result.value,
            met=result.met,
        )
        for result in report.endpoints
        if isinstance(bound := bounds.get(result.name), Bound) and bound.at_least is not None
        if result.value is not None
    )
    warned = report.model_copy(update={"criteria": criteria, "warnings": (*report.warnings, *measured.not_measured)})
    return warned.model_copy(update={"checklists": fill(warned)})
