"""Which model version answers for which patient."""

import hashlib
import hmac
from collections.abc import Sequence
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, model_validator

from domain.identifiers import Pseudonym

BUCKETS = 10_000  # patients are hashed into so many; a share is a whole number of them
MOST_PINS = 1_000


class Role(StrEnum):
    """Champion serves, challenger serves a share, shadow is computed but never shown; pinned was asked for by name."""

    CHAMPION = "champion"
    CHALLENGER = "challenger"
    SHADOW = "shadow"
    PINNED = "pinned"


class Mode(StrEnum):
    """The kill switch: everything as the policy says, the champion alone for everybody, or nobody answers at all."""

    NORMAL = "normal"
    CHAMPION_ONLY = "champion only"
    OFF = "off"


class _Frozen(BaseModel):
    """A value that never changes."""

    model_config = ConfigDict(frozen=True)


class Challenger(_Frozen):
    """A version and the share of patients, 0–1, it answers for."""

    version: int
    share: float

    @property
    def buckets(self) -> int:
        """The share as a number of buckets."""
        return round(self.share * BUCKETS)


class Pin(_Frozen):
    """One patient whom one version always answers for, whatever the shares say."""

    patient: Pseudonym
    version: int


class Segment(_Frozen):
    """Buckets ``first`` up to but not including ``end``, whose patients one challenger answers for."""

    version: int
    first: int
    end: int


class TrafficPolicy(_Frozen):
    """Who answers for which patients of a task in a tenant; each change raises ``policy_version``.

    ``segments`` says which buckets each challenger has; all others are the champion's. Left out, challengers fill the
    buckets from 0 in order.
    """

    task: str
    policy_version: int
    champion: int
    challengers: tuple[Challenger, ...] = ()
    shadows: tuple[int, ...] = ()
    pins: tuple[Pin, ...] = ()
    mode: Mode = Mode.NORMAL
    segments: tuple[Segment, ...] = ()

    @model_validator(mode="after")
    def _is_consistent(self) -> "TrafficPolicy":
        visible = [self.champion, *(challenger.version for challenger in self.challengers)]
        named = [*visible, *set(self.shadows)]
        twice = sorted({version for version in named if named.count(version) > 1})
        if twice:
            raise ValueError(f"a model version has one role in a policy, and version {twice[0]} is named for two")
        _require_shares(self.challengers)
        patients = {pin.patient for pin in self.pins}
        if len(patients) != len(self.pins) or len(self.pins) > MOST_PINS:
            raise ValueError(f"a patient is pinned once, and at most {MOST_PINS} are")
        lost = [pin.version for pin in self.pins if pin.version not in visible]
        if lost:
            raise ValueError(
                f"a pin names the champion or a challenger, and {lost.count(lost[0])} name version {lost[0]}, "
                "which is neither: unpin them first"
            )
        if not self.segments:
            object.__setattr__(self, "segments", allocate(self.challengers))
        _require_segments(self.segments, self.challengers)
        return self

    @property
    def visible(self) -> tuple[int, ...]:
        """Versions that may answer a patient: the champion first."""
        return (self.champion, *(challenger.version for challenger in self.challengers))

    @property
    def versions(self) -> tuple[int, ...]:
        """Versions that must run: the visible ones, then the shadows."""
        return (*self.visible, *self.shadows)

    def beside(self, champion: int) -> tuple[Segment, ...]:
        """The buckets of every version but that one, this policy's own champion's too: what may be taken from it.

        ``allocate`` leaves a champion-to-be the patients that it answers for already.
        """
        rest = tuple(Segment(version=self.champion, first=first, end=end) for first, end in _between(self.segments))
        return tuple(segment for segment in (*self.segments, *rest) if segment.version != champion)

    def after(self, before: "TrafficPolicy | None") -> "TrafficPolicy":
        """This policy with the segments that move the fewest patients away from the policy before."""
        held = before.beside(self.champion) if before else ()
        return TrafficPolicy(**{**dict(self), "segments": allocate(self.challengers, before=held)})

    def only_takes_from(self, before: "TrafficPolicy") -> bool:
        """True when this does no more than take patients or parts away from the policy before.

        Switching off, a smaller share, an end of a challenger: what an emergency asks for.
        """
        shares = {one.version: one.buckets for one in before.challengers}
        order = list(Mode)
        return (
            self.champion == before.champion
            and all(one.buckets <= shares.get(one.version, -1) for one in self.challengers)
            and set(self.pins) <= set(before.pins)
            and set(self.shadows) <= set(before.versions)
            and order.index(self.mode) >= order.index(before.mode)
        )

    def share_of(self, version: int) -> float:
        """The share of patients, 0–1, a version answers for, pins aside."""
        shares = {challenger.version: challenger.share for challenger in self.challengers}
        if version == self.champion:
            return (BUCKETS - sum(challenger.buckets for challenger in self.challengers)) / BUCKETS
        return shares.get(version, 0.0)


