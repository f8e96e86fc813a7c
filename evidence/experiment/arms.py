"""What each version shows on live traffic: a description, not a test; ``decision`` tests and ``stopping`` watches."""

from collections.abc import Iterable, Sequence

import numpy as np

from domain.experiment import ArmRow
from domain.identifiers import StudyId
from domain.review import Review
from domain.traffic import Role, TrafficPolicy
from evidence.experiment.patients import errs, firsts, in_order, of_arm, own_finding, statements
from evidence.statistics.estimate import Estimate
from evidence.statistics.proportion import wilson
from evidence.strict import Record

LEVEL = 0.95
BINS = 10
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
LATENCIES = (0.5, 0.95, 0.99)


class Distribution(Record):
    """Of ``n`` values: quantiles as (share below, value), and for probabilities the counts of equal bins of 0–1."""

    n: int
    quantiles: tuple[tuple[float, float], ...]
    histogram: tuple[int, ...] = ()


class Arm(Record):
    """One version in one role.

    Shares are of patients, each by its first row, with Wilson's interval of one look: they do not hold for one who
    decides after many. ``positives``, ``scores``, ``agreement``, ``sensitivity`` and ``specificity`` are of answers the
    version gave itself; ``errors`` and ``abstentions`` of all its patients; ``seconds`` of all its answers. None where
    there is nobody to count.
    """

    version: int
    role: Role
    planned_share: float | None  # None: pinned, which no share says
    studies: int
    patients: int
    positives: Estimate | None
    scores: Distribution | None
    agreement: Estimate | None  # with reviews
    sensitivity: Estimate | None  # against the reference standard
    specificity: Estimate | None
    errors: Estimate | None  # fell back or failed
    abstentions: Estimate | None
    seconds: Distribution | None


def arms(rows: Sequence[ArmRow], reviews: Sequence[Review], *, policy: TrafficPolicy) -> tuple[Arm, ...]:
    """Visible versions in the policy's order, then versions with pinned patients, who are in no other arm."""
    ordered = [row for row in in_order(rows) if row.task == policy.task]
    reviewed = statements(reviews, task=policy.task, source="review")
    truth = statements(reviews, task=policy.task, source="reference standard")
    challengers = ((version, Role.CHALLENGER) for version in policy.visible[1:])
    pinned = sorted({row.assigned for row in ordered if row.role is Role.PINNED})
    wanted = ((policy.champion, Role.CHAMPION), *challengers, *((version, Role.PINNED) for version in pinned))
    return tuple(
        _arm(
            list(of_arm(ordered, version=version, role=role)),
            reviewed,
            truth,
            version=version,
            role=role,
            planned_share=None if role is Role.PINNED else policy.share_of(version),
        )
        for version, role in wanted
    )


def _arm(
    rows: Sequence[ArmRow],
    reviewed: dict[StudyId, bool],
    truth: dict[StudyId, bool],
    *,
    version: int,
    role: Role,
    planned_share: float | None,
) -> Arm:
    patients = list(firsts(rows))
    said = [row for row in patients if own_finding(row) is not None]
    known = [row for row in said if row.study_id in truth]
    own = [row.seconds for row in rows if row.answered == version]
    return Arm(
        version=version,
        role=role,
        planned_share=planned_share,
        studies=len({row.study_id for row in rows}),
        patients=len(patients),
        positives=_share(row.finding_present is True for row in said),
        scores=_distribution([row.probability for row in said], QUANTILES, bins=BINS),
        agreement=_share(row.finding_present is reviewed[row.study_id] for row in said if row.study_id in reviewed),
        sensitivity=_share(row.finding_present is True for row in known if truth[row.study_id]),
        specificity=_share(row.finding_present is False for row in known if not truth[row.study_id]),
        errors=_share(errs(row) for row in patients),
        abstentions=_share(row.outcome == "abstained" and row.answered == version for row in patients),
        seconds=_distribution(own, LATENCIES),
    )


def _share(hits: Iterable[bool]) -> Estimate | None:
    counted = list(hits)
    return wilson(sum(counted), len(counted), level=LEVEL) if counted else None


def _distribution(values: Iterable[float | None], shares: Sequence[float], *, bins: int = 0) -> Distribution | None:
    given = np.array([value for value in values if value is not None], dtype=np.float64)
    if not given.size:
        return None
    heights = np.histogram(given, bins=bins, range=(0.0, 1.0))[0] if bins else ()
    quantiles = zip(shares, np.quantile(given, shares), strict=True)
    return Distribution(
        n=given.size,
        quantiles=tuple((share, float(value)) for share, value in quantiles),
        histogram=tuple(int(height) for height in heights),
    )
