"""Likelihood ratios and the diagnostic odds ratio of one threshold, with intervals on the log scale."""

import math
from dataclasses import dataclass

from domain.errors import NotEstimable, TooFewSamples
from evidence.statistics.estimate import Estimate, normal_quantile
from evidence.statistics.operating_point import Confusion


@dataclass(frozen=True, slots=True)
class LikelihoodRatios:
    """How much a call changes the odds of the finding: of a positive call, of a negative call, and their quotient."""

    positive: Estimate
    negative: Estimate
    diagnostic_odds_ratio: Estimate


def likelihood_ratios(counts: Confusion, *, level: float = 0.95, add_half: bool = False) -> LikelihoodRatios:
    """All three; one empty cell makes one of them 0 or infinite, so ``add_half`` is then needed. Raises as each."""
    return LikelihoodRatios(
        positive_likelihood_ratio(counts, level=level, add_half=add_half),
        negative_likelihood_ratio(counts, level=level, add_half=add_half),
        diagnostic_odds_ratio(counts, level=level, add_half=add_half),
    )


def positive_likelihood_ratio(counts: Confusion, *, level: float = 0.95, add_half: bool = False) -> Estimate:
    """Sensitivity / (1 − specificity), with the log interval of Simel, Samsa and Matchar, J Clin Epidemiol 44:763
    (1991): independent samples.

    ``add_half`` adds ½ to every cell (Haldane), for value and interval; the method says so.

    Raises:
        TooFewSamples: a class is empty.
        NotEstimable: no true or no false positive, and ``add_half`` not asked for.
    """
    tp, fp, fn, tn = _cells(counts, add_half)
    return _ratio_of_shares((tp, tp + fn), (fp, fp + tn), counts, level=level, add_half=add_half)


def negative_likelihood_ratio(counts: Confusion, *, level: float = 0.95, add_half: bool = False) -> Estimate:
    """(1 − sensitivity) / specificity; interval, ``add_half`` and errors as ``positive_likelihood_ratio``."""
    tp, fp, fn, tn = _cells(counts, add_half)
    return _ratio_of_shares((fn, tp + fn), (tn, fp + tn), counts, level=level, add_half=add_half)


def diagnostic_odds_ratio(counts: Confusion, *, level: float = 0.95, add_half: bool = False) -> Estimate:
    """TP·TN / (FP·FN) with Woolf's log interval (Ann Hum Genet 19:251, 1955; Glas et al., J Clin Epidemiol 56:1129,
    2003). ``add_half`` and errors as ``positive_likelihood_ratio``; here every cell must be filled.
    """
    tp, fp, fn, tn = _cells(counts, add_half)
    if not all((tp, fp, fn, tn)):
        raise _empty_cell()
    error = math.sqrt(1 / tp + 1 / fp + 1 / fn + 1 / tn)
    method = "Woolf, log"
    return _on_log_scale(tp * tn / (fp * fn), error, method=method, counts=counts, level=level, add_half=add_half)


def _cells(counts: Confusion, add_half: bool) -> tuple[float, float, float, float]:
    if not (counts.positives and counts.negatives):
        raise TooFewSamples("A likelihood ratio needs samples with and without the finding.")
    half = 0.5 if add_half else 0.0
    tp, fp = counts.true_positives + half, counts.false_positives + half
    return tp, fp, counts.false_negatives + half, counts.true_negatives + half


def _ratio_of_shares(
    above: tuple[float, float], below: tuple[float, float], counts: Confusion, *, level: float, add_half: bool
) -> Estimate:
    """The share ``above`` over the share ``below``, each as (count, of how many)."""
    if not (above[0] and below[0]):
        raise _empty_cell()
    error = math.sqrt(1 / above[0] - 1 / above[1] + 1 / below[0] - 1 / below[1])
    value = (above[0] / above[1]) / (below[0] / below[1])
    return _on_log_scale(value, error, method="Simel, log", counts=counts, level=level, add_half=add_half)


def _on_log_scale(
    value: float, error: float, *, method: str, counts: Confusion, level: float, add_half: bool
) -> Estimate:
    factor = math.exp(normal_quantile(level) * error)
    named = f"{method}, ½ added to each cell" if add_half else method
    return Estimate(value, value / factor, value * factor, level, named, counts.n, counts.positives)


def _empty_cell() -> NotEstimable:
    return NotEstimable(
        "A cell of the table is empty: the ratio or its interval does not exist.",
        next_step="Add samples, or ask for a half in each cell.",
    )
