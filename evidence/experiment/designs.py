"""The two ways to look at a comparison while it runs, on nothing but arms and outcomes.

Both hold the difference challenger − champion against one line: −margin for non-inferiority, 0 for superiority. The
challenger is accepted when the lower limit lies above it, rejected when the upper lies below; each limit errs with
chance α at most, over all looks together.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from statistics import NormalDist
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from domain.errors import NotEstimable
from domain.experiment import Declaration, GroupSequential
from evidence.statistics.confidence_sequences import proportion
from evidence.statistics.estimate import Estimate
from evidence.statistics.group_sequential import Boundaries, spending_boundaries
from evidence.statistics.independent_difference import difference
from evidence.statistics.proportion import clopper_pearson
from evidence.statistics.spending import obrien_fleming_type, pocock_type
from evidence.statistics.two_arm_sequence import EFFECTS, Blocks, blocks_of, log_evidence
from evidence.statistics.two_arm_sequence import difference as difference_at_any_time
from evidence.strict import Record

Verdict = Literal["continue", "challenger accepted", "challenger rejected", "stopped at maximum"]
Flags = NDArray[np.bool_]
LARGEST_Z = 8.0  # beyond it a look spends less than 1e-15, and a level of confidence is no longer told from 1


class Counts(NamedTuple):
    """Successes and patients of each arm."""

    champion: int
    champion_n: int
    challenger: int
    challenger_n: int


class Look(Record):
    """What was seen at one look, after ``patients`` of both arms; no interval where no error could be spent."""

    patients: int
    information: float  # share of the largest number of patients
    z: float | None  # the limit a standard normal statistic is held against; none in an always-valid design
    champion: Estimate | None
    challenger: Estimate | None
    difference: Estimate | None  # with the repeated confidence interval
    verdict: Verdict


def line(declaration: Declaration) -> float:
    """The difference that decides."""
    return -declaration.margin if declaration.hypothesis == "non-inferiority" else 0.0


def looks_at(declaration: Declaration) -> tuple[int, ...]:
    """Patients with a known endpoint at which a group sequential design looks.

    Raises:
        NotEstimable: looks that do not rise to 1, or at one and the same patient.
    """
    design = declaration.design
    if not isinstance(design, GroupSequential):
        return ()
    at = tuple(math.ceil(share * declaration.max_patients - 1e-9) for share in design.looks)
    if not at or at[0] < 1 or at[-1] != declaration.max_patients or any(b <= a for a, b in pairwise(at)):
        raise NotEstimable(
            f"Looks at {design.looks} of {declaration.max_patients} patients cannot be kept.",
            next_step="Give shares that rise to 1 and differ by a patient at least.",
        )
    return at


def boundaries(declaration: Declaration) -> Boundaries | None:
    """Limits for z at the looks; none in an always-valid design.

    Raises:
        NotEstimable: as ``looks_at``, or looks too close to one another.
    """
    design = declaration.design
    if not isinstance(design, GroupSequential):
        return None
    information = tuple(n / declaration.max_patients for n in looks_at(declaration))
    return _boundaries(information, design.spending, declaration.alpha)


def group_sequential(declaration: Declaration, snapshots: Sequence[Counts]) -> tuple[Look, ...]:
    """The looks so far, given the counts at each; none is taken after one that decides.

    The interval is MOVER's, from the exact one of each arm, at the quantile of the look: a repeated confidence interval
    (Jennison and Turnbull, J R Stat Soc B 51:305, 1989), so that the interval and the verdict cannot disagree. With
    Wilson's, as with the score test, a challenger of a fifth of the patients was wrongly rejected 3.5 times in a
    hundred at α = 0.025, for its arm is small at the first looks; with Clopper and Pearson's never more than 2.3 times.

    Raises:
        NotEstimable: as ``boundaries``, or another design.
    """
    limits = boundaries(declaration)
    if limits is None:
        raise NotEstimable("An always-valid design has no planned looks.")
    looks: list[Look] = []
    for position, counts in enumerate(snapshots[: limits.z.size]):
        last = position + 1 == limits.z.size
        looks.append(_look(declaration, counts, z=float(limits.z[position]), last=last))
        if looks[-1].verdict != "continue":
            break
    return tuple(looks)


def always_valid(declaration: Declaration, challenger: Flags, success: Flags) -> Look | None:
    """The state after all of the patients (n,) given, in order of arrival, or at the one who decided; None while no
    outcome of each arm is known.

    Raises:
        NotEstimable: arms and outcomes that do not fit.
    """
    most = declaration.max_patients
    blocks = blocks_of(challenger[:most], success[:most])
    if not blocks.ends.size:
        return None
    verdict, used = crossing(declaration, blocks)
    if verdict == "continue" and challenger.size >= most:
        verdict = "stopped at maximum"
    until = int(blocks.ends[used - 1]) if verdict.startswith("challenger") else min(challenger.size, most)
    seen = Blocks(blocks.sizes[:used], blocks.successes[:used], blocks.ends[:used])
    estimate = difference_at_any_time(seen, alpha=declaration.alpha, effects=stakes(declaration))
    counts = count(challenger[:until], success[:until])
    return Look(
        patients=until,
        information=until / most,
        z=None,
        champion=proportion(counts.champion, counts.champion_n, level=estimate.level),
        challenger=proportion(counts.challenger, counts.challenger_n, level=estimate.level),
        difference=estimate,
        verdict=verdict,
    )


def crossing(declaration: Declaration, blocks: Blocks) -> tuple[Verdict, int]:
    """The first verdict and the number of blocks it took; all of them while there is none."""
    needed, at, bets = math.log(1.0 / declaration.alpha), line(declaration), stakes(declaration)
    better = log_evidence(blocks, beyond=at, effects=bets) >= needed
    worse = log_evidence(blocks.swapped(), beyond=-at, effects=bets) >= needed
    either = better | worse
    if not either.any():
        return "continue", int(blocks.ends.size)
    first = int(np.argmax(either))
    return ("challenger accepted" if better[first] else "challenger rejected"), first + 1


def stakes(declaration: Declaration) -> tuple[float, ...]:
    """Effects beyond the line that are bet on. For non-inferiority half the stake is on no difference at all, which is
    what such a comparison hopes for; the rest on more, to both sides."""
    margin = declaration.margin
    if declaration.hypothesis == "superiority" or margin == 0.0:
        return EFFECTS
    return (margin, margin, 2.0 * margin, 4.0 * margin)


def count(challenger: Flags, success: Flags) -> Counts:
    """Successes and patients of arms and outcomes (n,)."""
    n, hits = int(challenger.sum()), int((challenger & success).sum())
    return Counts(int(success.sum()) - hits, challenger.size - n, hits, n)


@lru_cache(maxsize=128)
def _boundaries(information: tuple[float, ...], spending: str, alpha: float) -> Boundaries:
    function = obrien_fleming_type if spending == "obrien_fleming" else pocock_type
    return spending_boundaries(information, spending=function, alpha=alpha, sides=1)


def _look(declaration: Declaration, counts: Counts, *, z: float, last: bool) -> Look:
    patients = counts.champion_n + counts.challenger_n
    finite = z if z < LARGEST_Z else None
    champion = _share(counts.champion, counts.champion_n, finite)
    challenger = _share(counts.challenger, counts.challenger_n, finite)
    estimate = difference(challenger, champion) if champion and challenger else None
    verdict: Verdict = "stopped at maximum" if last else "continue"
    if estimate and estimate.low > line(declaration):
        verdict = "challenger accepted"
    elif estimate and estimate.high < line(declaration):
        verdict = "challenger rejected"
    return Look(
        patients=patients,
        information=patients / declaration.max_patients,
        z=finite,
        champion=champion,
        challenger=challenger,
        difference=estimate,
        verdict=verdict,
    )


def _share(successes: int, n: int, z: float | None) -> Estimate | None:
    if not n or z is None:
        return None
    return clopper_pearson(successes, n, level=2.0 * NormalDist().cdf(z) - 1.0)
