"""Two proportions compared while the outcomes arrive: exact after every one of them, for arms of any two sizes.

Outcomes are taken in blocks of a from the first and b from the second arm, formed by the order of the arms alone. On
each block we bet on a difference larger than δ₀: E = q(block) / p°(block), where q was chosen before the block and p°
is the member of the null hypothesis nearest to q, in Kullback–Leibler divergence with weights a and b (Turner, Ly and
Grünwald, J Stat Plan Inference 230:106116, 2024; for δ₀ ≠ 0 Turner and Grünwald, Stat Probab Lett 198:109835, 2023).

Why E has a mean of at most 1 under every member of the null: p° is q's projection on a convex set, so that a block of
*one* outcome, of the second arm with chance b / (a + b), has such a mean; with x and y the arms' own means, a block of
a and b has xᵃ yᵇ, by the inequality of arithmetic and geometric means at most that to the power a + b. The product over
blocks is then a supermartingale, whose chance ever to reach 1/α is at most α (Ville). No large-sample step is taken
and the share of each arm need not be known. Outcomes must be independent, patients and not images.

Bets are spread over a few effects beyond δ₀, each with one common share estimated from the blocks before: that is what
makes this narrower than ``confidence_sequences.proportion_difference``, which learns two shares apart.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from domain.errors import NotEstimable, TooFewSamples
from evidence.statistics.estimate import Estimate, as_scores

Vector = NDArray[np.float64]
EFFECTS = (0.02, 0.05, 0.1, 0.2, 0.4)  # beyond δ₀, each bet on with the same part of the stake
HALVINGS = 32  # of the range in which a projection is sought: to 1e-9
PRECISION = 1e-4  # of a limit


@dataclass(frozen=True, slots=True)
class Blocks:
    """Outcomes of k blocks: sizes and successes (k, 2), first arm then second; ``ends`` (k,) counts the outcomes, used
    or waiting, that had arrived when the block was complete."""

    sizes: Vector
    successes: Vector
    ends: NDArray[np.int64]

    def swapped(self) -> "Blocks":
        """The arms exchanged, so that a difference changes its sign."""
        return Blocks(self.sizes[:, ::-1], self.successes[:, ::-1], self.ends)


def blocks_of(second: ArrayLike, success: ArrayLike) -> Blocks:
    """Blocks from arms (n,), true for the second, and outcomes (n,) 0 or 1, in order of arrival.

    A block takes as many of the arm that is ahead as the arms' ratio so far says, rounded down, or up if they wait
    already; neither looks at an outcome.

    Raises:
        NotEstimable: lengths that differ, or an outcome or arm that is neither 0 nor 1.
    """
    arms, outcomes = as_scores(second), as_scores(success)
    if arms.ndim != 1 or arms.shape != outcomes.shape or not np.isin([arms, outcomes], (0.0, 1.0)).all():
        raise NotEstimable("Arms and outcomes must be 0 or 1, one of each for every patient.")
    arrived, taken = [0, 0], [0, 0]
    cut: list[tuple[int, int, int]] = []
    for position, arm in enumerate(arms.astype(int).tolist(), start=1):
        arrived[arm] += 1
        least, most = _wanted(arrived)
        waiting = (arrived[0] - taken[0], arrived[1] - taken[1])
        if waiting[0] >= least[0] and waiting[1] >= least[1]:
            a, b = min(waiting[0], most[0]), min(waiting[1], most[1])
            taken[0] += a
            taken[1] += b
            cut.append((a, b, position))
    table = np.array(cut, dtype=np.int64).reshape(-1, 3)
    until = np.cumsum(table[:, :2], axis=0)
    totals = [np.append(0.0, np.cumsum(outcomes[arms == arm]))[until[:, arm]] for arm in (0, 1)]
    successes = np.diff(np.stack(totals, axis=1), axis=0, prepend=0.0)
    return Blocks(table[:, :2].astype(np.float64), successes, table[:, 2])


def log_evidence(blocks: Blocks, *, beyond: float, effects: tuple[float, ...] = EFFECTS) -> Vector:
    """ln of the e-process (k,) against «second share − first ≤ ``beyond``», after each block.

    At ln 1/α or above, at any block, the hypothesis may be rejected at level α. An effect that leaves no room between
    0 and 1 is bet as far as it goes; where none is left (``beyond`` near 1) there is no evidence.

    Raises:
        NotEstimable: ``beyond`` outside (−1, 1), or an effect not positive.
    """
    if not -1.0 < beyond < 1.0 or not effects or min(effects) <= 0.0:
        raise NotEstimable(f"No bet can be laid on effects {effects} beyond {beyond}.")
    from scipy.special import logsumexp  # late: scipy costs 0.3 s

    hoped = np.minimum(beyond + np.array(effects), (1.0 + beyond) / 2.0 if beyond > 0.8 else 0.9)[:, None]
    hoped = np.maximum(hoped, beyond)
    bet = _bets(blocks, hoped)
    near = _projected(blocks.sizes, bet, beyond)
    gained = np.zeros(bet[0].shape)
    for arm in (0, 1):
        hits = blocks.successes[:, arm]
        misses = blocks.sizes[:, arm] - hits
        gained += hits * np.log(bet[arm] / near[arm]) + misses * np.log((1.0 - bet[arm]) / (1.0 - near[arm]))
    spread: Vector = logsumexp(np.cumsum(gained, axis=1), axis=0) - math.log(len(effects))
    return spread


def difference(blocks: Blocks, *, alpha: float, effects: tuple[float, ...] = EFFECTS) -> Estimate:
    """Second share minus first over the blocks, with two one-sided limits that each hold at any time with chance
    1 − ``alpha``: all differences that are not rejected on either side.

    Raises:
        TooFewSamples: no block.
        NotEstimable: alpha outside (0, ½), or as ``log_evidence``.
    """
    if not 0.0 < alpha < 0.5:
        raise NotEstimable(f"A one-sided alpha of {alpha} cannot be used.", next_step="Choose one such as 0.025.")
    if blocks.ends.size == 0:
        raise TooFewSamples("Not even one outcome of each arm is known.")
    sizes, hits = blocks.sizes.sum(axis=0), blocks.successes.sum(axis=0)
    value = float(hits[1] / sizes[1] - hits[0] / sizes[0])
    low = _lower(blocks, value, alpha, effects)
    high = -_lower(blocks.swapped(), -value, alpha, effects)
    return Estimate(
        value, low, high, 1.0 - 2.0 * alpha, "e-process of two proportions, any time", int(sizes.sum()), int(hits.sum())
    )


def _wanted(arrived: list[int]) -> tuple[tuple[int, int], tuple[int, int]]:
    """Fewest and most of each arm in the next block."""
    first, second = max(arrived[0], 1), max(arrived[1], 1)
    least = (max(first // second, 1), max(second // first, 1))
    most = (max(-(-first // second), 1), max(-(-second // first), 1))
    return least, most


def _bets(blocks: Blocks, hoped: Vector) -> tuple[Vector, Vector]:
    """Shares (effects, k) that each block is bet on, from the blocks before and one patient of prior weight."""
    sizes, hits = (np.cumsum(part, axis=0) - part for part in (blocks.sizes, blocks.successes))
    n = sizes.sum(axis=1)
    first = (hits.sum(axis=1) - sizes[:, 1] * hoped + (1.0 - hoped) / 2.0) / (n + 1.0)
    room = (1.0 - np.abs(hoped)) / 2.0
    edge = np.minimum(0.5 / (n + 2.0), room / 2.0)
    first = np.clip(first, np.maximum(0.0, -hoped) + edge, np.minimum(1.0, 1.0 - hoped) - edge)
    return first, first + hoped


def _projected(sizes: Vector, bet: tuple[Vector, Vector], beyond: float) -> tuple[Vector, Vector]:
    """The pair of shares, ``beyond`` apart, nearest to the bet: where the divergence's derivative is 0."""
    low = np.full(bet[0].shape, max(0.0, -beyond))
    high = np.full(bet[0].shape, min(1.0, 1.0 - beyond))
    for _ in range(HALVINGS):
        p = (low + high) / 2.0
        q = p + beyond
        slope = sizes[:, 0] * (p - bet[0]) * q * (1.0 - q) + sizes[:, 1] * (q - bet[1]) * p * (1.0 - p)
        above = slope > 0.0
        low, high = np.where(above, low, p), np.where(above, p, high)
    return high, high + beyond


def _lower(blocks: Blocks, value: float, alpha: float, effects: tuple[float, ...]) -> float:
    """The largest difference found rejected, below which all are; −1 where none is."""
    needed = math.log(1.0 / alpha)

    def rejected(beyond: float) -> bool:
        return bool(log_evidence(blocks, beyond=beyond, effects=effects)[-1] >= needed)

    low, high = -1.0, min(max(value, -1.0 + PRECISION), 1.0 - PRECISION)
    while high - low > PRECISION:
        middle = (low + high) / 2.0
        low, high = (middle, high) if rejected(middle) else (low, middle)
    return low
