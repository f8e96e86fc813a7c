"""Do the probabilities mean what they say? Reliability, Brier score, calibration error, slope and intercept."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from domain.errors import NotEstimable
from evidence.statistics.estimate import (
    Estimate,
    Labels,
    Scores,
    as_labels,
    as_scores,
    need_both_classes,
    normal_quantile,
)
from evidence.statistics.operating_point import wilson

Bins = Literal["equal width", "equal count", "equal ranks"]
Closed = Literal["left", "right"]
CLIP = 1e-7  # probabilities of exactly 0 or 1 have no logit


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Samples whose probability lies in one bin: what was said (mean probability) and what was seen (share with the
    finding).
    """

    lower: float
    upper: float
    mean_probability: float
    observed: Estimate


@dataclass(frozen=True, slots=True)
class CalibrationLine:
    """Cox's recalibration: logit P(finding) = intercept + slope · logit(probability); perfect is slope 1, intercept 0.

    ``in_the_large`` is the intercept when the slope is held at 1: above 0, the probabilities are too low on the whole.
    """

    slope: Estimate
    intercept: Estimate
    in_the_large: Estimate


def reliability(
    labels: ArrayLike,
    probabilities: ArrayLike,
    *,
    bins: int = 10,
    rule: Bins = "equal width",
    closed: Closed = "left",
    level: float = 0.95,
) -> tuple[ReliabilityBin, ...]:
    """The reliability curve of probabilities (n,) for labels (n,): one entry per bin that holds samples.

    Equal-width bins cut at k/B; equal-count bins cut at quantiles (type 7), ties staying together; equal-rank bins are
    the sorted samples in B runs whose lengths differ by at most one, ties parted in the order given. A probability on
    an inner edge belongs to the bin above (``closed="left"``, [a, b)) or below (``"right"``, (a, b]: Guo et al., ICML
    2017, and scikit-learn); the outermost bins hold 0 and 1 either way.

    Raises:
        NotEstimable, TooFewSamples: bad numbers, or none.
    """
    truth, values = checked(labels, probabilities)
    lower, upper, index = _binned(values, bins=bins, rule=rule, closed=closed)
    found = []
    for k in np.unique(index):
        inside = index == k
        observed = wilson(int(truth[inside].sum()), int(inside.sum()), level=level)
        found.append(ReliabilityBin(float(lower[k]), float(upper[k]), float(values[inside].mean()), observed))
    return tuple(found)


def brier(labels: ArrayLike, probabilities: ArrayLike, *, level: float = 0.95) -> Estimate:
    """Mean squared distance of probability (n,) and label (n,) (Brier 1950), with a Wald interval cut to [0, 1].

    Raises:
        NotEstimable, TooFewSamples: bad numbers, or none.
    """
    truth, values = checked(labels, probabilities)
    squares = (values - truth) ** 2
    error = float(squares.std(ddof=1)) / math.sqrt(squares.size) if squares.size > 1 else math.inf
    value, half = float(squares.mean()), normal_quantile(level) * error
    return Estimate(value, max(value - half, 0.0), min(value + half, 1.0), level, "Wald", truth.size, int(truth.sum()))


def expected_calibration_error(bins: tuple[ReliabilityBin, ...]) -> float:
    """Mean of |seen − said| over bins, weighted by their samples (Naeini et al., AAAI 2015). Biased upwards when bins
    are thin.
    """
    gaps, weights = _gaps(bins)
    return float((gaps * weights).sum() / weights.sum())


def maximum_calibration_error(bins: tuple[ReliabilityBin, ...]) -> float:
    """Largest |seen − said| over bins."""
    return float(_gaps(bins)[0].max())


def calibration_error(
    labels: ArrayLike,
    probabilities: ArrayLike,
    *,
    bins: int = 10,
    rule: Bins = "equal width",
    resamples: int = 1000,
    level: float = 0.95,
) -> Estimate:
    """Expected calibration error with a percentile bootstrap interval (Efron 1979), fixed seed; bins as in
    ``reliability``, held fixed while samples are drawn.

    Resampling widens thin bins, so the interval leans upwards, as the error itself does.

    Raises:
        NotEstimable, TooFewSamples: bad numbers, or none.
    """
    truth, values = checked(labels, probabilities)
    value = expected_calibration_error(reliability(truth, values, bins=bins, rule=rule, level=level))
    _, _, index = _binned(values, bins=bins, rule=rule, closed="left")
    # Within a bin, n·|seen − said| is |Σ(label − probability)|; the ECE is the sum of these over n.
    gap, draw, errors = truth - values, np.random.default_rng(0), np.empty(resamples)
    for k in range(resamples):
        drawn = draw.integers(0, truth.size, size=truth.size)
        errors[k] = np.abs(np.bincount(index[drawn], weights=gap[drawn], minlength=bins)).sum() / truth.size
    low, high = np.quantile(errors, [(1 - level) / 2, (1 + level) / 2])
    method = f"percentile bootstrap, {resamples} resamples"
    return Estimate(value, min(float(low), value), max(float(high), value), level, method, truth.size, int(truth.sum()))


