"""Did patients meet the two versions in the planned proportion? If not, no difference between them can be believed."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from domain.experiment import ArmRow, Declaration
from domain.traffic import Mode, TrafficPolicy
from evidence.statistics.sample_ratio import sequential_sample_ratio
from evidence.strict import Record

ALPHA = 0.001  # that a comparison without a fault is ever called untrustworthy


class SampleSplit(Record):
    """Patients of each version whose share was known, and what is expected of the challenger.

    ``p_value`` holds at any time; it and ``expected`` are None where no policy was at hand, and nothing was checked.
    """

    champion: int
    challenger: int
    expected: float | None
    p_value: float | None
    trustworthy: bool
    sentence: str


def randomised(declaration: Declaration, policy: TrafficPolicy) -> bool:
    """Whether the policy lets the hash alone choose between the two versions."""
    both = declaration.champion == policy.champion and policy.share_of(declaration.challenger) > 0.0
    return both and policy.mode is Mode.NORMAL and policy.share_of(declaration.champion) > 0.0


def check(declaration: Declaration, firsts: Sequence[ArmRow], policies: Sequence[TrafficPolicy]) -> SampleSplit:
    """Test the patients, each by its first row, in order of arrival.

    Where shares were changed under way, patients are tested against the shares in force when they came: the Bayes
    factors of the stretches multiply.
    """
    planned = {
        policy.policy_version: _share(declaration, policy) for policy in policies if randomised(declaration, policy)
    }
    known = [row for row in firsts if row.policy_version in planned]
    arms = np.array([row.assigned == declaration.challenger for row in known], dtype=np.int64)
    if not arms.size:
        sentence = "The split of the patients was not checked: the shares planned for them are not known."
        return SampleSplit(champion=0, challenger=0, expected=None, p_value=None, trustworthy=True, sentence=sentence)
    shares = np.array([planned[row.policy_version] for row in known])
    p_value = always_valid_p_value(arms, shares)
    challenger, expected = int(arms.sum()), float(shares.mean())
    trustworthy = p_value > ALPHA
    figures = f"{challenger} of {arms.size} patients were assigned to version {declaration.challenger}"
    sentence = (
        f"{figures}, as {expected:.2f} was planned (p {p_value:.2g} at any time)."
        if trustworthy
        else f"{figures} where {expected:.2f} was planned (p {p_value:.2g} at any time): find out why before you "
        "believe any difference between the versions."
    )
    return SampleSplit(
        champion=arms.size - challenger,
        challenger=challenger,
        expected=expected,
        p_value=p_value,
        trustworthy=trustworthy,
        sentence=sentence,
    )


def always_valid_p_value(arms: NDArray[np.int64], shares: NDArray[np.float64]) -> float:
    """Of arms (n,), 1 for the challenger, against its share (n,) for each patient, in order of arrival."""
    gained = np.zeros(arms.size)
    for share in np.unique(shares):
        those = shares == share
        factor = sequential_sample_ratio(arms[those], (1.0 - share, share)).log_bayes_factor
        gained[those] = np.diff(factor, prepend=0.0)
    return math.exp(-max(float(np.cumsum(gained).max()), 0.0))


def _share(declaration: Declaration, policy: TrafficPolicy) -> float:
    """Of the challenger among the patients of both."""
    champion, challenger = (policy.share_of(version) for version in (declaration.champion, declaration.challenger))
    return challenger / (champion + challenger)
