"""What a report says of its results, each number with interval and n."""

from evidence.checklists.words import counted, listed, measured, named, pick, sentence, share
from evidence.record import SetResults, ValidationReport

DIAGNOSTIC = ("sensitivity", "specificity", "ppv", "npv")
CALIBRATION = ("brier", "calibration_slope", "calibration_intercept")


def discrimination(report: ValidationReport) -> str:
    """AUROC on the test set."""
    return sentence(pick(report.test.metrics, ("auroc",)))


def internal(report: ValidationReport) -> str:
    """The same, where the test set is of the source that the model learned from."""
    same = report.test.dataset_version.source == report.provenance.dataset_version.source
    return discrimination(report) if same else ""


def diagnostic(report: ValidationReport) -> str:
    """Sensitivity, specificity and predictive values at the operating point."""
    return sentence(pick(report.test.metrics, DIAGNOSTIC))


def calibration(report: ValidationReport) -> str:
    """Brier score and calibration line."""
    return sentence(pick(report.test.metrics, CALIBRATION))


def measures(report: ValidationReport) -> str:
    """Which measures and curves were made."""
    names = ", ".join(named(value.name) for value in report.test.metrics)
    made = (
        ("ROC", report.test.roc),
        ("precision and recall", report.test.precision_recall),
        ("reliability", report.test.reliability),
        ("decision", report.test.decision_curve),
    )
    curves = ", ".join(name for name, points in made if points)
    return sentence(f"measured: {names}{f'; curves: {curves}' if curves else ''}") if names else ""


def interval_methods(report: ValidationReport) -> str:
    """Level and method of each interval on the test set."""
    by_method: dict[str, list[str]] = {}
    for value in report.test.metrics:
        by_method.setdefault(f"{100 * value.level:g} %, {value.method}", []).append(named(value.name))
    said = listed(f"{', '.join(names)} ({method})" for method, names in by_method.items())
    return sentence(f"intervals: {said}") if said else ""


def cross_table(report: ValidationReport) -> str:
    """The confusion matrix at the operating point."""
    counts = report.test.counts
    return (
        f"{counts.true_positives:,} true positive, {counts.false_positives:,} false positive, "
        f"{counts.false_negatives:,} false negative and {counts.true_negatives:,} true negative calls."
    )


def strata(report: ValidationReport) -> str:
    """How many strata were estimated, by group, and which groups the plan had named."""
    groups: dict[str, list[bool]] = {}
    for stratum in report.test.subgroups:
        groups.setdefault(stratum.group, []).append(bool(stratum.metrics))
    if not groups:
        return ""
    said = listed(f"{sum(estimated)} of {len(estimated)} strata of {name}" for name, estimated in groups.items())
    planned = {floor.group for floor in report.planned.plan.subgroups} if report.planned else set()
    named_before = f"; named in the plan: {', '.join(sorted(planned))}" if planned else ""
    return sentence(f"estimated: {said}{named_before}")


def floor_results(report: ValidationReport) -> str:
    """How many strata met a floor, missed it, or were too small to decide."""
    if not report.floors:
        return ""
    met = sum(floor.met is True for floor in report.floors)
    missed = sum(floor.met is False for floor in report.floors)
    small = len(report.floors) - met - missed
    return f"Floors: met in {counted(met, 'stratum', 'strata')}, missed in {missed}, {small} too small to decide."


def places(report: ValidationReport) -> str:
    """AUROC of the test set beside that of each external set; empty without one."""
    outside = _outside(report, ("auroc",))
    return sentence(listed((f"test set: {_found(report.test, ('auroc',))}", *outside))) if outside else ""


def external(report: ValidationReport) -> str:
    """What each external set says; figures that could not be estimated are counted."""
    return sentence(listed(_outside(report, ("auroc", "sensitivity", "specificity"))))


def robustness(report: ValidationReport) -> str:
    """Each disturbance with the change of AUROC."""
    return sentence(
        listed(f"{r.disturbance} ({r.strength}): {measured(r.auroc_difference)}" for r in report.robustness)
    )


def explanation(report: ValidationReport) -> str:
    """Pointing game, and deletion, insertion and randomised weights."""
    said = []
    if report.explanation:
        chance = max(report.explanation.chance_elsewhere, report.explanation.chance_area)
        said.append(f"{measured(report.explanation.share)}, chance {chance:.3f}")
    if report.faithfulness:
        found = report.faithfulness
        said += [measured(found.deletion), measured(found.insertion), measured(found.randomised_similarity)]
    return sentence(listed(said))


def comparisons(report: ValidationReport) -> str:
    """The paired differences to baseline and champion."""
    return sentence(
        listed(
            f"against {made.baseline_version}: {measured(made.difference)}, p = {made.p_value:.3g}"
            for made in (report.comparison, report.champion)
            if made
        )
    )


def updating(report: ValidationReport) -> str:
    """Learning, potential and retention against the version in force."""
    found = report.adaptation
    if found is None:
        return ""
    said = listed(measured(value) for value in (found.learning, found.potential, found.retention) if value)
    return f"Against {found.previous}: {said}."


def failures(report: ValidationReport) -> str:
    """Errors in all, and how many are shown."""
    counts = report.test.counts
    wrong = counts.false_positives + counts.false_negatives
    return (
        f"Wrong calls: {share(wrong, report.test.n)}; the {len(report.failures)} farthest from the threshold are shown."
    )


def judgement(report: ValidationReport) -> str:
    """Endpoints and criteria met."""
    primary = [one for one in report.endpoints if one.role == "primary" and one.applicable]
    said = [f"{sum(one.met for one in primary)} of {len(primary)} applicable primary endpoints met"] if primary else []
    if report.criteria:
        said.append(f"{sum(one.met for one in report.criteria)} of {len(report.criteria)} acceptance criteria met")
    return sentence(listed(said))


def limitations(report: ValidationReport) -> str:
    """How many of each kind are listed; empty when none is."""
    everything = (report.test, *report.external)
    refused = [results.not_estimated for results in everything]
    refused += [stratum.not_estimated for results in everything for stratum in results.subgroups]
    found = (
        (len(report.warnings), "warning", "warnings"),
        (
            sum(len(results.known_flaws) for results in everything),
            "stated flaw of the data",
            "stated flaws of the data",
        ),
        (
            len(report.planned.deviations) if report.planned else 0,
            "deviation from the plan",
            "deviations from the plan",
        ),
        (sum(len(reasons) for reasons in refused), "figure not estimated", "figures not estimated"),
    )
    return sentence(listed(counted(number, one, many) for number, one, many in found if number))


def _outside(report: ValidationReport, names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{r.dataset_version.name}: {_found(r, names)}" for r in report.external)


def _found(results: SetResults, names: tuple[str, ...]) -> str:
    return pick(results.metrics, names) or f"{results.n:,} samples, {' and '.join(map(named, names))} not estimated"
