"""Must a version go? One stop rule held against the patients a version had to answer, as often as one likes.

The share is followed by confidence sequences of level 1 − α_j: the j-th starts after (j − 1) · ``STEP`` patients and
has α_j = α / (j (j + 1)). They add up to α, so that a share that never leaves its band is called out, at any time and
by any of them, with a chance of at most α (Ville and Bonferroni); both sides of the band are in that. Without the later
ones a version that turns bad after a thousand good patients would be covered by them for a thousand more.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain.experiment import ArmRow, Measure, StopRule
from domain.identifiers import StudyId
from domain.review import Review
from domain.traffic import Role
from evidence.experiment.patients import firsts, in_order, of_arm, statements
from evidence.statistics.confidence_sequences import log_evidence, proportion

STEP = 50  # patients from the start of one sequence to that of the next

Hits = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class RuleState:
    """A rule and what the patients say of it: ``count`` of ``patients``, from row ``first_row`` to ``last_row``.

    ``low`` and ``high`` hold at any time with chance ``level``. Without a patient there is no share, no row, and the
    interval is everything.
    """

    rule: StopRule
    version: int
    role: Role
    patients: int
    count: int
    share: float | None
    low: float
    high: float
    level: float
    first_row: int | None
    last_row: int | None
    acts: bool
    sentence: str

    def evidence(self) -> dict[str, Any]:
        """All of it as JSON can hold it, for the record of what was done because of it."""
        return {
            "rule": self.rule.model_dump(mode="json"),
            "version": self.version,
            "role": self.role.value,
            "patients": self.patients,
            "count": self.count,
            "share": self.share,
            "interval": {"low": self.low, "high": self.high, "level": self.level, "method": "beta mixture, any time"},
            "rows": {"first": self.first_row, "last": self.last_row},
            "acts": self.acts,
            "sentence": self.sentence,
        }


def evaluate(
    rule: StopRule, rows: Sequence[ArmRow], reviews: Sequence[Review], *, version: int, role: Role
) -> RuleState:
    """The rule for the patients assigned to ``version`` in ``role``; it never acts on a role it does not apply to.

    Positives and slow answers are of the answers the version gave itself, agreement of those that have a review,
    abstentions and errors of all its patients.
    """
    return evaluate_all((rule,), rows, reviews, version=version, role=role)[0]


def evaluate_all(
    rules: Sequence[StopRule], rows: Sequence[ArmRow], reviews: Sequence[Review], *, version: int, role: Role
) -> tuple[RuleState, ...]:
    """``evaluate`` for each of the rules, of which the patients are sought out only once."""
    mine = list(firsts(of_arm(in_order(rows), version=version, role=role)))
    wanted = mine and any(rule.measure == "agreement" for rule in rules)
    truth = statements(reviews, task=mine[0].task, source="review") if wanted else {}
    return tuple(_state(rule, mine, truth, version=version, role=role) for rule in rules)


def judge(rule: StopRule, hits: Hits) -> tuple[int, float, bool]:
    """Where the sequence begins that says most against the band, its level, and whether it lies outside; if none
    does, the first sequence, of all patients."""
    starts = np.arange(0, hits.size, STEP)
    parts = parts_of_error(rule.alpha, starts.size)
    before = np.append(0, np.cumsum(hits))
    against = outside(rule, before[-1] - before[starts], hits.size - starts) + np.log(parts)
    best = int(np.argmax(against))
    acts = bool(against[best] > 0.0)
    chosen = best if acts else 0
    return int(starts[chosen]), 1.0 - float(parts[chosen]), acts


def parts_of_error(alpha: float, sequences: int) -> NDArray[np.float64]:
    """α / (j (j + 1)) for j = 1, 2, …: half, a sixth, a twelfth …, α in all."""
    j = np.arange(1, sequences + 1)
    return alpha / (j * (j + 1.0))


def outside(rule: StopRule, successes: NDArray[np.int64], n: NDArray[np.int64]) -> NDArray[np.float64]:
    """ln of the evidence that the share is not in the band: against the limit it lies beyond, −∞ if beyond none."""
    share = successes / n
    found = np.full(share.shape, -math.inf)
    for limit, beyond in ((rule.low, share < rule.low), (rule.high, share > rule.high)):
        if beyond.any():
            found[beyond] = log_evidence(successes[beyond], n[beyond], rate=limit)
    return found


def _state(
    rule: StopRule, mine: Sequence[ArmRow], truth: dict[StudyId, bool], *, version: int, role: Role
) -> RuleState:
    if role not in rule.applies_to:
        return _nobody(rule, version, role, f"{rule.name}: does not apply to a {role.value}")
    patients, counted = _counted(rule, mine, truth, version=version)
    if not counted:
        return _nobody(rule, version, role, f"{rule.measure}: no patient yet")
    hits = np.array(counted, dtype=np.bool_)
    start, level, acts = judge(rule, hits)
    n, count = hits.size - start, int(hits[start:].sum())
    interval = proportion(count, n, level=level)
    range_ = f"{interval.low:.2f}–{interval.high:.2f} at any time"
    sentence = (
        f"{rule.measure} {count} of {n} patients{f' since row {patients[start].number}' if start else ''}, "
        f"{interval.value:.2f} ({range_}), {'outside' if acts else 'not outside'} {rule.low:.2f}–{rule.high:.2f}"
    )
    return RuleState(
        rule=rule,
        version=version,
        role=role,
        patients=n,
        count=count,
        share=interval.value,
        low=interval.low,
        high=interval.high,
        level=level,
        first_row=patients[start].number,
        last_row=patients[-1].number,
        acts=acts,
        sentence=sentence,
    )


def _counted(
    rule: StopRule, mine: Sequence[ArmRow], truth: dict[StudyId, bool], *, version: int
) -> tuple[Sequence[ArmRow], Sequence[bool]]:
    """The patients in the share's denominator, and which of them count towards it."""
    measure: Measure = rule.measure
    if measure == "errors":
        return mine, [row.outcome == "failed" or row.answered != version for row in mine]
    if measure == "abstentions":
        return mine, [row.outcome == "abstained" and row.answered == version for row in mine]
    # Lists of rows and of flags, not of pairs: so many new tuples would wake the garbage collector.
    own = [row for row in mine if row.outcome == "done" and row.answered == version and row.finding_present is not None]
    if measure == "positives":
        return own, [row.finding_present is True for row in own]
    if measure == "agreement":
        reviewed = [truth.get(row.study_id) for row in own]
        known = [row for row, said in zip(own, reviewed, strict=True) if said is not None]
        agreed = [row.finding_present is said for row, said in zip(own, reviewed, strict=True) if said is not None]
        return known, agreed
    limit = rule.slow_s or 0.0  # the rule's own check sees to it that it is there
    timed = [row for row in mine if row.seconds is not None and row.answered == version]
    return timed, [(row.seconds or 0.0) > limit for row in timed]


def _nobody(rule: StopRule, version: int, role: Role, sentence: str) -> RuleState:
    return RuleState(rule, version, role, 0, 0, None, 0.0, 1.0, 1.0 - rule.alpha, None, None, False, sentence)
