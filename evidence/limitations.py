"""What speaks against believing a report, drawn from its own facts: nobody has to remember to write it down."""

from collections.abc import Iterator

from evidence.record import MapFaithfulness, ValidationReport
from evidence.uncertainty_record import SetUncertainty
from evidence.wording import endpoint_name

# A map whose rank correlation with one by random weights reaches this far shows the film rather than the model. Adebayo
# et al. (2018) give no bound; this one is ours.
SAME_MAP = 0.5


def limitations(report: ValidationReport) -> tuple[str, ...]:
    """One sentence each, the warnings of the record first; none is left out because it is unpleasant."""
    return tuple(
        dict.fromkeys(
            [
                *report.warnings,
                *_of_the_plan(report),
                *_of_the_data(report),
                *_of_the_strata(report),
                *_of_the_engine(report),
                *_of_the_explanation(report),
                *_of_the_uncertainty(report),
            ]
        )
    )


def faithful(found: MapFaithfulness) -> bool:
    """True when strong pixels matter more than random ones, both ways, and the map depends on the weights."""
    return (
        found.deletion.interval[1] < 0.0
        and found.insertion.interval[0] > 0.0
        and found.randomised_similarity.interval[1] < SAME_MAP
    )


def _of_the_plan(report: ValidationReport) -> Iterator[str]:
    if report.planned is None:
        yield "No plan was registered before the test set was opened: what counts as success was not fixed beforehand."
    else:
        yield from (f"Deviation from the plan: {deviation}" for deviation in report.planned.deviations)
        named = [opening for opening in report.ledger if opening.plan_sha256 == report.planned.sha256]
        early = [str(opening.number) for opening in named if opening.opened_at < report.planned.registered_at]
        if early:
            yield f"The test set was opened before the plan was registered (ledger no. {', '.join(early)})."
    for endpoint in report.endpoints:
        if endpoint.applicable and not endpoint.met:
            name, why = endpoint_name(endpoint.name), endpoint.reason.rstrip(".")
            yield f"The {endpoint.role} endpoint “{name}” was missed: {why}."
    if report.reuse is not None and report.reuse.models > 1:
        yield (
            f"The test set has answered {report.reuse.models} models; each answer makes a lucky one likelier "
            f"(up to {100 * report.reuse.error_if_unadjusted:.1f} % without adjustment)."
        )


def _of_the_data(report: ValidationReport) -> Iterator[str]:
    test = report.test
    if test.dataset_version.synthetic:
        yield "The test images are synthetic: nothing here was measured on a patient."
    for results in (test, *report.external):
        yield from (f"{results.dataset_version.source}: {flaw}" for flaw in results.known_flaws)
    if not report.external:
        yield "No external site was tested: how the model does elsewhere is not known."
    for results in report.external:
        if results.positives in (0, results.n):
            yield f"{results.dataset_version.source} holds one class only: discrimination is not known there."
    if not report.robustness:
        yield "How the model bears noise, blur, other contrast, rotation, windowing and compression was not measured."


def _of_the_strata(report: ValidationReport) -> Iterator[str]:
    undecided = [floor for floor in report.floors if floor.met is None]
    if undecided:
        names = ", ".join(f"{floor.group} {floor.value} (n = {floor.n})" for floor in undecided)
        yield f"Too small to be judged against their floor: {names}."
    missed = [floor for floor in report.floors if floor.met is False]
    if missed:
        yield f"Below their floor: {', '.join(f'{floor.group} {floor.value}' for floor in missed)}."
    empty = [f"{s.group} {s.value} (n = {s.n})" for s in report.test.subgroups if not s.metrics]
    if empty:
        yield f"No figure at all could be given for: {', '.join(empty)}."
    grouped = {stratum.group for stratum in report.test.subgroups if stratum.n < report.test.n}
    unknown = [group for group in ("sex", "age", "site") if group not in grouped]
    if unknown:
        yield f"The test data cannot be told apart by {', '.join(unknown)}: a difference there would go unseen."


def _of_the_engine(report: ValidationReport) -> Iterator[str]:
    if report.engine is not None and not report.engine.confirmation.within:
        found = report.engine.confirmation
        yield (
            f"Test data do not confirm the engine: {report.engine.choice.engine} at {report.engine.choice.precision} "
            f"answers up to {found.max_difference:.2g} apart from the trained model (allowed: {found.tolerance:g}), or "
            f"its AUROC is not shown to be less than {found.margin:g} lower."
        )


def _of_the_explanation(report: ValidationReport) -> Iterator[str]:
    if report.faithfulness is not None and not faithful(report.faithfulness):
        yield (
            "The activation map failed the deletion, insertion or random-weights check: it must not be read as the "
            "reason of the answer."
        )
    if report.explanation is None and report.faithfulness is None:
        yield "Whether the model looks at the finding was not checked."


def _of_the_uncertainty(report: ValidationReport) -> Iterator[str]:
    sure = report.uncertainty
    if sure is None:
        yield "When the version should abstain, and how sure it may be of one film, was not measured."
        return
    yield from sure.not_fitted
    if sure.out_of_distribution is not None:
        yield (
            "The primary figures are on all films, also on those the version abstains on. A film can be misread without"
            " being unlike the training data."
        )
    if sure.conformal is not None:
        for found in sure.sets:
            yield from _missed_coverage(found, coverage=sure.conformal.coverage)


def _missed_coverage(found: SetUncertainty, *, coverage: float) -> Iterator[str]:
    named = {value.name: value for value in found.metrics}
    for finding in ("present", "absent"):
        value = named.get(f"conformal_coverage_{finding}")
        if value is not None and value.interval[1] < coverage:
            yield (
                f"{found.source}: prediction sets hold “{finding}”, where it is true, on {100 * value.value:.1f} % of "
                f"films, not on {100 * coverage:g} %."
            )
