"""Studies: send one, read one."""

import time
from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Depends, File, Form, Query, Request, Response, UploadFile
from fastapi.routing import APIRoute

from domain.access import Permission
from domain.audit import AuditAction
from domain.errors import EmptyBody, WrongContentType
from domain.identifiers import StudyId, Tenant
from domain.intended_use import ImageAttributes
from serving.api.deps import Facade, FacadeParts, MayRead, MaySend, allowed, record_read
from serving.api.openapi import PROTECTED, problems
from serving.api.schemas import StudyView
from serving.api.views import show_study
from serving.intake import Declared

MAX_WAIT_S = 60
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.01, 0.1
_PROBLEMS = {**PROTECTED, **problems(400, 409, 413, 415, 503)}
Short = Form(max_length=64, description="For PNG and JPEG, recorded as declared; DICOM files speak for themselves.")


class UploadRoute(APIRoute):
    """Settles who sends and what kind of body it is before a byte of the body is read."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The usual handler behind those checks."""
        handler = super().get_route_handler()

        async def checked(request: Request) -> Response:
            if request.method == "POST":
                allowed(request, Permission.SEND_STUDY)
                _require_multipart(request)
            return await handler(request)

        return checked


ROUTER = APIRouter(prefix="/api/v1/studies", tags=["studies"], route_class=UploadRoute)


def declared(
    patient_id: Annotated[str | None, Short] = None,
    modality: Annotated[str | None, Form(max_length=16, examples=["DX"])] = None,
    body_part_examined: Annotated[str | None, Form(max_length=16, examples=["CHEST"])] = None,
    view_position: Annotated[str | None, Form(max_length=16, examples=["PA"])] = None,
    age_years: Annotated[float | None, Form(ge=0, le=150)] = None,
    sex: Annotated[str | None, Form(pattern="^[MFOmfo]?$", description="M, F or O")] = None,
    site: Annotated[str | None, Short] = None,
) -> Declared:
    """What the form states of the images."""
    attributes = ImageAttributes(
        modality=_stated(modality),
        body_part_examined=_stated(body_part_examined),
        view_position=_stated(view_position),
        age_years=age_years,
        sex=_stated(sex),
    )
    return Declared(attributes, patient_id=_as_sent(patient_id), site=_as_sent(site))


@ROUTER.post("", status_code=202, responses={200: {"model": StudyView, "description": "Answered."}, **_PROBLEMS})
def send_study(
    facade: FacadeParts,
    principal: MaySend,
    response: Response,
    files: Annotated[list[UploadFile], File(description="PNG, JPEG or DICOM images of one study.")],
    form: Annotated[Declared, Depends(declared)],
    wait: Annotated[float, Query(ge=0, le=MAX_WAIT_S, description="Seconds to wait for the answers.")] = 0.0,
) -> StudyView:
    """Store a study and ask for its predictions. 202: not all are answered yet; `Location` is the study's address."""
    with facade.upload_slot():
        receipt = facade.intake.receive([file.file.read() for file in files], declared=form, by=principal)
    study = _when_answered(facade, receipt.study_id, tenant=principal.tenant, wait_s=wait)
    response.headers["Location"] = f"/api/v1/studies/{study.study_id}"
    response.status_code = 202 if _is_pending(study) else 200
    return study


@ROUTER.get("/{study_id}", responses={**PROTECTED, **problems(404)})
def read_study(study_id: str, facade: FacadeParts, principal: MayRead) -> StudyView:
    """A study with its instances and predictions."""
    with facade.database.unit_of_work(principal.tenant) as work:
        study = show_study(work, work.studies.get(StudyId(study_id)))
        record_read(work, AuditAction.STUDY_READ, entity=study_id, by=principal)
    return study


def _require_multipart(request: Request) -> None:
    if request.headers.get("content-length") == "0":
        raise EmptyBody("The request has no body.", next_step="Send at least one file in the field 'files'.")
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise WrongContentType("Studies are sent as multipart/form-data.", next_step="See /docs.")


def _when_answered(facade: Facade, study_id: StudyId, *, tenant: Tenant, wait_s: float) -> StudyView:
    deadline = time.monotonic() + wait_s
    pause = _FIRST_PAUSE_S
    while time.monotonic() < deadline and _awaits_answers(facade, study_id, tenant=tenant):
        time.sleep(pause)
        pause = min(pause * 1.3, _LONGEST_PAUSE_S)
    with facade.database.unit_of_work(tenant, read_only=True) as work:
        return show_study(work, work.studies.get(study_id))


def _awaits_answers(facade: Facade, study_id: StudyId, *, tenant: Tenant) -> bool:
    with facade.database.unit_of_work(tenant, read_only=True) as work:
        return any(prediction.state.kind == "pending" for prediction in work.predictions.of_study(study_id))


def _is_pending(study: StudyView) -> bool:
    return any(prediction.state == "pending" for prediction in study.predictions)


def _stated(value: str | None) -> str | None:
    return value.strip().upper() or None if value else None


def _as_sent(value: str | None) -> str | None:
    return value.strip() or None if value else None
