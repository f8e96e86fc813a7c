"""What happens at one threshold: confusion counts, proportions with Wilson intervals, and how a threshold is chosen."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from domain.errors import NotEstimable, TooFewSamples
from domain.model_version import OperatingPoint
from evidence.statistics.estimate import Estimate, as_labels, as_scores, need_both_classes, normal_quantile


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
        return self.true_positives + self.false_positives + self.false_negatives + self.true_negatives


def wilson(successes: int, n: int, *, level: float = 0.95, positives: int | None = None) -> Estimate:
    """A proportion with Wilson's score interval, without continuity correction (J Am Stat Assoc 22:209, 1927).

    ``positives`` says how many of the ``n`` carry the finding; left out, the successes are meant. Assumes independent
    samples.

    Raises:
        TooFewSamples: ``n`` is 0.
        NotEstimable: successes outside 0…n.
    """
    if n < 1:
        raise TooFewSamples("A proportion of no samples has no value.")
    if not 0 <= successes <= n:
        raise NotEstimable(f"{successes} of {n} is no proportion.")
    z = normal_quantile(level)
    share = successes / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    # At 0 of n and n of n one end is exact; rounding must not move it past the value.
    low = 0.0 if successes == 0 else max(centre - half, 0.0)
    high = 1.0 if successes == n else min(centre + half, 1.0)
    return Estimate(share, low, high, level, "Wilson", n, successes if positives is None else positives)


def confusion(labels: ArrayLike, scores: ArrayLike, *, threshold: float) -> Confusion:
    """Counts for labels (n,) and scores (n,); a score equal to the threshold is called positive.

    Raises:
        NotEstimable, TooFewSamples: bad numbers, or none.
    """
    values = as_scores(scores)
    truth = as_labels(labels, n=values.size)
    called = values >= threshold
    return Confusion(
        true_positives=int((called & truth).sum()),
        false_positives=int((called & ~truth).sum()),
        false_negatives=int((~called & truth).sum()),
        true_negatives=int((~called & ~truth).sum()),
    )


def sensitivity(counts: Confusion, *, level: float = 0.95) -> Estimate:
    """Share of samples with the finding that are called positive. Raises TooFewSamples when there is none."""
    n = counts.true_positives + counts.false_negatives
    return wilson(counts.true_positives, n, level=level, positives=n)


def specificity(counts: Confusion, *, level: float = 0.95) -> Estimate:
    """Share of samples without the finding that are called negative. Raises TooFewSamples when there is none."""
    return wilson(counts.true_negatives, counts.true_negatives + counts.false_positives, level=level, positives=0)


def ppv(counts: Confusion, *, level: float = 0.95) -> Estimate:
    """Positive predictive value at the prevalence of these samples. Raises TooFewSamples when none is called
    positive.
    """
    return wilson(counts.true_positives, counts.true_positives + counts.false_positives, level=level)


def npv(counts: Confusion, *, level: float = 0.95) -> Estimate:
    """Negative predictive value at the prevalence of these samples. Raises TooFewSamples when none is called
    negative.
    """
    n = counts.true_negatives + counts.false_negatives
    return wilson(counts.true_negatives, n, level=level, positives=counts.false_negatives)


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
