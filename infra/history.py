"""Time travel over the database alone: who served a task when, and who answered a study. One place for all who ask."""

from datetime import datetime

from domain.errors import IntegrityViolation, UnknownTask
from domain.history import (
    Answer,
    Change,
    Evidence,
    Period,
    ServingRecord,
    StudyHistory,
    TaskHistory,
    answer_of,
    serving_records,
)
from domain.identifiers import StudyId
from domain.prediction import Concluded, Prediction
from infra.db.session import UnitOfWork

_NO_POLICY = 0  # what the demo classifier's answers say: it serves while a task has no policy


def history(work: UnitOfWork, task: str) -> tuple[ServingRecord, ...]:
    """Every policy the task has had, oldest first, each until the next.

    Raises:
        UnknownTask: the task has never had one in this tenant.
    """
    changes = work.traffic.history(task)
    if not changes:
        known = ", ".join(policy.task for policy in work.traffic.all_current())
        raise UnknownTask(
            f"No model version of a task {task!r} was ever put into service here.",
            next_step=f"Known: {known}." if known else "`fiducial promote` puts the first one into service.",
        )
    return serving_records(changes, _evidence(work, task))


def served_on(work: UnitOfWork, task: str, at: datetime) -> ServingRecord | None:
    """The record in force at a moment; None before the task's first policy. Raises as ``history``."""
    found = [record for record in history(work, task) if record.served_during(Period.instant(at))]
    return found[-1] if found else None


def of_task(work: UnitOfWork, task: str, *, asked: Period | None) -> TaskHistory:
    """Every record in force at some moment of the period, or all of them. Raises as ``history``."""
    records = history(work, task)
    return TaskHistory(
        task=task, asked=asked, records=tuple(one for one in records if asked is None or one.served_during(asked))
    )


def answered(work: UnitOfWork, study_id: StudyId) -> tuple[Answer, ...]:
    """Every answer to a study, and every abstention, with the version, evidence and policy behind it; oldest first.

    The policy is the one the answer names: the gateway may still follow the one before for a second after a change.

    Raises:
        UnknownStudy: this tenant has no such study.
        IntegrityViolation: an answer names a policy or version that is not on record.
    """
    work.studies.get(study_id)
    return tuple(
        _answer(work, prediction, prediction.state)
        for prediction in work.predictions.of_study(study_id)
        if isinstance(prediction.state, Concluded)
    )


def of_study(work: UnitOfWork, study_id: StudyId) -> StudyHistory:
    """``answered``, as it is shown and sent."""
    return StudyHistory(study_id=study_id, answers=answered(work, study_id))


def _answer(work: UnitOfWork, prediction: Prediction, state: Concluded) -> Answer:
    task = state.model_version.rpartition("@")[0]
    return answer_of(prediction, state, change=_change(work, task, state), evidence=_evidence(work, task))


def _change(work: UnitOfWork, task: str, state: Concluded) -> Change | None:
    if state.policy_version == _NO_POLICY:
        return None
    named = (one for one in work.traffic.history(task) if one.policy.policy_version == state.policy_version)
    found = next(named, None)
    if found is None:
        raise IntegrityViolation(
            f"An answer of {state.model_version} names policy {state.policy_version}, which is not on record.",
            next_step="Keep the database as it is and compare with a backup.",
        )
    return found


def _evidence(work: UnitOfWork, task: str) -> Evidence:
    manifests = {one.manifest.version: one.manifest for one in work.model_versions.list(task)}
    return Evidence(
        manifests=manifests,
        decisions=work.decisions.list(task),
        files={version: work.evidence_files.of_version(task, version) for version in manifests},
    )
