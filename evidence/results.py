"""Everything one scored set says at one operating point, each number with interval, n, split, dataset and model
version.
"""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray

from domain.acceptance import MetricValue
from domain.errors import DataProblem
from evidence import curves, planned_limits
from evidence.measured import area as area
from evidence.measured import metric as metric
from evidence.plan import CalibrationMetric
from evidence.record import Counts, DecisionPoint, Failure, ReliabilityPoint, SetResults, SubgroupResults
from evidence.scored_set import ScoredSet
from evidence.statistics import calibration, clustered_proportion, operating_point
from evidence.statistics.estimate import Estimate
from evidence.strata import strata

MIN_PER_SUBGROUP = (
    10  # samples in the denominator, or of each class for an AUROC; fewer say nothing and may point at a patient
)
HISTOGRAM_BINS = 20
FAILURES_OF_EACH_KIND = 6

Measured = Callable[[], Estimate]


def results_of(scored: ScoredSet, *, threshold: float, level: float) -> SetResults:
    """All results of one set. What cannot be estimated stands in ``not_estimated`` with the reason."""
    counts = operating_point.confusion(scored.labels, scored.probabilities, threshold=threshold)
    metrics, refused = _measure(
        scored,
        {
            **_discrimination(scored, threshold, level),
            **curves.further(scored, threshold=threshold, level=level),
            **_calibration(scored, level),
        },
    )
    decisions, no_decisions = _decisions(scored, level)
    present = scored.labels.astype(bool)
    return SetResults(
        dataset_version=scored.dataset_version,
        split=scored.split,
        model_version=scored.model_version,
        n=len(scored.sample_ids),
        patients=scored.patients,
        positives=int(present.sum()),
        counts=Counts(
            true_positives=counts.true_positives,
            false_positives=counts.false_positives,
            false_negatives=counts.false_negatives,
            true_negatives=counts.true_negatives,
        ),
        metrics=metrics,
        not_estimated={**refused, **no_decisions},
        roc=curves.roc_points(scored),
        precision_recall=curves.precision_recall_points(scored),
        decision_curve=decisions,
        reliability=_reliability(scored, level),
        histogram_present=_histogram(scored.probabilities[present]),
        histogram_absent=_histogram(scored.probabilities[~present]),
        subgroups=tuple(_subgroups(scored, threshold=threshold, level=level)),
        known_flaws=scored.known_flaws,
    )


def at_threshold(scored: ScoredSet, *, threshold: float, level: float) -> tuple[MetricValue, ...]:
    """Sensitivity and specificity only: how an operating point looked on the data it was chosen on."""
    wanted = _discrimination(scored, threshold, level)
    return _measure(scored, {name: wanted[name] for name in ("sensitivity", "specificity")})[0]


def most_confident_errors(scored: ScoredSet, *, threshold: float) -> tuple[Failure, ...]:
    """The wrong answers farthest from the threshold: missed findings first, then false alarms."""
    called = scored.probabilities >= threshold
    present = scored.labels.astype(bool)
    missed = np.flatnonzero(present & ~called)
    alarmed = np.flatnonzero(~present & called)
    missed = missed[np.argsort(scored.probabilities[missed], kind="stable")][:FAILURES_OF_EACH_KIND]
    alarmed = alarmed[np.argsort(-scored.probabilities[alarmed], kind="stable")][:FAILURES_OF_EACH_KIND]
    return tuple(
        Failure(
            sample_id=scored.sample_ids[i],
            finding_present=bool(present[i]),
            probability=float(scored.probabilities[i]),
            subgroups={name: values[i] for name, values in scored.subgroups.items()},
        )
        for i in (*missed.tolist(), *alarmed.tolist())
    )


def _discrimination(scored: ScoredSet, threshold: float, level: float) -> dict[str, Measured]:
    present, called = scored.labels.astype(bool), scored.probabilities >= threshold
    patients = np.array(scored.patient_keys)

    def share(successes: NDArray[np.bool_], of: NDArray[np.bool_]) -> Estimate:
        return clustered_proportion.share(successes[of], patients[of], level=level, positives=int(present[of].sum()))

    return {
        "auroc": lambda: area(scored, level=level),
        "sensitivity": lambda: share(called, present),
        "specificity": lambda: share(~called, ~present),
        "ppv": lambda: share(present, called),
        "npv": lambda: share(~present, ~called),
    }


