"""Who served when, and who answered: told from append-only records, so that it can be asked of every past moment."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict

from domain.canonical import readable_json
from domain.change_control import GateDecision
from domain.errors import IntegrityViolation, InvalidField
from domain.identifiers import PredictionId, Sha256, StudyId, sha256_of
from domain.model_version import ModelManifest
from domain.prediction import Done, Prediction
from domain.traffic import Mode, Role, TrafficPolicy

_TICK = timedelta(microseconds=1)  # of every recorded time: an instant is a period of one tick
_FORM = "a date (2026-11-24, the whole day in UTC) or a time with its zone (2026-11-24T09:30:00Z)"


class _Record(BaseModel):
    """What is read back, never changed."""

    model_config = ConfigDict(frozen=True)


class Period(_Record):
    """What is asked of: from ``start`` until just before ``end``."""

    start: datetime
    end: datetime

    @property
    def is_day(self) -> bool:
        """A whole day, not a moment."""
        return self.end - self.start > _TICK

    @classmethod
    def instant(cls, at: datetime) -> "Period":
        """The period that holds that moment alone."""
        return cls(start=at, end=at + _TICK)

    @classmethod
    def parse(cls, text: str, *, now: datetime) -> "Period":
        """A date as its whole day in UTC, or a time with its zone as that instant.

        Raises:
            InvalidField: it is neither, names no zone, or lies in the future, of which nothing is recorded.
        """
        try:
            period = _day(date.fromisoformat(text)) if _names_a_day(text) else cls.instant(_instant(text))
        except (ValueError, OverflowError):
            raise InvalidField(f"{text[:40]!r} is no moment.", next_step=f"Give {_FORM}; in a URL + is %2B.") from None
        if period.start > now:
            raise InvalidField(f"{text!r} lies in the future.", next_step="Ask of a moment that has been.")
        return period


class DecisionSummary(_Record):
    """The gate's decision about a candidate, with the digest of the whole of it."""

    verdict: Literal["promote", "refuse"]
    decided_by: str
    decided_at: datetime
    why: str
    sha256: Sha256  # of decision.json, as it lies with the version's evidence


class VersionEvidence(_Record):
    """One model version as its manifest says it, and what it was put into service on."""

    model_version: str
    variant: str
    demo: bool
    threshold: float
    weights_sha256: Sha256
    model_sha256: Sha256
    report_sha256: Sha256
    dataset_version: str
    approver: str
    decision: DecisionSummary | None  # the last before it came into force; None: promoted without a gate
    evidence_files: Mapping[str, Sha256]  # name → digest


class ServedVersion(VersionEvidence):
    """A model version with its part in one policy."""

    role: Role
    share: float  # of patients, 0–1; a shadow answers nobody


class ServingRecord(_Record):
    """One policy: who served from ``since`` until just before ``until``, and who decided so."""

    task: str
    policy_version: int
    since: datetime
    until: datetime | None  # None: in force
    by: str
    why: str
    mode: Mode
    pinned_patients: int  # whom one version answers whatever the shares say
    versions: tuple[ServedVersion, ...]  # champion, challengers, shadows

    def served_during(self, period: Period) -> bool:
        """True when it was in force at some moment of the period."""
        if self.until is not None and self.until <= self.since:
            return False  # overtaken at once: never in force
        return self.since < period.end and (self.until is None or self.until > period.start)


class Answer(_Record):
    """Who answered one prediction. ``evidence`` and the policy's fields are None of the demo classifier alone."""

    prediction_id: PredictionId
    task: str
    answered_at: datetime
    model_version: str
    role: Role
    fell_back: bool
    demo: bool
    threshold: float  # as applied to this answer
    evidence: VersionEvidence | None
    policy_version: int
    in_force_since: datetime | None
    promoted_by: str | None
    why: str | None


class TaskHistory(_Record):
    """Every record of a task that was in force in the period asked of, or all of them; oldest first."""

    task: str
    asked: Period | None
    records: tuple[ServingRecord, ...]


class StudyHistory(_Record):
    """Every answer to one study; what is pending, refused or failed has none."""

    study_id: StudyId
    answers: tuple[Answer, ...]


class Change(Protocol):
    """A policy and the decision behind it, as the database keeps them."""

    @property
    def policy(self) -> TrafficPolicy: ...

    @property
    def by(self) -> str: ...

    @property
    def why(self) -> str: ...

    @property
    def at(self) -> datetime: ...


