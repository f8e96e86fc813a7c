"""What a report says of its plan: objectives, protocol, sample size, rules declared before the test set was opened."""

from datetime import datetime

from evidence.checklists.words import counted, digest, listed, named, sentence
from evidence.plan import Bound, CalibrationBound, Endpoint, NonInferiority, SubgroupFloor, ValidationPlan
from evidence.record import ValidationReport


def objectives(report: ValidationReport) -> str:
    """The primary endpoints with their bounds and α."""
    plan = _plan(report)
    if plan is None:
        return ""
    primary = listed(_wanted(endpoint) for endpoint in plan.primary)
    return f"Primary endpoints, each at one-sided α = {plan.alpha:g}: {primary}."


def goal(report: ValidationReport) -> str:
    """What the run was for, in endpoints."""
    plan = _plan(report)
    if plan is None:
        return ""
    return (
        f"To judge {report.model.model_version} for {report.model.finding.meaning} by {len(plan.primary)} primary and "
        f"{len(plan.secondary)} secondary endpoints declared in a plan."
    )


def protocol(report: ValidationReport) -> str:
    """Which plan, when it was registered, and when the test set was first opened under it."""
    planned = report.planned
    if planned is None:
        return ""
    opened = [line.opened_at for line in report.ledger if line.plan_sha256 == planned.sha256]
    first = f"; the test set was first opened under it on {_minute(min(opened))}" if opened else ""
    return (
        f"plan.yaml, {digest(planned.sha256)}, registered on {_minute(planned.registered_at)}{first}; "
        f"{counted(len(planned.deviations), 'deviation')}."
    )


def population(report: ValidationReport) -> str:
    """The plan's population."""
    plan = _plan(report)
    return f"Planned population: {sentence(plan.population)}" if plan else ""


def reference_standard(report: ValidationReport) -> str:
    """The plan's statement on the reference standard."""
    plan = _plan(report)
    return f"Planned reference standard: {sentence(plan.reference_standard)}" if plan else ""


def missing_data(report: ValidationReport) -> str:
    """The plan's rule for missing data."""
    plan = _plan(report)
    return f"Rule of the plan: {sentence(plan.missing_data)}" if plan else ""


def sample_size(report: ValidationReport) -> str:
    """What each primary endpoint needed, on which assumptions, and what the test set has."""
    plan = _plan(report)
    if plan is None:
        return ""
    needs = listed(
        f"{size.samples:,} samples give {named(size.endpoint)} a power of {size.power:g} if it is {size.expected:g} "
        f"and {100 * size.positive_share:.0f} % have the finding"
        for size in plan.sample_size
    )
    return f"{sentence(needs)} The test set has {report.test.n:,}."


def floors(report: ValidationReport) -> str:
    """The floors every large enough stratum must reach."""
    plan = _plan(report)
    return sentence(listed(_floor(floor) for floor in plan.subgroups)) if plan else ""


def significance(report: ValidationReport) -> str:
    """α of the plan, and what reuse of the test set does to it."""
    cost, plan = report.reuse, _plan(report)
    if plan is None:
        return ""
    said = f"One-sided α = {plan.alpha:g} for each primary endpoint"
    if cost is None:
        return f"{said}."
    return f"{said}, {cost.adjusted_alpha:g} for model {cost.models} of at most {cost.max_models} on this test set."


def _plan(report: ValidationReport) -> ValidationPlan | None:
    return report.planned.plan if report.planned else None


def _minute(moment: datetime) -> str:
    return moment.isoformat(sep=" ", timespec="minutes")


def _wanted(endpoint: Endpoint) -> str:
    metric = named(endpoint.metric)
    if isinstance(endpoint, Bound):
        return (
            f"{metric} at least {endpoint.at_least}"
            if endpoint.at_most is None
            else f"{metric} at most {endpoint.at_most}"
        )
    if isinstance(endpoint, NonInferiority):
        return f"{metric} not inferior to the {endpoint.against} by a margin of {endpoint.margin:g}"
    if isinstance(endpoint, CalibrationBound):
        return f"{metric} within {endpoint.low:g} to {endpoint.high:g}"
    return f"{metric} superior to the {endpoint.against}"


def _floor(floor: SubgroupFloor) -> str:
    return f"{named(floor.metric)} at least {floor.at_least:g} in each stratum of {floor.group} that has {floor.min_n}"
