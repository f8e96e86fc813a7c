"""From a scored set to the limits that an endpoint holds against its bound; patients, not films, are independent."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from domain.errors import NotEstimable, TooFewSamples
from evidence.plan import BoundedMetric, CalibrationMetric, PairedMetric
from evidence.scored_set import ScoredSet
from evidence.statistics import bootstrap, calibration, clustered_calibration, clustered_limits
from evidence.statistics.clustered_limits import Limits
from evidence.statistics.clustered_mcnemar import count_pairs
from evidence.statistics.estimate import Estimate

Calls = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Rival:
    """Another model's answers to the same test set, and the threshold at which it calls the finding present."""

    scored: ScoredSet
    threshold: float


def require_usable(scored: ScoredSet, threshold: float) -> None:
    """Refuse a set on which nothing may be judged.

    Raises:
        TooFewSamples: it is empty.
        NotEstimable: a label is neither 0 nor 1, a score is no probability, or the threshold no number; the first
            sample is named.
    """
    where = f"the {scored.split} data of {scored.dataset_version.name} scored by {scored.model_version}"
    if not scored.sample_ids:
        raise TooFewSamples(f"There are no samples in {where}.")
    with np.errstate(invalid="ignore"):
        unscored = ~((scored.probabilities >= 0.0) & (scored.probabilities <= 1.0))
    for wrong, what, then in (
        (~np.isin(scored.labels, (0, 1)), "a label other than the declared 0 and 1", "Mend the manifest."),
        (unscored, "a score that is no probability", "Find out why it could not be scored."),
    ):
        if wrong.any():
            first = scored.sample_ids[int(np.flatnonzero(wrong)[0])]
            raise NotEstimable(
                f"{int(wrong.sum())} samples have {what} in {where}; the first is {first}.", next_step=then
            )
    if not np.isfinite(threshold):
        raise NotEstimable(f"The threshold for {where} is not a number.")


def bounded(metric: BoundedMetric, test: ScoredSet, *, threshold: float) -> Limits:
    """The metric of one model. ``expected_calibration_error`` has no formula: see ``calibration_error``.

    Raises:
        OneClassOnly, TooFewSamples, NotEstimable: the metric has no value on these samples.
    """
    present, called = test.labels.astype(bool), test.probabilities >= threshold
    patients = np.array(test.patient_keys)

    def share(successes: Calls, of: Calls) -> Limits:
        return clustered_limits.share(successes[of], patients[of], positives=int(present[of].sum()))

    found: Mapping[str, Callable[[], Limits]] = {
        "auroc": lambda: clustered_limits.area(present, test.probabilities, patients),
        "sensitivity": lambda: share(called, present),
        "specificity": lambda: share(~called, ~present),
        "ppv": lambda: share(present, called),
        "npv": lambda: share(~present, ~called),
        "brier": lambda: clustered_limits.positive_mean(
            (test.probabilities - present) ** 2, patients, positives=int(present.sum())
        ),
    }
    return found[metric]()


def calibration_error(test: ScoredSet, *, level: float) -> Estimate:
    """Expected calibration error, interval by drawing patients. It leans upwards, as the error itself does: safe for an
    upper bound.

    Raises:
        TooFewSamples, NotEstimable: as ``bootstrap.cluster_bootstrap``.
    """

    def error(rows: NDArray[np.intp]) -> float:
        return calibration.expected_calibration_error(
            calibration.reliability(test.labels[rows], test.probabilities[rows])
        )

    return bootstrap.cluster_bootstrap(
        np.array(test.patient_keys), error, positives=int(test.labels.sum()),
        resampling=bootstrap.Resampling(method="percentile", resamples=1000, level=level),
    )  # fmt: skip


def calibrated(metric: CalibrationMetric, test: ScoredSet) -> Limits:
    """A figure of the calibration line.

    Raises:
        OneClassOnly, TooFewSamples, NotEstimable: no finite line fits.
    """
    line = clustered_calibration.line(test.labels, test.probabilities, np.array(test.patient_keys))
    return {
        "calibration_slope": line.slope,
        "calibration_intercept": line.intercept,
        "calibration_in_the_large": line.in_the_large,
    }[metric]


def difference(metric: PairedMetric, test: ScoredSet, *, threshold: float, rival: Rival) -> Limits:
    """The metric of the model less that of the rival, each at its own threshold, paired by sample.

    Raises:
        NotEstimable: the rival was scored on other samples.
        OneClassOnly, TooFewSamples: the metric has no value on these samples.
    """
    other = rival.scored.in_order_of(test)
    present, patients = test.labels.astype(bool), np.array(test.patient_keys)
    if metric == "auroc":
        return clustered_limits.area_difference(present, test.probabilities, other, patients)
    of = present if metric == "sensitivity" else ~present
    if not of.any():
        raise TooFewSamples(f"No sample counts towards the {metric}.")
    mine, theirs = ((test.probabilities >= threshold) == present)[of], ((other >= rival.threshold) == present)[of]
    return clustered_limits.share_difference(
        count_pairs(mine, theirs, patients[of]), positives=int(present[of].sum())
    )  # fmt: skip


def alike(metric: PairedMetric, test: ScoredSet, *, threshold: float, rival: Rival) -> bool:
    """Whether the two are one model as far as this test set can tell: the same probability for every sample and, where
    calls count, the same threshold.
    """
    same = np.array_equal(test.probabilities, rival.scored.in_order_of(test))
    return same and (metric == "auroc" or threshold == rival.threshold)
