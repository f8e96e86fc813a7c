"""Decision curves: what acting on a probability is worth, counted in findings treated.

Vickers, Elkin, Med Decis Making 26:565 (2006). At threshold t, one unnecessary intervention weighs t/(1 − t) of a
finding treated: net benefit = share of true positives − t/(1 − t) · share of false positives. Positive means
probability ≥ threshold. Treating nobody is worth 0.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from domain.errors import NotEstimable, TooFewSamples
from evidence.statistics.calibration import checked
from evidence.statistics.estimate import Estimate, Labels, need_both_classes, normal_quantile

Interval = Literal["analytic", "bootstrap"]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the interval is made, and of whom. ``patients`` (n,) names the patient of each sample; None: each its own."""

    interval: Interval = "analytic"
    patients: Sequence[Any] | NDArray[Any] | None = None
    level: float = 0.95
    resamples: int = 1000
    seed: int = 0


@dataclass(frozen=True, slots=True)
class NetBenefit:
    """Worth of one rule at one threshold, per patient, beside treating all and treating none.

    ``interventions_avoided`` = (net benefit − that of treating all) / (t/(1 − t)): interventions spared per patient
    at no loss against treating all. ``standardised`` is net benefit over prevalence: 1 is perfect.
    """

    threshold: float
    model: Estimate
    treat_all: Estimate
    interventions_avoided: Estimate
    standardised: float
    prevalence: float
    treat_none: float = 0.0


def decision_curve(
    labels: ArrayLike,
    probabilities: ArrayLike,
    *,
    thresholds: ArrayLike,
    prevalence: float | None = None,
    sampling: Sampling | None = None,
) -> tuple[NetBenefit, ...]:
    """Net benefit of probabilities (n,) for labels (n,) at each of the thresholds (k,).

    ``prevalence`` is that of the population meant, where the samples are a case-control set or come from elsewhere:
    sensitivity and specificity are the samples', their weights the population's (net benefit = sensitivity · π − (1 −
    specificity)(1 − π) t/(1 − t); Pfeiffer, Gail, Biom J 62:764, 2020). Left out, it is the share of findings here.

    The analytic interval is Wald's with the influence of each patient (Marsh, Janes, Pepe, Biometrics 76:843, 2020;
    Sande et al., Stat Med 39:2980, 2020); the bootstrap's draws patients, percentile (Vickers et al., BMC Med Inform
    Decis Mak 8:53, 2008). Both take a stated prevalence as known; where nobody is called positive, the interval is the
    point 0.

    Raises:
        NotEstimable: bad numbers, a threshold, level or prevalence outside (0, 1), too few resamples.
        OneClassOnly: no positive or no negative sample.
        TooFewSamples: fewer than two patients.
    """
    truth, values = checked(labels, probabilities)
    cuts = np.atleast_1d(np.asarray(thresholds, dtype=np.float64))
    return _curve(truth, values, (cuts, cuts), prevalence, sampling or Sampling())


def binary_test(
    labels: ArrayLike,
    called: ArrayLike,
    *,
    thresholds: ArrayLike,
    prevalence: float | None = None,
    sampling: Sampling | None = None,
) -> tuple[NetBenefit, ...]:
    """Net benefit of a test that says yes or no (n,), whatever the threshold; else as ``decision_curve``."""
    truth, answers = checked(labels, called)
    if not np.isin(answers, (0.0, 1.0)).all():
        raise NotEstimable("An answer of the test is neither 0 nor 1.")
    cuts = np.atleast_1d(np.asarray(thresholds, dtype=np.float64))
    return _curve(truth, answers, (cuts, np.ones_like(cuts)), prevalence, sampling or Sampling())


@dataclass(frozen=True, slots=True)
class _Sums:
    """Sums over the samples of each of p patients: true and false positives (p, k), findings and others (p,)."""

    true: Floats
    false: Floats
    findings: Floats
    others: Floats

    def weighted(self, weights: Floats) -> "_Sums":
        """Totals (r, k) and (r, 1) of r weightings (r, p) of the patients."""
        findings, others = (weights @ self.findings)[:, None], (weights @ self.others)[:, None]
        return _Sums(weights @ self.true, weights @ self.false, findings, others)


def _curve(
    truth: Labels, values: Floats, cuts_and_bars: tuple[Floats, Floats], prevalence: float | None, sampling: Sampling
) -> tuple[NetBenefit, ...]:
    """Net benefit at each cut of calling positive what reaches its bar."""
    need_both_classes(truth)
    cuts, bars = cuts_and_bars
    if cuts.ndim != 1 or not cuts.size or not ((cuts > 0.0) & (cuts < 1.0)).all():
        raise NotEstimable("A threshold does not lie inside (0, 1).", next_step="Harm has no weight at 0 or at 1.")
    if prevalence is not None and not 0.0 < prevalence < 1.0:
        raise NotEstimable(f"A prevalence of {prevalence} cannot be.")
    patient = None if sampling.patients is None else _patients(sampling.patients, truth.size)
    # A few thresholds at a time keep memory near that of the samples.
    at_once = max(1, round(2e6 / truth.size))
    found: list[NetBenefit] = []
    for start in range(0, cuts.size, at_once):
        part = slice(start, start + at_once)
        sums = _by_patient(truth, values[:, None] >= bars[part], patient)
        found += _points(sums, cuts[part], prevalence, sampling)
    return tuple(found)


