"""What a declared comparison says so far: from rows and reviews to a verdict that another look cannot change."""

from collections.abc import Sequence

import numpy as np

from domain.experiment import ArmRow, Declaration, GroupSequential
from domain.review import Review
from domain.traffic import Role, TrafficPolicy
from evidence.experiment import sample_split
from evidence.experiment.designs import (
    Counts,
    Flags,
    Look,
    Verdict,
    always_valid,
    count,
    group_sequential,
    line,
    looks_at,
)
from evidence.experiment.patients import Outcome, firsts, in_order, outcomes
from evidence.experiment.sample_split import SampleSplit
from evidence.strict import Record


class ExperimentView(Record):
    """A comparison as it stands.

    ``looks`` are those taken so far, in an always-valid design the one of now or of the patient who decided; the last
    carries the estimate. ``known`` counts patients whose endpoint is known now. ``moved`` are patients whom a change of
    shares gave to the other version later; they stay with their first. A verdict on a comparison that is not
    ``trustworthy`` must not be acted on; the sample split says why.
    """

    verdict: Verdict
    sentence: str
    line: float  # the difference that decides: −margin, or 0
    alpha: float
    known: int
    known_champion: int
    known_challenger: int
    assigned: int  # patients of both arms, endpoint known or not
    moved: int
    next_look_at: int | None
    looks: tuple[Look, ...]
    sample_split: SampleSplit
    trustworthy: bool


def decide(
    declaration: Declaration,
    rows: Sequence[ArmRow],
    reviews: Sequence[Review],
    *,
    policies: Sequence[TrafficPolicy] = (),
) -> ExperimentView:
    """Compare challenger and champion as declared; each patient counts once, in the arm of its first row.

    ``rows`` are those since the declaration. ``policies`` are the versions of the traffic policy they came under: rows
    of one that did not randomise between the two (the kill switch, a share of 0) are left out, and the planned shares
    are taken from them; without any, nothing is left out and the split is not checked.

    Raises:
        NotEstimable: looks that cannot be kept.
    """
    compared = _compared(declaration, rows, policies)
    arms = [row.assigned == declaration.challenger for row in compared]
    events = outcomes(compared, reviews, task=declaration.task, endpoint=declaration.endpoint)
    challenger, success = sequence(events, arms)
    if isinstance(declaration.design, GroupSequential):
        looks = group_sequential(declaration, snapshots(events, arms, at=looks_at(declaration)))
    else:
        look = always_valid(declaration, challenger, success)
        looks = () if look is None else (look,)
    verdict: Verdict = looks[-1].verdict if looks else "continue"
    split = sample_split.check(declaration, compared, policies)
    now = count(challenger, success)
    following = looks_at(declaration)[len(looks) :] if verdict == "continue" else ()
    return ExperimentView(
        verdict=verdict,
        sentence=_sentence(declaration, looks, known=challenger.size, following=following),
        line=line(declaration),
        alpha=declaration.alpha,
        known=challenger.size,
        known_champion=now.champion_n,
        known_challenger=now.challenger_n,
        assigned=len(compared),
        moved=_moved(declaration, rows, compared),
        next_look_at=following[0] if following else None,
        looks=looks,
        sample_split=split,
        trustworthy=split.trustworthy,
    )


def snapshots(events: Sequence[Outcome], arms: Sequence[bool], *, at: Sequence[int]) -> list[Counts]:
    """Counts at the first moment when so many patients' endpoints were known, as they stood then: a correction that
    came after a look does not reach it."""
    state: dict[int, bool] = {}
    totals = [[0, 0], [0, 0]]  # successes and patients of each arm
    taken: list[Counts] = []
    for _, patient, success in events:
        before, arm = state.pop(patient, None), totals[arms[patient]]
        for value, sign in ((before, -1), (success, 1)):
            if value is not None:
                arm[0] += sign * value
                arm[1] += sign
        if success is not None:
            state[patient] = success
        if len(taken) < len(at) and len(state) == at[len(taken)]:
            taken.append(Counts(*totals[0], *totals[1]))
    return taken


def sequence(events: Sequence[Outcome], arms: Sequence[bool]) -> tuple[Flags, Flags]:
    """Arm and outcome of the patients whose endpoint is known, in the order in which it became known, as it stands
    after the corrections."""
    state: dict[int, bool] = {}
    for _, patient, success in events:
        if success is None:
            state.pop(patient, None)
        else:
            state[patient] = success
    challenger = np.array([arms[patient] for patient in state], dtype=np.bool_)
    return challenger, np.array(list(state.values()), dtype=np.bool_)


def _compared(declaration: Declaration, rows: Sequence[ArmRow], policies: Sequence[TrafficPolicy]) -> list[ArmRow]:
    """One row for each patient whom the hash gave to one of the two versions."""
    barred = {one.policy_version for one in policies if not sample_split.randomised(declaration, one)}
    return list(
        firsts(row for row in in_order(rows) if _takes_part(declaration, row) and row.policy_version not in barred)
    )


def _takes_part(declaration: Declaration, row: ArmRow) -> bool:
    arms = ((declaration.champion, Role.CHAMPION), (declaration.challenger, Role.CHALLENGER))
    return row.task == declaration.task and (row.assigned, row.role) in arms


def _moved(declaration: Declaration, rows: Sequence[ArmRow], compared: Sequence[ArmRow]) -> int:
    first = {row.patient: row.assigned for row in compared}
    later = (row for row in rows if _takes_part(declaration, row))
    return len({row.patient for row in later if first.get(row.patient, row.assigned) != row.assigned})


def _sentence(declaration: Declaration, looks: Sequence[Look], *, known: int, following: Sequence[int]) -> str:
    ahead = f" The next look is at {following[0]} patients; {known} are known." if following else ""
    if not looks:
        return f"No look has been taken yet.{ahead}"
    look, at = looks[-1], line(declaration)
    seen = look.difference
    if seen is None:
        return f"Nothing may be decided at {look.patients} patients.{ahead}"
    ends = f"{declaration.endpoint} of version {declaration.challenger} minus version {declaration.champion}"
    figures = f"{ends}: {seen.value:+.3f} ({seen.low:+.3f} to {seen.high:+.3f}, {look.patients} patients)"
    meaning = {
        "continue": f"the interval holds {at:+.3f}: go on.",
        "challenger accepted": f"all of it lies above {at:+.3f}: the challenger is accepted.",
        "challenger rejected": f"all of it lies below {at:+.3f}: the challenger is rejected.",
        "stopped at maximum": f"it still holds {at:+.3f} at the last patient: the challenger is not accepted.",
    }[look.verdict]
    return f"{figures[0].upper()}{figures[1:]}; {meaning}{ahead}"