def _calibration(scored: ScoredSet, level: float) -> dict[str, Measured]:
    def line() -> calibration.CalibrationLine:
        return calibration.slope_and_intercept(scored.labels, scored.probabilities, level=level)

    if scored.patients < len(scored.sample_ids):
        return _calibration_by_patient(scored, level)
    return {
        "brier": lambda: calibration.brier(scored.labels, scored.probabilities, level=level),
        "expected_calibration_error": lambda: calibration.calibration_error(
            scored.labels, scored.probabilities, level=level
        ),
        "calibration_slope": lambda: line().slope,
        "calibration_intercept": lambda: line().intercept,
        "calibration_in_the_large": lambda: line().in_the_large,
    }


def _calibration_by_patient(scored: ScoredSet, level: float) -> dict[str, Measured]:
    lines: tuple[CalibrationMetric, ...] = ("calibration_slope", "calibration_intercept", "calibration_in_the_large")
    return {
        "brier": lambda: planned_limits.bounded("brier", scored, threshold=0.0).interval(level),
        "expected_calibration_error": lambda: planned_limits.calibration_error(scored, level=level),
        **{name: partial(lambda name: planned_limits.calibrated(name, scored).interval(level), name) for name in lines},
    }


def _decisions(scored: ScoredSet, level: float) -> tuple[tuple[DecisionPoint, ...], dict[str, str]]:
    """The decision curve, or why there is none."""
    try:
        return curves.decision_points(scored, level=level), {}
    except DataProblem as problem:
        return (), {"decision_curve": problem.what}


def _measure(
    scored: ScoredSet, wanted: dict[str, Measured], *, subgroup: str = "all"
) -> tuple[tuple[MetricValue, ...], dict[str, str]]:
    """Each wanted estimate, or the reason why it cannot be had."""
    found, refused = [], {}
    for name, estimate in wanted.items():
        try:
            found.append(metric(scored, name, estimate(), subgroup=subgroup))
        except DataProblem as problem:
            refused[name] = problem.what
    return tuple(found), refused


def _subgroups(scored: ScoredSet, *, threshold: float, level: float) -> Iterator[SubgroupResults]:
    for group in scored.subgroups:
        for value, part in strata(scored, group):
            yield _subgroup(part, group=group, value=value, threshold=threshold, level=level)


def _subgroup(part: ScoredSet, *, group: str, value: str, threshold: float, level: float) -> SubgroupResults:
    positives, n = int(part.labels.sum()), len(part.sample_ids)
    size = {"auroc": min(positives, n - positives), "sensitivity": positives, "specificity": n - positives}
    enough = {
        name: m for name, m in _discrimination(part, threshold, level).items() if size.get(name, 0) >= MIN_PER_SUBGROUP
    }
    metrics, refused = _measure(part, enough, subgroup=f"{group}={value}")
    too_few = {
        name: f"refused: {count} of {MIN_PER_SUBGROUP} needed"
        for name, count in size.items()
        if count < MIN_PER_SUBGROUP
    }
    return SubgroupResults(
        group=group, value=value, n=n, patients=part.patients, positives=positives, metrics=metrics,
        not_estimated={**too_few, **refused},
    )  # fmt: skip


def _reliability(scored: ScoredSet, level: float) -> tuple[ReliabilityPoint, ...]:
    return tuple(
        ReliabilityPoint(
            lower=found.lower,
            upper=found.upper,
            mean_probability=found.mean_probability,
            observed=found.observed.value,
            interval=(found.observed.low, found.observed.high),
            n=found.observed.n,
        )
        for found in calibration.reliability(scored.labels, scored.probabilities, level=level)
    )


def _histogram(probabilities: NDArray[np.float64]) -> tuple[int, ...]:
    counts, _ = np.histogram(probabilities, bins=HISTOGRAM_BINS, range=(0.0, 1.0))
    return tuple(int(count) for count in counts)
