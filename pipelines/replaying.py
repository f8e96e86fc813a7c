"""Replay: what would have changed, had another model version answered the studies of a period.

Read-only towards the studies: the answers given then stay as they are. What is written is one audit event and the
report, which holds no patient's data and, for the same period and version, always the same bytes.
"""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from domain import study_rule
from domain.audit import AuditAction, AuditEvent
from domain.canonical import canonical_json
from domain.errors import InvalidField, NotFound
from domain.identifiers import Pseudonym, Sha256, StudyId, sha256_of
from domain.model_version import ModelManifest
from domain.prediction import Abstained, Done, Prediction, RefusedPrediction
from domain.replay import NotReplayed, ReplayedStudy, ReplayedVersion, ReplayPeriod, StudyAnswer
from domain.review import Review
from domain.served_model import ServedModel
from evidence.replay import Comparison, compare
from imaging.limits import Limits
from infra.db.base import NAME
from pipelines.bundles import write_whole
from pipelines.replay_scoring import Asked, Rescoring, load_version
from pipelines.wiring import Offline

REPORT, TEXT = "replay.json", "replay.txt"
_PAGE = 256  # studies read from the database at once


class _Frozen(BaseModel):
    """A value that never changes."""

    model_config = ConfigDict(frozen=True)


class Question(_Frozen):
    """Which studies are answered again by whom, on whose request; the newest ``limit`` of them where one is set."""

    task: str
    version: int
    period: ReplayPeriod
    limit: int | None = None
    by: str


class ReplayReport(_Frozen):
    """Everything a replay found. Its canonical JSON is the file, whose digest the audit trail keeps."""

    schema_version: Literal[1] = 1
    question: Question
    version: ReplayedVersion
    answered_then: dict[str, int]  # studies by who answered them; "refused" for those nobody may answer
    without_answer: dict[str, int]  # studies left out: still pending, or failed
    comparison: Comparison
    studies: tuple[ReplayedStudy, ...]
    not_replayed: tuple[NotReplayed, ...]

    def canonical(self) -> bytes:
        """The bytes of the file."""
        return canonical_json(self.model_dump(mode="json")) + b"\n"


@dataclass(frozen=True)
class Replayed:
    """A report, its digest, and how fast it came."""

    report: ReplayReport
    sha256: Sha256
    images: int
    seconds: float
    content: bytes = field(repr=False)


def replay(question: Question, *, root: Offline, now: datetime, decoders: int) -> Replayed:
    """Answer the studies again and compare; the audit event is written, the report is not yet.

    Raises:
        InvalidField: nobody is named, the period is empty, or the limit is no number of studies.
        UnknownModelVersion: the version is not registered here.
        NotFound: no study of that task was answered in the period.
        ModelUnavailable, IntegrityViolation: the version's Bento is gone, altered or fails its self-test.
    """
    _require(question)
    with root.database.unit_of_work(root.tenant, read_only=True) as work:
        manifest, bento = work.model_versions.get(question.task, question.version)
    loaded = load_version(manifest, Path(bento), threads=root.settings.threads)
    chosen, without = _chosen(question, root)
    rescoring = Rescoring(
        loaded, read=lambda sha256: root.objects.get(root.tenant, sha256), limits=_limits(root), threads=decoders
    )
    began = time.monotonic()
    studies, lost = _answered_again(rescoring, chosen, manifest=manifest, root=root)
    seconds = time.monotonic() - began
    report = ReplayReport(
        question=question,
        version=_identity(manifest),
        answered_then=dict(Counter(_by_whom(one) for one in chosen)),
        without_answer=without,
        comparison=compare(studies, _reviews(question.task, root)),
        studies=tuple(studies),
        not_replayed=tuple(lost),
    )
    content = report.canonical()
    sha256 = sha256_of(content)
    _audit(question, sha256, root=root, now=now)
    return Replayed(report, sha256, rescoring.images, seconds, content)


def write(found: Replayed, folder: Path, *, text: str) -> Path:
    """Write the report and its readable form, each whole or not at all; the report last. Where it lies."""
    write_whole(folder / TEXT, text.encode())
    write_whole(folder / REPORT, found.content)
    return folder / REPORT


def _require(question: Question) -> None:
    if not 0 < len(question.by.strip()) <= NAME:
        raise InvalidField(f"--by must have 1 to {NAME} characters.", next_step="Name the person who asks for it.")
    if not question.period.since < question.period.until:
        raise InvalidField("--until does not lie after --since.", next_step="Name a period that has a length.")
    if question.limit is not None and question.limit < 1:
        raise InvalidField("--limit must be at least 1.", next_step="Leave it away for all studies.")


