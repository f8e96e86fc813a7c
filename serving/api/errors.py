"""Errors as problem documents: every answer with a status of 400 or more is one."""

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from domain import errors
from infra import logs
from serving.api.deps import get_facade
from serving.problems import MEDIA_TYPE, MethodNotAllowed, NotPermitted, problem
from serving.throttle import WINDOW_S

log = logs.get(__name__)

_BY_STATUS: dict[int, tuple[type[errors.FiducialError], str]] = {
    400: (errors.BadInput, "The request cannot be read."),
    401: (errors.NotAuthenticated, "Sign in first."),
    403: (NotPermitted, "This is not allowed."),
    404: (errors.NotFound, "There is nothing at this address."),
    405: (MethodNotAllowed, "This address does not take that method."),
    413: (errors.ImageTooLarge, "The upload is larger than the limit."),
    415: (errors.WrongContentType, "This content type is not taken here."),
}


def problem_response(error: errors.FiducialError, *, headers: dict[str, str] | None = None, **members: Any) -> Response:
    """The problem document of an error as a response."""
    document = problem(error, **members)
    fixed = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return JSONResponse(document, document["status"], headers={**fixed, **(headers or {})}, media_type=MEDIA_TYPE)


def add_error_handlers(app: FastAPI) -> None:
    """Answer every error of the application with a problem document."""
    app.add_exception_handler(errors.FiducialError, _on_known)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_framework)
    app.add_exception_handler(Exception, _on_defect)


async def _on_known(request: Request, error: Exception) -> Response:
    if not isinstance(error, errors.FiducialError):
        return await _on_defect(request, error)
    headers: dict[str, str] = {}
    if isinstance(error, errors.NotAuthenticated | errors.TooManyAttempts | NotPermitted):
        await get_facade(request).refusals.record(request, error)
    if isinstance(error, errors.TooManyAttempts):
        headers["Retry-After"] = str(WINDOW_S)
    if isinstance(error, errors.NotAuthenticated):
        headers["WWW-Authenticate"] = _challenge(request)
    if isinstance(error, errors.Unavailable):
        headers["Retry-After"] = "5"
    return problem_response(error, headers=headers)


def _challenge(request: Request) -> str:
    challenge = get_facade(request).authenticator.challenge
    # A browser that sees "Basic" on a script's request opens its own dialogue over the page.
    own_page = request.headers.get("X-Requested-With") == "fiducial-page"
    return challenge.replace("Basic ", "PageBasic ", 1) if own_page else challenge


async def _on_invalid_request(request: Request, error: Exception) -> Response:
    details: Sequence[Any] = error.errors() if isinstance(error, RequestValidationError) else ()
    # Place and rule only: the value itself may be a patient's.
    fields = [{"field": ".".join(str(part) for part in detail["loc"]), "rule": detail["msg"]} for detail in details]
    places = ", ".join(field["field"] for field in fields)
    invalid = errors.InvalidField(f"Not valid: {places}.", next_step="Correct these fields and send again.")
    return problem_response(invalid, errors=fields)


async def _on_framework(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    kind, what = _BY_STATUS.get(
        status, (errors.FiducialError if status >= 500 else errors.BadInput, "The request failed.")
    )
    allow = (getattr(error, "headers", None) or {}).get("Allow")
    return problem_response(kind(what), headers={"Allow": allow} if allow else None)


async def _on_defect(request: Request, error: Exception) -> Response:
    log.error("request.defect", exc_info=error)
    return problem_response(errors.FiducialError("Something went wrong on our side; it is in the log."))
