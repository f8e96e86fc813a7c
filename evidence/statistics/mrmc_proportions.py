"""Sensitivity, specificity and mean rating averaged over random readers and cases, for any pattern of who read what.

U-statistics of one reader and one case: Gallas, Pennello and Myers, J Opt Soc Am A 24:B70 (2007); moments weigh every
reading alike (joint distribution), as Gallas and Brown, Neural Netw 21:387 (2008).
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from domain.errors import NotEstimable
from evidence.statistics.estimate import Estimate
from evidence.statistics.mrmc_inference import t_quantile, two_sided_p
from evidence.statistics.mrmc_study import ReaderStudy, need_readers

Array = NDArray[np.float64]
Quantity = Literal["sensitivity", "specificity", "mean rating"]


@dataclass(frozen=True, slots=True)
class ReaderAverage:
    """A mean over readings with its variance over readers and cases, normal interval and, for a difference, p-value."""

    estimate: Estimate
    variance: float
    p_value: float | None


@dataclass(frozen=True, slots=True, eq=False)
class _Scores:
    """Scores (readers, cases) of one test, 0 where ``exists`` is 0."""

    score: Array
    exists: Array

    @property
    def mean(self) -> float:
        return float(self.score.sum() / self.exists.sum())


def reader_average(
    study: ReaderStudy, test: str, *, of: Quantity, threshold: float | None = None, level: float = 0.95
) -> ReaderAverage:
    """One test's sensitivity (share of positives rated ≥ threshold), specificity (of negatives rated below) or mean.

    Raises:
        TooFewSamples: one reader.
        NotEstimable: no such test, no threshold where one is needed, no case of the class, too few readings for an
            unbiased variance, or a variance that is not positive.
    """
    scores = _scores(study, test, of, threshold)
    return _result(study, scores.mean, _covariance(scores, scores), of=of, level=level, null=None)


def reader_difference(
    study: ReaderStudy, tests: tuple[str, str], *, of: Quantity, threshold: float | None = None, level: float = 0.95
) -> ReaderAverage:
    """The first test's quantity minus the second's, paired as far as readings are; the test is two-sided, normal.

    Raises:
        TooFewSamples, NotEstimable: as ``reader_average``.
    """
    first, second = (_scores(study, test, of, threshold) for test in tests)
    variance = _covariance(first, first) + _covariance(second, second) - 2 * _covariance(first, second)
    return _result(study, first.mean - second.mean, variance, of=of, level=level, null=0.0)


def _scores(study: ReaderStudy, test: str, of: Quantity, threshold: float | None) -> _Scores:
    if test not in study.tests:
        raise NotEstimable(f"The study has no test {test!r}.", next_step=f"It has {', '.join(study.tests)}.")
    need_readers(len(study.readers), at_least=2)
    used = {"sensitivity": study.truth, "specificity": ~study.truth}.get(of, np.ones_like(study.truth))
    ratings = study.ratings[study.tests.index(test)][:, used]
    exists = ~np.isnan(ratings)
    if not exists.any():
        raise NotEstimable(f"There is no reading to give a {of}.")
    score = np.nan_to_num(ratings)
    if of != "mean rating":
        if threshold is None:
            raise NotEstimable(f"A {of} needs a threshold.")
        score = ((score >= threshold) == (of == "sensitivity")).astype(np.float64)
    return _Scores(np.where(exists, score, 0.0), exists.astype(np.float64))


def _covariance(first: _Scores, second: _Scores) -> float:
    """Unbiased covariance of two means: each kind of pair of readings, weighted by how often it occurs."""
    products, pairs = _sums(first.score, second.score), _sums(first.exists, second.exists)
    if pairs[-1] < 0.5:
        raise NotEstimable("No two readings differ in reader and case, so that no unbiased variance exists.")
    moments = np.divide(products, pairs, out=np.zeros(4), where=pairs > 0.5)
    weights = pairs / pairs.sum()
    return float(weights @ moments - moments[-1])


def _sums(left: Array, right: Array) -> Array:
    """Sums of products over pairs of readings (4,): same reader and case, same case only, same reader only, neither."""
    both = float((left * right).sum())
    case = float(left.sum(axis=0) @ right.sum(axis=0))
    reader = float(left.sum(axis=1) @ right.sum(axis=1))
    total = float(left.sum() * right.sum())
    return np.array([both, case - both, reader - both, total - case - reader + both])


def _result(
    study: ReaderStudy, value: float, variance: float, *, of: Quantity, level: float, null: float | None
) -> ReaderAverage:
    if not variance > 0:
        raise NotEstimable(
            f"The unbiased variance is {variance:.2g}: too few readers and cases, or they do not vary.",
            next_step="Use the jackknife.",
        )
    half = t_quantile(level, math.inf) * math.sqrt(variance)
    positives = int(study.truth.sum())
    n = {"sensitivity": positives, "specificity": study.truth.size - positives}.get(of, study.truth.size)
    with_finding = {"sensitivity": positives, "specificity": 0}.get(of, positives)
    estimate = Estimate(value, value - half, value + half, level, "U-statistics, normal", n, with_finding)
    p = None if null is None else two_sided_p((value - null) / math.sqrt(variance), math.inf)
    return ReaderAverage(estimate, variance, p)
