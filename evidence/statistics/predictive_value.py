"""Predictive values at a prevalence that is stated, not that of the samples.

A test set is enriched with findings; the values a reader wants are those of the population. By Bayes' rule from
sensitivity and specificity, with the logit intervals of Mercaldo, Lau and Zhou, Stat Med 26:2170 (2007). The prevalence
is taken as known; samples are independent.
"""

import math
from dataclasses import dataclass

from domain.errors import NotEstimable, TooFewSamples
from evidence.statistics.estimate import Estimate, normal_quantile
from evidence.statistics.operating_point import Confusion


@dataclass(frozen=True, slots=True)
class _Rates:
    """Sensitivity and specificity with the numbers of samples they stand on."""

    sensitivity: float
    specificity: float
    positives: float
    negatives: float


def ppv_at(counts: Confusion, *, prevalence: float, level: float = 0.95) -> Estimate:
    """Positive predictive value at ``prevalence``: p·se / (p·se + (1 − p)(1 − sp)).

    Where a cell of the table is empty the logit has no variance; its interval then comes from counts to which z²/2 was
    added in each cell ("adjusted logit"), is widened to hold the value, and is named so.

    Raises:
        TooFewSamples: a class is empty.
        NotEstimable: a prevalence outside (0, 1), or no sample called positive.
    """
    rates = _rates(counts, prevalence)
    if rates.sensitivity == 0.0 and rates.specificity == 1.0:
        raise NotEstimable("No sample is called positive: there is no positive predictive value.")
    value, _ = _positive(rates, prevalence)
    return _interval(counts, prevalence, value=value, of_positive=True, level=level)


def npv_at(counts: Confusion, *, prevalence: float, level: float = 0.95) -> Estimate:
    """Negative predictive value at ``prevalence``: (1 − p)·sp / ((1 − p)·sp + p(1 − se)).

    Intervals as ``ppv_at``.

    Raises:
        TooFewSamples: a class is empty.
        NotEstimable: a prevalence outside (0, 1), or no sample called negative.
    """
    rates = _rates(counts, prevalence)
    if rates.specificity == 0.0 and rates.sensitivity == 1.0:
        raise NotEstimable("No sample is called negative: there is no negative predictive value.")
    value, _ = _negative(rates, prevalence)
    return _interval(counts, prevalence, value=value, of_positive=False, level=level)


def _rates(counts: Confusion, prevalence: float, *, added: float = 0.0) -> _Rates:
    """The two rates with ``added`` in each cell."""
    if not 0.0 < prevalence < 1.0:
        raise NotEstimable(f"A prevalence of {prevalence} does not exist.", next_step="State one between 0 and 1.")
    if not (counts.positives and counts.negatives):
        raise TooFewSamples("A predictive value needs samples with and without the finding.")
    positives, negatives = counts.positives + 2 * added, counts.negatives + 2 * added
    return _Rates(
        (counts.true_positives + added) / positives, (counts.true_negatives + added) / negatives, positives, negatives
    )


def _interval(counts: Confusion, prevalence: float, *, value: float, of_positive: bool, level: float) -> Estimate:
    z = normal_quantile(level)
    cells = (counts.true_positives, counts.false_positives, counts.false_negatives, counts.true_negatives)
    adjusted = not all(cells)
    rates = _rates(counts, prevalence, added=z * z / 2 if adjusted else 0.0)
    centre, variance = (_positive if of_positive else _negative)(rates, prevalence)
    logit, half = math.log(centre) - math.log1p(-centre), z * math.sqrt(variance)
    low, high = (1.0 / (1.0 + math.exp(-x)) for x in (logit - half, logit + half))
    method = f"{'adjusted ' if adjusted else ''}logit at prevalence {prevalence:g}"
    return Estimate(value, min(low, value), max(high, value), level, method, counts.n, counts.positives)


def _positive(rates: _Rates, prevalence: float) -> tuple[float, float]:
    """PPV and the variance of its logit (infinite at the ends)."""
    hit, false_alarm = rates.sensitivity * prevalence, (1.0 - rates.specificity) * (1.0 - prevalence)
    variance = _odds(1.0 - rates.sensitivity, rates.sensitivity) / rates.positives
    variance += _odds(rates.specificity, 1.0 - rates.specificity) / rates.negatives
    return hit / (hit + false_alarm), variance


def _negative(rates: _Rates, prevalence: float) -> tuple[float, float]:
    """NPV and the variance of its logit (infinite at the ends)."""
    right, miss = rates.specificity * (1.0 - prevalence), (1.0 - rates.sensitivity) * prevalence
    variance = _odds(rates.sensitivity, 1.0 - rates.sensitivity) / rates.positives
    variance += _odds(1.0 - rates.specificity, rates.specificity) / rates.negatives
    return right / (right + miss), variance


def _odds(this: float, other: float) -> float:
    return this / other if other else math.inf
