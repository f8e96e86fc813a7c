"""The unit of every test on live traffic is the patient: of several rows only the first counts."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from operator import attrgetter
from typing import NamedTuple

from domain.experiment import ArmRow, Endpoint
from domain.identifiers import Pseudonym, StudyId
from domain.review import Review, ReviewSource
from domain.traffic import Role

SOURCES: dict[Endpoint, ReviewSource] = {
    "agreement": "review",
    "sensitivity": "reference standard",
    "specificity": "reference standard",
}


class Outcome(NamedTuple):
    """What an endpoint says of one patient from a moment on; ``success`` is None where it does not count the patient,
    as sensitivity does not count one without the finding."""

    at: datetime
    patient: int  # position among the rows
    success: bool | None


def in_order(rows: Sequence[ArmRow]) -> list[ArmRow]:
    """By number, whatever order they came in."""
    return sorted(rows, key=attrgetter("number"))


def firsts(rows: Iterable[ArmRow]) -> Iterator[ArmRow]:
    """The first row of each patient, of rows in order."""
    seen: set[Pseudonym] = set()
    for row in rows:
        if row.patient not in seen:
            seen.add(row.patient)
            yield row


def of_arm(rows: Iterable[ArmRow], *, version: int, role: Role) -> Iterator[ArmRow]:
    """Rows that a version had to answer in a role, whoever did."""
    return (row for row in rows if row.assigned == version and row.role is role)


def own_finding(row: ArmRow) -> bool | None:
    """What the assigned version itself said; None if it abstained, failed or another answered in its place."""
    return row.finding_present if row.outcome == "done" and row.answered == row.assigned else None


def errs(row: ArmRow) -> bool:
    """An error of the assigned version: nobody answered, or another did."""
    return row.outcome == "failed" or row.answered != row.assigned


def statements(reviews: Iterable[Review], *, task: str, source: ReviewSource) -> dict[StudyId, bool]:
    """What is said of each study now: a later statement replaces the earlier; of two at one time, the later in line."""
    kept = [review for review in reviews if review.source == source and review.task == task]
    return {review.study_id: review.finding_present for review in sorted(kept, key=attrgetter("at"))}


def outcomes(rows: Sequence[ArmRow], reviews: Iterable[Review], *, task: str, endpoint: Endpoint) -> list[Outcome]:
    """All that became known of the patients' endpoint, in order of time; ``rows`` holds one row a patient.

    A statement made before the answer counts from the answer on. An abstention, a failure and another version's answer
    are no success: a version that stays silent on the hard patients must not win by it (the composite strategy of ICH
    E9(R1), A.3.2).
    """
    of_study = {row.study_id: position for position, row in enumerate(rows)}
    found = []
    for review in reviews:
        position = of_study.get(review.study_id)
        if position is not None and review.source == SOURCES[endpoint] and review.task == task:
            row = rows[position]
            success = _success(endpoint, own_finding(row), truth=review.finding_present)
            found.append((review.at, Outcome(max(review.at, row.recorded_at), position, success)))
    # By the time of the statement first, so that of two made before the answer the later one stays.
    found.sort(key=lambda pair: (pair[1].at, pair[0]))
    return [outcome for _, outcome in found]


def _success(endpoint: Endpoint, said: bool | None, *, truth: bool) -> bool | None:
    if endpoint != "agreement" and truth is not (endpoint == "sensitivity"):
        return None
    return said is not None and said is truth