class Evidence(_Record):
    """All that is recorded about one task's versions."""

    manifests: Mapping[int, ModelManifest]
    decisions: Sequence[GateDecision] = ()  # oldest first
    files: Mapping[int, Mapping[str, Sha256]] = {}

    def of(self, policy: TrafficPolicy, version: int, *, at: datetime) -> VersionEvidence:
        """What was known of a version when a policy that names it came into force.

        Raises:
            IntegrityViolation: it has no manifest on record.
        """
        manifest = self.manifests.get(version)
        if manifest is None:
            raise IntegrityViolation(
                f"Policy {policy.policy_version} of {policy.task} names version {version}, of which no manifest is "
                "recorded.",
                next_step="Keep the database as it is and compare with a backup.",
            )
        before = [one for one in self.decisions if one.model_version == manifest.model_version and one.decided_at <= at]
        same = manifest.model_dump(include=set(VersionEvidence.model_fields) - {"dataset_version"})
        return VersionEvidence(
            **same,
            model_version=manifest.model_version,
            threshold=manifest.operating_point.threshold,
            dataset_version=manifest.dataset_version.name,
            decision=_summary(before[-1]) if before else None,
            evidence_files=self.files.get(version, {}),
        )


def serving_records(changes: Sequence[Change], evidence: Evidence) -> tuple[ServingRecord, ...]:
    """Each policy as a record, oldest first; one is in force until a later one begins.

    Policies count by their number: where a clock was set back, a later policy ends every earlier one at its own start.
    """
    records: list[ServingRecord] = []
    until: datetime | None = None
    for change in reversed(changes):
        ends = None if until is None else max(until, change.at)
        records.append(
            ServingRecord(
                task=change.policy.task,
                policy_version=change.policy.policy_version,
                since=change.at,
                until=ends,
                by=change.by,
                why=change.why,
                mode=change.policy.mode,
                pinned_patients=len(change.policy.pins),
                versions=tuple(_served(change, evidence)),
            )
        )
        until = change.at if until is None else min(until, change.at)
    return tuple(reversed(records))


def answer_of(prediction: Prediction, state: Done, *, change: Change | None, evidence: Evidence) -> Answer:
    """Who gave an answer; ``change`` is the policy it names, None only for the demo classifier's."""
    told: VersionEvidence | None = None
    if change is not None:
        version = int(state.model_version.rpartition("@")[2])
        told = evidence.of(change.policy, version, at=change.at)
    return Answer(
        prediction_id=prediction.prediction_id,
        task=prediction.task,
        **state.model_dump(include=set(Answer.model_fields)),
        evidence=told,
        in_force_since=change.at if change else None,
        promoted_by=change.by if change else None,
        why=change.why if change else None,
    )


def line_of_champions(changes: Sequence[Change]) -> tuple[int, ...]:
    """The champions that led to the one in force, oldest first: whoever was rolled back is not among them.

    After 1, 2, 3 and back to 2 the line is 1, 2; going back once more means 1, never 3 again.
    """
    line: list[int] = []
    for change in changes:
        champion = change.policy.champion
        if champion in line:
            del line[line.index(champion) :]
        line.append(champion)
    return tuple(line)


def _served(change: Change, evidence: Evidence) -> list[ServedVersion]:
    policy = change.policy
    parts = [(policy.champion, Role.CHAMPION)]
    parts += [(version, Role.CHALLENGER) for version in policy.visible[1:]]
    parts += [(version, Role.SHADOW) for version in policy.shadows]
    return [
        ServedVersion(
            **evidence.of(policy, version, at=change.at).model_dump(), role=role, share=policy.share_of(version)
        )
        for version, role in parts
    ]


def _summary(decision: GateDecision) -> DecisionSummary:
    same = decision.model_dump(include=set(DecisionSummary.model_fields))
    return DecisionSummary(**same, sha256=sha256_of(readable_json(decision.model_dump(mode="json"))))


def _names_a_day(text: str) -> bool:
    return len(text) == len("2026-11-24")


def _day(day: date) -> Period:
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return Period(start=start, end=start + timedelta(days=1))


def _instant(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("no zone")
    return moment.astimezone(UTC)