def _points(sums: _Sums, cuts: Floats, prevalence: float | None, sampling: Sampling) -> list[NetBenefit]:
    if sums.findings.size < 2:
        raise TooFewSamples("One patient gives no interval.", next_step="Give at least two.")
    odds = cuts / (1.0 - cuts)
    one = sums.weighted(np.ones((1, sums.findings.size)))
    worth, every = _worth(one, odds, prevalence)
    value = np.stack([worth[0], every[0], (worth[0] - every[0]) / odds])
    if sampling.interval == "analytic":
        half = normal_quantile(sampling.level) * _errors(sums, odds, prevalence)
        low, high, method = value - half, value + half, "analytic, Wald"
    else:
        low, high = _bootstrap(sums, odds, prevalence, sampling)
        method = f"percentile bootstrap, {sampling.resamples} resamples"
    method += "" if sampling.patients is None else ", by patient"
    positives, n = int(sums.findings.sum()), int(sums.findings.sum() + sums.others.sum())
    share = positives / n if prevalence is None else prevalence

    def estimate(row: int, k: int) -> Estimate:
        ends = float(min(low[row, k], value[row, k])), float(max(high[row, k], value[row, k]))
        return Estimate(float(value[row, k]), *ends, sampling.level, method, n, positives)

    return [
        NetBenefit(float(cuts[k]), estimate(0, k), estimate(1, k), estimate(2, k), float(value[0, k]) / share, share)
        for k in range(cuts.size)
    ]


def _patients(patients: Sequence[Any] | NDArray[Any], n: int) -> NDArray[np.intp]:
    """The patient of each sample as a number from 0."""
    keys = np.asarray(patients)
    if keys.shape != (n,):
        raise NotEstimable(f"There are {keys.size} patients for {n} samples.")
    if keys.dtype == object and any(key is None for key in keys):
        raise NotEstimable("A sample has no patient.")
    number: NDArray[np.intp] = np.unique(keys, return_inverse=True)[1]
    return number


def _by_patient(truth: Labels, called: NDArray[np.bool_], patient: NDArray[np.intp] | None) -> _Sums:
    true, false = called & truth[:, None], called & ~truth[:, None]
    if patient is None:
        return _Sums(*(part.astype(np.float64) for part in (true, false, truth, ~truth)))

    def total(column: NDArray[np.bool_]) -> Floats:
        return np.bincount(patient, weights=column).astype(np.float64)

    columns = range(called.shape[1])
    return _Sums(
        np.stack([total(true[:, k]) for k in columns], axis=1),
        np.stack([total(false[:, k]) for k in columns], axis=1),
        total(truth),
        total(~truth),
    )


def _worth(sums: _Sums, odds: Floats, prevalence: float | None) -> tuple[Floats, Floats]:
    """Net benefit (r, k) of the rule and of treating all, from totals."""
    n = sums.findings + sums.others
    share = sums.findings / n if prevalence is None else np.full_like(n, prevalence)
    worth = share * sums.true / sums.findings - (1.0 - share) * odds * sums.false / sums.others
    return worth, share - (1.0 - share) * odds


def _errors(sums: _Sums, odds: Floats, prevalence: float | None) -> Floats:
    """Standard errors (3, k) of rule, treat-all and interventions avoided, from each patient's influence (p, k)."""
    findings, others = sums.findings[:, None], sums.others[:, None]
    patients, positives, negatives = findings.size, float(findings.sum()), float(others.sum())
    n = positives + negatives
    if prevalence is None:
        rule, every = sums.true - odds * sums.false, findings - odds * others
        rule = (rule - rule.sum(axis=0) / n * (findings + others)) / n
        every = (every - every.sum(axis=0) / n * (findings + others)) / n
    else:
        hit, false_alarm = sums.true.sum(axis=0) / positives, sums.false.sum(axis=0) / negatives
        rule = prevalence * (sums.true - hit * findings) / positives
        rule = rule - (1.0 - prevalence) * odds * (sums.false - false_alarm * others) / negatives
        every = np.zeros_like(rule)
    spread = np.stack([rule, every, (rule - every) / odds])
    errors: Floats = np.sqrt((spread**2).sum(axis=1) * patients / (patients - 1.0))
    return errors


def _bootstrap(sums: _Sums, odds: Floats, prevalence: float | None, sampling: Sampling) -> tuple[Floats, Floats]:
    normal_quantile(sampling.level)  # refuses a level that does not exist
    if sampling.resamples < 100:
        raise NotEstimable(f"{sampling.resamples} resamples are too few for an interval.", next_step="Use 1,000.")
    draw, patients = np.random.default_rng(sampling.seed), sums.findings.size
    at_once = max(1, min(sampling.resamples, math.ceil(4e6 / patients)))
    parts = []
    for start in range(0, sampling.resamples, at_once):
        rows = min(at_once, sampling.resamples - start)
        weights = draw.multinomial(patients, np.full(patients, 1.0 / patients), size=rows).astype(np.float64)
        totals = sums.weighted(weights)
        kept = ((totals.findings > 0) & (totals.others > 0))[:, 0]
        totals = _Sums(totals.true[kept], totals.false[kept], totals.findings[kept], totals.others[kept])
        worth, every = _worth(totals, odds, prevalence)
        parts.append(np.stack([worth, every, (worth - every) / odds]))
    drawn = np.concatenate(parts, axis=1)
    if drawn.shape[1] < 0.9 * sampling.resamples:
        raise TooFewSamples("More than a tenth of the resamples hold one class only.")
    low, high = np.quantile(drawn, [(1.0 - sampling.level) / 2.0, (1.0 + sampling.level) / 2.0], axis=1)
    return low, high