def _chosen(question: Question, root: Offline) -> tuple[list[Prediction], dict[str, int]]:
    """The last answer of each study in the period, oldest first, and how many studies have none, by their state."""
    last: dict[StudyId, Prediction] = {}
    for prediction in _predictions(question, root):
        before = last.get(prediction.study_id)
        if before is None or _is_answer(prediction) or not _is_answer(before):
            last.pop(prediction.study_id, None)  # so that the newest study stands last
            last[prediction.study_id] = prediction
    answered = [one for one in last.values() if _is_answer(one)]
    without: Counter[str] = Counter(one.state.kind for one in last.values() if not _is_answer(one))
    if not answered:
        raise NotFound(
            f"No study of {question.task} was answered from {question.period.since.isoformat()} "
            f"until {question.period.until.isoformat()}.",
            next_step="Name an earlier --since.",
        )
    return answered[-question.limit :] if question.limit else answered, dict(without)


def _predictions(question: Question, root: Offline) -> Iterator[Prediction]:
    page: tuple[Prediction, ...] = ()
    while True:
        with root.database.unit_of_work(root.tenant, read_only=True) as work:
            page = work.predictions.asked_for(
                question.task, since=question.period.since, until=question.period.until,
                after=page[-1] if page else None, limit=_PAGE,
            )  # fmt: skip
        yield from page
        if len(page) < _PAGE:
            return


def _is_answer(prediction: Prediction) -> bool:
    return isinstance(prediction.state, Done | Abstained | RefusedPrediction)


def _answered_again(
    rescoring: Rescoring, chosen: list[Prediction], *, manifest: ModelManifest, root: Offline
) -> tuple[list[ReplayedStudy], list[NotReplayed]]:
    patients: dict[Pseudonym, int] = {}
    studies, lost = [], []
    for asked, answer in rescoring.answers(_asked(chosen, manifest=manifest, root=root)):
        if isinstance(answer, NotReplayed):
            lost.append(answer)
            continue
        studies.append(
            ReplayedStudy(
                study_id=asked.study.study_id,
                prediction_id=asked.prediction.prediction_id,
                patient=patients.setdefault(asked.study.patient, len(patients) + 1),
                requested_at=asked.prediction.requested_at,
                then=_then(asked.prediction),
                now=answer,
            )
        )
    return studies, lost


def _asked(chosen: list[Prediction], *, manifest: ModelManifest, root: Offline) -> Iterator[Asked]:
    """A page of studies at a time, with what the version's own intended use says of them."""
    for first in range(0, len(chosen), _PAGE):
        with root.database.unit_of_work(root.tenant, read_only=True) as work:
            page = [(one, work.studies.get(one.study_id)) for one in chosen[first : first + _PAGE]]
        for prediction, study in page:
            state = prediction.state
            stated = not isinstance(state, RefusedPrediction) or study_rule.patient_was_stated(state.reasons)
            yield Asked(prediction, study, study_rule.refusals(study, manifest.intended_use, patient_stated=stated))


def _then(prediction: Prediction) -> StudyAnswer:
    state = prediction.state
    if isinstance(state, Done):
        outcome: Literal["present", "absent"] = "present" if state.finding_present else "absent"
        return StudyAnswer(outcome=outcome, model_version=state.model_version, probability=state.probability)
    if isinstance(state, Abstained):
        return StudyAnswer(outcome="abstained", model_version=state.model_version, reasons=state.reasons)
    return StudyAnswer(
        outcome="refused", model_version=None, reasons=state.reasons if isinstance(state, RefusedPrediction) else ()
    )


def _by_whom(prediction: Prediction) -> str:
    state = prediction.state
    return state.model_version if isinstance(state, Done | Abstained) else "refused"


def _identity(manifest: ModelManifest) -> ReplayedVersion:
    return ReplayedVersion(
        model_version=manifest.model_version,
        variant=manifest.variant,
        demo=manifest.demo,
        threshold=manifest.operating_point.threshold,
        engine=manifest.engine,
        precision=manifest.precision,
        model_sha256=manifest.model_sha256,
        weights_sha256=manifest.weights_sha256,
        manifest_sha256=ServedModel.of(manifest).manifest_sha256,
        dataset_version=manifest.dataset_version.name,
        dataset_digest=manifest.dataset_version.digest,
    )


def _limits(root: Offline) -> Limits:
    wanted = root.settings
    return Limits(max_bytes=wanted.max_upload_bytes, max_pixels=wanted.max_pixels, min_side_px=wanted.min_side_px)


def _reviews(task: str, root: Offline) -> tuple[Review, ...]:
    with root.database.unit_of_work(root.tenant, read_only=True) as work:
        return work.reviews.of_task(task)


def _audit(question: Question, sha256: Sha256, *, root: Offline, now: datetime) -> None:
    with root.database.unit_of_work(root.tenant) as work:
        work.audit.append(
            AuditEvent(
                tenant=work.tenant, agent=question.by.strip(), action=AuditAction.STUDIES_REPLAYED,
                entity=f"{question.task}@{question.version} replay {sha256}", outcome="success", recorded=now,
            )
        )  # fmt: skip