def slope_and_intercept(labels: ArrayLike, probabilities: ArrayLike, *, level: float = 0.95) -> CalibrationLine:
    """Calibration slope, intercept and calibration-in-the-large by logistic regression (Cox, Biometrika 45:562, 1958),
    Wald intervals.

    Probabilities (n,) are cut to [1e-7, 1 − 1e-7].

    Raises:
        OneClassOnly: no positive or no negative sample.
        NotEstimable: the probabilities separate the classes perfectly or are all equal, so that no finite line exists.
    """
    truth, values = checked(labels, probabilities)
    need_both_classes(truth)
    odds = logits(values)
    ones = np.ones_like(odds)
    line, line_errors = _logistic_regression(np.stack([ones, odds], axis=1), truth, offset=np.zeros_like(odds))
    large, large_errors = _logistic_regression(ones[:, None], truth, offset=odds)

    def estimate(value: float, error: float) -> Estimate:
        half = normal_quantile(level) * error
        return Estimate(
            value, value - half, value + half, level, "logistic regression, Wald", truth.size, int(truth.sum())
        )

    return CalibrationLine(
        slope=estimate(line[1], line_errors[1]),
        intercept=estimate(line[0], line_errors[0]),
        in_the_large=estimate(large[0], large_errors[0]),
    )


def as_probability(labels: ArrayLike, marker: ArrayLike) -> Scores:
    """A marker of any unit (n,) as the probabilities (n,) that logistic regression on these labels (n,) gives.

    Fitted here, they are calibrated here by construction: judge discrimination or a decision curve by them, never
    calibration.

    Raises:
        OneClassOnly: no positive or no negative sample.
        NotEstimable: the marker separates the classes perfectly, or is the same for all.
    """
    values = as_scores(marker)
    truth = as_labels(labels, n=values.size)
    need_both_classes(truth)
    spread = float(values.std())
    if spread <= 0.0:
        raise NotEstimable("The marker is the same for all samples.")
    scaled = (values - values.mean()) / spread
    line, _ = _logistic_regression(
        np.stack([np.ones_like(scaled), scaled], axis=1), truth, offset=np.zeros_like(scaled)
    )
    fitted: Scores = 1.0 / (1.0 + np.exp(-(line[0] + line[1] * scaled)))
    return fitted


def logits(probabilities: Scores) -> Scores:
    """Log-odds of probabilities cut to [1e-7, 1 − 1e-7]."""
    clipped = np.clip(probabilities, CLIP, 1.0 - CLIP)
    return np.log(clipped) - np.log1p(-clipped)


def log_likelihood(logits: NDArray[np.float64], truth: Labels) -> float:
    """Bernoulli log-likelihood of labels (n,) given log-odds (n,)."""
    return float(-np.logaddexp(0.0, np.where(truth, -logits, logits)).sum())


def checked(labels: ArrayLike, probabilities: ArrayLike) -> tuple[Labels, Scores]:
    """Labels and probabilities of one shape (n,).

    Raises:
        NotEstimable, TooFewSamples: not finite, outside [0, 1], of differing length, or none.
    """
    values = as_scores(probabilities)
    truth = as_labels(labels, n=values.size)
    if values.min() < 0.0 or values.max() > 1.0:
        raise NotEstimable("A probability lies outside 0–1.", next_step="Give probabilities, not logits.")
    return truth, values


def _binned(values: Scores, *, bins: int, rule: Bins, closed: Closed) -> tuple[Scores, Scores, NDArray[np.intp]]:
    """Lower and upper edge of each bin, and the bin of each value."""
    if bins < 1:
        raise NotEstimable(f"{bins} bins cannot hold a sample.")
    if rule == "equal ranks":
        order = np.argsort(values, kind="stable")
        runs = [run for run in np.array_split(order, bins) if run.size]
        index = np.empty(values.size, dtype=np.intp)
        index[order] = np.repeat(np.arange(len(runs)), [run.size for run in runs])
        return np.array([values[run[0]] for run in runs]), np.array([values[run[-1]] for run in runs]), index
    # k/B is the float nearest to the decimal edge, so that a probability written 0.3 lies on it; linspace is not.
    shares = np.arange(bins + 1) / bins
    edges = shares if rule == "equal width" else np.unique(np.quantile(values, shares))
    side: Literal["left", "right"] = "right" if closed == "left" else "left"
    index = np.clip(np.searchsorted(edges, values, side=side) - 1, 0, max(edges.size - 2, 0))
    return edges[: max(edges.size - 1, 1)], edges[min(1, edges.size - 1) :], index


def _gaps(bins: tuple[ReliabilityBin, ...]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    gaps = np.array([abs(b.observed.value - b.mean_probability) for b in bins])
    return gaps, np.array([float(b.observed.n) for b in bins])


def _logistic_regression(
    design: NDArray[np.float64], truth: Labels, *, offset: NDArray[np.float64]
) -> tuple[list[float], list[float]]:
    """Maximum-likelihood coefficients and standard errors by Newton's method; design (n, k), offset (n,)."""
    beta = np.zeros(design.shape[1])
    likelihood = log_likelihood(offset, truth)
    for _ in range(100):
        mean = 1.0 / (1.0 + np.exp(-np.clip(offset + design @ beta, -500.0, 500.0)))
        information = (design * (mean * (1.0 - mean))[:, None]).T @ design
        if np.linalg.cond(information) > 1e12 or likelihood > -1e-6:  # all the same, or perfectly separated
            break
        step = np.linalg.solve(information, design.T @ (truth - mean))
        if float(np.abs(step).max()) < 1e-8:
            return beta.tolist(), np.sqrt(np.diag(np.linalg.inv(information))).tolist()
        # Newton overshoots where probabilities are extreme: halve the step until the fit is no worse.
        while (next_likelihood := log_likelihood(offset + design @ (beta + step), truth)) < likelihood - 1e-12:
            step = step / 2.0
        beta, likelihood = beta + step, next_likelihood
    raise NotEstimable(
        "No finite calibration line fits these probabilities.",
        next_step="They separate the classes perfectly, or are all the same.",
    )