class Assignment(_Frozen):
    """The sticky choice for one patient."""

    version: int
    role: Role


def assign(patient: Pseudonym, policy: TrafficPolicy, *, key: bytes) -> Assignment:
    """The version that answers for a patient, by a keyed hash: the same on every replica and after every restart.

    Whether anybody answers at all (``Mode.OFF``) is the caller's to ask.
    """
    if policy.mode is Mode.NORMAL:
        pinned = next((pin.version for pin in policy.pins if pin.patient == patient), None)
        if pinned is not None:
            return Assignment(version=pinned, role=Role.PINNED)
        bucket = bucket_of(patient, task=policy.task, key=key)
        for segment in policy.segments:
            if segment.first <= bucket < segment.end:
                return Assignment(version=segment.version, role=Role.CHALLENGER)
    return Assignment(version=policy.champion, role=Role.CHAMPION)


def bucket_of(patient: Pseudonym, *, task: str, key: bytes) -> int:
    """A patient's bucket, 0 … ``BUCKETS`` − 1."""
    digest = hmac.new(key, f"{task}\0{patient}".encode(), hashlib.sha256).digest()
    return int.from_bytes(digest[:8]) * BUCKETS >> 64


def allocate(challengers: Sequence[Challenger], *, before: Sequence[Segment] = ()) -> tuple[Segment, ...]:
    """Buckets for each challenger's share that move the fewest patients away from the segments before.

    A challenger that shrinks gives back its last buckets. One that grows takes what others gave back, then the
    champion's lowest buckets. Nobody else moves: as many patients as the shares must, which no allocation undercuts.
    Where the champion changes, ``before`` is ``TrafficPolicy.beside`` the new one.
    """
    missing = {challenger.version: challenger.buckets for challenger in challengers}
    held: list[Segment] = []
    given_back: list[Segment] = []
    for segment in sorted(before, key=lambda segment: segment.first):
        kept_until = segment.first + min(segment.end - segment.first, missing.get(segment.version, 0))
        if kept_until > segment.first:
            missing[segment.version] -= kept_until - segment.first
            held.append(segment.model_copy(update={"end": kept_until}))
        if kept_until < segment.end:
            given_back.append(segment.model_copy(update={"first": kept_until}))
    free = [(segment.first, segment.end) for segment in given_back]
    for first, end in (*free, *_between([*held, *given_back])):
        for version in missing:
            size = min(end - first, missing[version])
            if size:
                missing[version] -= size
                held.append(Segment(version=version, first=first, end=first + size))
                first += size
    return _joined(held)


def _between(held: Sequence[Segment]) -> tuple[tuple[int, int], ...]:
    """Runs of buckets that nobody holds, lowest first."""
    ordered = sorted(held, key=lambda segment: segment.first)
    starts = (0, *(segment.end for segment in ordered))
    ends = (*(segment.first for segment in ordered), BUCKETS)
    return tuple((first, end) for first, end in zip(starts, ends, strict=True) if first < end)


def _joined(held: Sequence[Segment]) -> tuple[Segment, ...]:
    segments: list[Segment] = []
    for segment in sorted(held, key=lambda segment: segment.first):
        if segments and (segments[-1].version, segments[-1].end) == (segment.version, segment.first):
            segments[-1] = segments[-1].model_copy(update={"end": segment.end})
        else:
            segments.append(segment)
    return tuple(segments)


def _require_shares(challengers: Sequence[Challenger]) -> None:
    for one in challengers:
        if not 0.0 <= one.share <= 1.0:
            raise ValueError(f"a share must lie in 0–1, and that of version {one.version} is {one.share:g}")
        if abs(one.share * BUCKETS - one.buckets) > 1e-6:
            raise ValueError(f"a share is a multiple of {1 / BUCKETS:g}, and that of version {one.version} is not")
    if (total := sum(one.buckets for one in challengers)) > BUCKETS:
        raise ValueError(f"challenger shares add up to at most 1, and not to {total / BUCKETS:g}")


def _require_segments(segments: Sequence[Segment], challengers: Sequence[Challenger]) -> None:
    held = {challenger.version: 0 for challenger in challengers}
    free_from = 0
    for segment in segments:
        if segment.version not in held or not free_from <= segment.first < segment.end <= BUCKETS:
            raise ValueError("segments must rise, not overlap and name challengers")
        held[segment.version] += segment.end - segment.first
        free_from = segment.end
    if any(held[challenger.version] != challenger.buckets for challenger in challengers):
        raise ValueError("segments must hold exactly each challenger's share")
