"""How often the rules of a comparison err, found by drawing many comparisons and deciding each as live ones are.

Arms are drawn through the traffic policy itself, by the hash of pseudonyms under a key of the run's own; outcomes from
seeded streams. Nothing here is used while a comparison runs.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from domain.experiment import Declaration, GroupSequential, StopRule
from domain.identifiers import Pseudonym
from domain.traffic import TrafficPolicy, assign
from evidence.experiment.designs import (
    Counts,
    Flags,
    Verdict,
    count,
    crossing,
    group_sequential,
    line,
    looks_at,
)
from evidence.experiment.stopping import STEP, outside, parts_of_error
from evidence.statistics.two_arm_sequence import blocks_of


@dataclass(frozen=True, slots=True)
class Runs:
    """Verdicts of n runs and the patients each took."""

    verdicts: tuple[Verdict, ...]
    patients: NDArray[np.int64]

    def rate(self, verdict: Verdict) -> float:
        """The share of runs that ended so."""
        return self.verdicts.count(verdict) / len(self.verdicts)

    def median(self, verdict: Verdict) -> float:
        """Patients until that verdict, among runs that ended so; infinite where none did."""
        those = [n for given, n in zip(self.verdicts, self.patients, strict=True) if given == verdict]
        return float(np.median(those)) if those else math.inf


def assigned(policy: TrafficPolicy, *, challenger: int, patients: int, runs: int) -> Flags:
    """Arms (runs, patients), true for the challenger: the same patients, hashed with another key in each run."""
    names = [Pseudonym(f"{number:032x}") for number in range(patients)]
    drawn = [assign(name, policy, key=run.to_bytes(16)).version for run in range(runs) for name in names]
    arms: Flags = np.array(drawn).reshape(runs, patients) == challenger
    return arms


def answered(challenger: Flags, *, champion_rate: float, challenger_rate: float, seed: int) -> Flags:
    """Outcomes of arms of any shape: success with the rate of its arm."""
    rates = np.where(challenger, challenger_rate, champion_rate)
    drawn: Flags = np.random.default_rng(seed).random(challenger.shape) < rates
    return drawn


def compare(declaration: Declaration, challenger: Flags, success: Flags) -> Runs:
    """Decide each of the runs (runs, patients): at its looks, or after every patient."""
    decided = [_decide(declaration, *run) for run in zip(challenger, success, strict=True)]
    return Runs(tuple(verdict for verdict, _ in decided), np.array([patients for _, patients in decided]))


def naive(declaration: Declaration, challenger: Flags, success: Flags, *, every: int) -> float:
    """How often a test of one look (Wald, one-sided at α), repeated after every so many patients, accepts: what the
    designs are there to prevent."""
    ends = np.arange(every, challenger.shape[1] + 1, every)
    n = np.cumsum(challenger, axis=1)[:, ends - 1]
    hits = np.cumsum(challenger & success, axis=1)[:, ends - 1]
    others = np.cumsum(~challenger & success, axis=1)[:, ends - 1]
    with np.errstate(invalid="ignore", divide="ignore"):
        first, second = others / (ends - n), hits / n
        error = np.sqrt(first * (1.0 - first) / (ends - n) + second * (1.0 - second) / n)
        z = (second - first - line(declaration)) / error
    limit = NormalDist().inv_cdf(1.0 - declaration.alpha)
    return float(((z > limit) & (error > 0.0)).any(axis=1).mean())


def alarms(rule: StopRule, hits: Flags) -> NDArray[np.float64]:
    """The patient at whom the rule first acts in each of the runs (runs, patients), infinite where it never does."""
    runs, patients = hits.shape
    so_far = np.concatenate([np.zeros((runs, 1), dtype=np.int64), np.cumsum(hits, axis=1)], axis=1)
    first = np.full(runs, math.inf)
    starts = range(0, patients, STEP)
    for start, part in zip(starts, parts_of_error(rule.alpha, len(starts)), strict=True):
        n = np.broadcast_to(np.arange(1, patients - start + 1), (runs, patients - start))
        acts = outside(rule, so_far[:, start + 1 :] - so_far[:, start, None], n) + math.log(part) > 0.0
        at = np.where(acts.any(axis=1), start + 1 + np.argmax(acts, axis=1), math.inf)
        first = np.minimum(first, at)
    return first


def _decide(declaration: Declaration, challenger: Flags, success: Flags) -> tuple[Verdict, int]:
    if isinstance(declaration.design, GroupSequential):
        look = group_sequential(declaration, list(_counts(declaration, challenger, success)))[-1]
        return look.verdict, look.patients
    blocks = blocks_of(challenger, success)
    verdict, used = crossing(declaration, blocks)
    return ("stopped at maximum", challenger.size) if verdict == "continue" else (verdict, int(blocks.ends[used - 1]))


def _counts(declaration: Declaration, challenger: Flags, success: Flags) -> Iterator[Counts]:
    return (count(challenger[:n], success[:n]) for n in looks_at(declaration))
