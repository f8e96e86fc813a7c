"""Who served a task when, and who answered a study: from the database alone."""

from typing import Annotated

from fastapi import APIRouter, Query

from domain.audit import AuditAction
from domain.history import Period, StudyHistory, TaskHistory
from domain.identifiers import StudyId
from infra import history
from infra.clock import now
from serving.api.deps import FacadeParts, MayTrace, record_read
from serving.api.openapi import PROTECTED, problems

ROUTER = APIRouter(prefix="/api/v1", tags=["history"], responses={**PROTECTED, **problems(404)})
_AT = "A date (the whole day, UTC) or a time with its zone; a time's + is written %2B. Left away: everything recorded."


@ROUTER.get("/tasks/{task}/history")
def read_task_history(
    task: str,
    facade: FacadeParts,
    principal: MayTrace,
    at: Annotated[str | None, Query(description=_AT)] = None,
) -> TaskHistory:
    """Each policy in force then: its model versions with their evidence, who decided so, and why; oldest first."""
    asked = None if at is None else Period.parse(at, now=now())
    with facade.database.unit_of_work(principal.tenant) as work:
        found = history.of_task(work, task, asked=asked)
        record_read(work, AuditAction.HISTORY_READ, entity=task, by=principal)
    return found


@ROUTER.get("/studies/{study_id}/history")
def read_study_history(study_id: str, facade: FacadeParts, principal: MayTrace) -> StudyHistory:
    """Each answer's model version, threshold, digests, approver and policy; never what it said of the patient."""
    with facade.database.unit_of_work(principal.tenant) as work:
        found = history.of_study(work, StudyId(study_id))
        record_read(work, AuditAction.HISTORY_READ, entity=study_id, by=principal)
    return found
