"""The sequence for two arms of any share never errs more than it says, and is narrow enough to be of use."""

import itertools
import math

import numpy as np
import pytest
from scipy.stats import binom

from domain.errors import NotEstimable, TooFewSamples
from evidence.statistics.confidence_sequences import proportion_difference
from evidence.statistics.two_arm_sequence import EFFECTS, Blocks, blocks_of, difference, log_evidence


def drawn(n: int, *, share: float, rates: tuple[float, float], seed: int) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    second = draw.random(n) < share
    return second, draw.random(n) < np.where(second, rates[1], rates[0])


@pytest.mark.parametrize("beyond", [-0.1, 0.0, 0.2])
@pytest.mark.parametrize("sizes", [(1, 1), (4, 1), (2, 3)])
def test_evidence_of_a_block_has_a_mean_of_at_most_one_under_every_null(beyond: float, sizes: tuple[int, int]) -> None:
    # A block before, which decides the bet, then all outcomes of the next one, weighed by their exact chances.
    first = list(itertools.product(range(sizes[0] + 1), range(sizes[1] + 1)))
    for before, p in itertools.product(first, (0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99)):
        for q in (max(0.0, p + beyond - 0.2), p + beyond):
            if not 0.0 <= q <= min(1.0, p + beyond):
                continue
            mean = 0.0
            for after in first:
                blocks = Blocks(np.array([sizes, sizes], float), np.array([before, after], float), np.array([1, 2]))
                for effect in (0.05, 0.3):
                    gained = np.diff(log_evidence(blocks, beyond=beyond, effects=(effect,)))[0]
                    chance = binom.pmf(after[0], sizes[0], p) * binom.pmf(after[1], sizes[1], q)
                    mean += 0.5 * chance * math.exp(gained)
            assert mean <= 1.0 + 1e-6


def test_a_block_is_cut_without_looking_at_an_outcome_and_uses_nearly_all() -> None:
    for share in (0.5, 0.4, 0.2, 0.03):
        second, success = drawn(3000, share=share, rates=(0.9, 0.8), seed=1)
        blocks, other = blocks_of(second, success), blocks_of(second, ~success)
        assert (blocks.sizes == other.sizes).all()
        assert (blocks.ends == other.ends).all()
        assert blocks.sizes.sum() > 0.93 * 3000
        assert (blocks.successes + other.successes == blocks.sizes).all()


def test_evidence_so_far_does_not_change_with_what_comes_later() -> None:
    second, success = drawn(400, share=0.3, rates=(0.8, 0.8), seed=2)
    early = log_evidence(blocks_of(second[:200], success[:200]), beyond=-0.1)
    late = log_evidence(blocks_of(second, success), beyond=-0.1)
    assert late[: early.size] == pytest.approx(early)


@pytest.mark.parametrize("share", [0.5, 0.2])
def test_interval_misses_the_truth_at_any_time_no_more_often_than_it_says(share: float) -> None:
    missed = 0
    for seed in range(400):
        blocks = blocks_of(*drawn(400, share=share, rates=(0.8, 0.7), seed=seed))
        above = log_evidence(blocks, beyond=-0.1).max()
        below = log_evidence(blocks.swapped(), beyond=0.1).max()
        missed += max(above, below) >= math.log(1 / 0.05)
    assert missed <= binom.ppf(0.999, 400, 0.1)
    assert missed > 0  # or the test could not fail


def test_limits_are_where_the_evidence_comes_to_its_threshold() -> None:
    blocks = blocks_of(*drawn(600, share=0.3, rates=(0.7, 0.9), seed=3))
    seen = difference(blocks, alpha=0.025)
    assert seen.low < seen.value < seen.high
    assert seen.level == pytest.approx(0.95)
    assert log_evidence(blocks, beyond=seen.low)[-1] == pytest.approx(math.log(40), abs=0.05)
    assert log_evidence(blocks.swapped(), beyond=-seen.high)[-1] == pytest.approx(math.log(40), abs=0.05)


def test_the_further_below_the_more_evidence_so_that_what_is_not_rejected_is_one_interval() -> None:
    for seed, share in itertools.product(range(20), (0.1, 0.5)):
        blocks = blocks_of(*drawn(300, share=share, rates=(0.9, 0.85), seed=seed))
        rejected = [log_evidence(blocks, beyond=at)[-1] >= math.log(40) for at in np.linspace(-0.95, 0.5, 60)]
        assert rejected == sorted(rejected, reverse=True)


def test_interval_is_much_narrower_than_that_of_two_sequences_apart() -> None:
    second, success = drawn(2000, share=0.2, rates=(0.9, 0.9), seed=4)
    blocks = blocks_of(second, success)
    apart = proportion_difference(
        (int((second & success).sum()), int(second.sum())), (int((~second & success).sum()), int((~second).sum()))
    )
    seen = difference(blocks, alpha=0.025)
    assert seen.high - seen.low < 0.75 * (apart.high - apart.low)


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(TooFewSamples):
        difference(blocks_of([0, 0, 0], [1, 1, 0]), alpha=0.025)
    with pytest.raises(NotEstimable):
        blocks_of([0, 2], [1, 1])
    with pytest.raises(NotEstimable):
        blocks_of([0, 1, 1], [1, 1])
    blocks = blocks_of([0, 1], [1, 0])
    with pytest.raises(NotEstimable):
        difference(blocks, alpha=0.5)
    with pytest.raises(NotEstimable):
        log_evidence(blocks, beyond=1.0)
    with pytest.raises(NotEstimable):
        log_evidence(blocks, beyond=0.0, effects=())


def test_no_room_above_the_line_gives_no_evidence_but_no_error() -> None:
    blocks = blocks_of([0, 1] * 50, [0, 1] * 50)
    for at in (-0.9999, 0.85, 0.95, 0.9999):
        assert np.isfinite(log_evidence(blocks, beyond=at, effects=EFFECTS)).all()
