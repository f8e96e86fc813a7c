"""The worklist resource, from the enhanced level on."""

from typing import Annotated

from fastapi import APIRouter, Query

from domain.audit import AuditAction
from domain.errors import ForbiddenByLevel
from domain.identifiers import StudyId
from serving.api.deps import FacadeParts, MayReadWorklist, record_read
from serving.api.openapi import PROTECTED, problems
from serving.api.schemas import Worklist
from serving.api.views import show_study

ROUTER = APIRouter(prefix="/api/v1/worklist", tags=["worklist"], responses={**PROTECTED, **problems(404)})


@ROUTER.get("")
def read_worklist(
    facade: FacadeParts,
    principal: MayReadWorklist,
    limit: Annotated[int, Query(ge=1, le=100)] = 25,
    before: Annotated[str | None, Query(description="The last study of the page before.")] = None,
) -> Worklist:
    """Studies with their predictions, newest first."""
    if not facade.level.worklist:
        raise ForbiddenByLevel("This level has no worklist.", next_step="Set FIDUCIAL_LEVEL=enhanced.")
    with facade.database.unit_of_work(principal.tenant) as work:
        latest = work.studies.latest(limit, before=StudyId(before) if before else None)
        studies = tuple(show_study(work, study) for study in latest)
        page = f"worklist?limit={limit}" + (f"&before={before}" if before else "")
        record_read(work, AuditAction.WORKLIST_READ, entity=page, by=principal)
    more = f"/api/v1/worklist?limit={limit}&before={studies[-1].study_id}" if len(studies) == limit else None
    return Worklist(studies=studies, next=more)
