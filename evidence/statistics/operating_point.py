"""What happens at one threshold: confusion counts, proportions with intervals, and how a threshold is chosen."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from domain.errors import NotEstimable, OneClassOnly, TooFewSamples
from domain.model_version import OperatingPoint
from evidence.statistics.estimate import Estimate, Labels, as_labels, as_scores, need_both_classes
from evidence.statistics.proportion import Interval, proportion, wilson

__all__ = [
    "Confusion",
    "choose_threshold",
    "confusion",
    "labels_from",
    "npv",
    "ppv",
    "sensitivity",
    "specificity",
    "wilson",
    "youden",
]


@dataclass(frozen=True, slots=True)
class Confusion:
    """Counts of one threshold."""

    true_positives: int
    false_positives: int
    false_negatives: int
    true_negatives: int

    @property
    def n(self) -> int:
        """All samples."""
        return self.positives + self.negatives

    @property
    def positives(self) -> int:
        """Samples with the finding by the reference standard."""
        return self.true_positives + self.false_negatives

    @property
    def negatives(self) -> int:
        """Samples without the finding by the reference standard."""
        return self.false_positives + self.true_negatives


def labels_from(values: ArrayLike, *, positive: object, negative: object | None = None) -> Labels:
    """Labels (n,) of any kind as booleans: which of them are ``positive``.

    Without ``negative`` every other value counts as negative; with it, a third value is refused.

    Raises:
        TooFewSamples: there is none.
        NotEstimable: not one row, or a value that is neither.
        OneClassOnly: no value is ``positive``: a misspelt name must not become a set without the finding.
    """
    array = np.asarray(values)
    if array.ndim != 1:
        raise NotEstimable(f"Labels of shape {array.shape} are not one per sample.")
    if array.size == 0:
        raise TooFewSamples("There are no samples.")
    truth = np.asarray([value == positive for value in array.tolist()], dtype=np.bool_)
    if not truth.any():
        raise OneClassOnly(f"None of {array.size} labels is {positive!r}.", next_step="Name the positive label.")
    if negative is not None:
        third = sorted({repr(value) for value in array[~truth].tolist() if value != negative})
        if third:
            raise NotEstimable(f"Labels are neither {positive!r} nor {negative!r}: {', '.join(third[:3])}.")
    return truth


def confusion(
    labels: ArrayLike, scores: ArrayLike, *, threshold: float, higher_means_positive: bool = True
) -> Confusion:
    """Counts for labels (n,) and scores (n,); a score equal to the threshold is called positive.

    With ``higher_means_positive=False`` a score at or below the threshold is called positive.

    Raises:
        NotEstimable, TooFewSamples: bad numbers, or none.
    """
    values = as_scores(scores)
    truth = as_labels(labels, n=values.size)
    if math.isnan(threshold):
        raise NotEstimable("A threshold is not a number.")
    called = values >= threshold if higher_means_positive else values <= threshold
    return Confusion(
        true_positives=int((called & truth).sum()),
        false_positives=int((called & ~truth).sum()),
        false_negatives=int((~called & truth).sum()),
        true_negatives=int((~called & ~truth).sum()),
    )


def sensitivity(counts: Confusion, *, level: float = 0.95, interval: Interval = "wilson") -> Estimate:
    """Share of samples with the finding that are called positive. Raises TooFewSamples when there is none."""
    n = counts.positives
    return proportion(counts.true_positives, n, level=level, interval=interval, positives=n)


def specificity(counts: Confusion, *, level: float = 0.95, interval: Interval = "wilson") -> Estimate:
    """Share of samples without the finding that are called negative. Raises TooFewSamples when there is none."""
    return proportion(counts.true_negatives, counts.negatives, level=level, interval=interval, positives=0)


def ppv(counts: Confusion, *, level: float = 0.95, interval: Interval = "wilson") -> Estimate:
    """Positive predictive value at the prevalence of these samples. Raises TooFewSamples when none is called
    positive. At another prevalence: ``predictive_value.ppv_at``.
    """
    called = counts.true_positives + counts.false_positives
    return proportion(counts.true_positives, called, level=level, interval=interval)


def npv(counts: Confusion, *, level: float = 0.95, interval: Interval = "wilson") -> Estimate:
    """Negative predictive value at the prevalence of these samples. Raises TooFewSamples when none is called
    negative. At another prevalence: ``predictive_value.npv_at``.
    """
    called = counts.true_negatives + counts.false_negatives
    return proportion(counts.true_negatives, called, level=level, interval=interval, positives=counts.false_negatives)


def youden(counts: Confusion, *, level: float = 0.95, interval: Interval = "wilson") -> Estimate:
    """Youden's index, sensitivity + specificity − 1 (Cancer 3:32, 1950), a difference of two independent proportions.

    The interval adds the squared distances of the two proportions to their own limits (method 10 of Newcombe, Stat
    Med 17:873, 1998, when they are Wilson's). Assumes a threshold that was not chosen on these samples.

    Raises:
        TooFewSamples: a class is empty.
    """
    se = sensitivity(counts, level=level, interval=interval)
    sp = specificity(counts, level=level, interval=interval)
    value = se.value + sp.value - 1.0
    low = value - math.hypot(se.value - se.low, sp.value - sp.low)
    high = value + math.hypot(se.high - se.value, sp.high - sp.value)
    return Estimate(value, low, high, level, f"square-and-add, {se.method}", counts.n, counts.positives)


def choose_threshold(labels: ArrayLike, scores: ArrayLike, *, min_sensitivity: float) -> OperatingPoint:
    """The threshold of highest specificity whose sensitivity on these *tuning* data is at least ``min_sensitivity``.

    It lies midway between the lowest score that must be called positive and the next lower one, so that rounding in
    another engine does not change a decision.

    Raises:
        OneClassOnly, NotEstimable: one class only, numbers not finite, or a target outside (0, 1].
    """
    values = as_scores(scores)
    truth = as_labels(labels, n=values.size)
    need_both_classes(truth)
    if not 0.0 < min_sensitivity <= 1.0:
        raise NotEstimable(f"A sensitivity of {min_sensitivity} cannot be asked for.")
    of_positives = np.sort(values[truth])[::-1]
    needed = math.ceil(min_sensitivity * of_positives.size - 1e-9)
    lowest_called = float(of_positives[needed - 1])
    below = values[values < lowest_called]
    threshold = (lowest_called + float(below.max())) / 2.0 if below.size else lowest_called
    rule = f"highest specificity with sensitivity ≥ {min_sensitivity:g}"
    return OperatingPoint(threshold=threshold, rule=rule, chosen_on="tune")
