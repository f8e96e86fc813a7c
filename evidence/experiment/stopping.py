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
from evidence.experiment.patients import errs, firsts, in_order, of_arm, own_finding, statements
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
    if role not in rule.applies_to:
        return _nobody(rule, version, role, f"{rule.name}: does not apply to a {role.value}")
    mine = firsts(of_arm(in_order(rows), version=version, role=role))
    truth = statements(reviews, task=rows[0].task, source="review") if rows and rule.measure == "agreement" else {}
    counted = [(row.number, hit) for row in mine if (hit := _hit(rule, row, truth)) is not None]
    if not counted:
        return _nobody(rule, version, role, f"{rule.measure}: no patient yet")
    hits = np.fromiter((hit for _, hit in counted), dtype=np.bool_, count=len(counted))
    start, level, acts = judge(rule, hits)
    n, count = hits.size - start, int(hits[start:].sum())
    interval = proportion(count, n, level=level)
    where = "outside" if acts else "not outside"
    since = f" since row {counted[start][0]}" if start else ""
    range_ = f"{interval.low:.2f}–{interval.high:.2f} at any time"
    sentence = (
        f"{rule.measure} {count} of {n} patients{since}, {interval.value:.2f} ({range_}), {where} "
        f"{rule.low:.2f}–{rule.high:.2f}"
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
        first_row=counted[start][0],
        last_row=counted[-1][0],
        acts=acts,
        sentence=sentence,
    )


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


def _hit(rule: StopRule, row: ArmRow, truth: dict[StudyId, bool]) -> bool | None:
    """Whether the patient counts towards the share; None: not in its denominator."""
    measure: Measure = rule.measure
    if measure == "errors":
        return errs(row)
    if measure == "abstentions":
        return row.outcome == "abstained" and row.answered == row.assigned
    if measure == "slow":
        seconds = row.seconds if row.answered == row.assigned else None
        return None if seconds is None or rule.slow_s is None else seconds > rule.slow_s
    said = own_finding(row)
    if measure == "positives":
        return said
    reviewed = truth.get(row.study_id)
    return None if said is None or reviewed is None else said is reviewed


def _nobody(rule: StopRule, version: int, role: Role, sentence: str) -> RuleState:
    return RuleState(rule, version, role, 0, 0, None, 0.0, 1.0, 1.0 - rule.alpha, None, None, False, sentence)
