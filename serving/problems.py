"""Problem documents (RFC 9457): the one table from error class to HTTP status, read by facade and gateway alike."""

from collections.abc import Mapping
from typing import Any

from domain import errors
from domain.error_codes import error_with_code

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:fiducial:problem:"


class MethodNotAllowed(errors.BadInput):
    """The address exists but does not take this method."""

    code = "method-not-allowed"


class NotPermitted(errors.Refused):
    """Who asks is known but has no right to this."""

    code = "not-permitted"


# The nearest class upwards decides, so a new error has the status of its branch until it is given its own.
STATUS: Mapping[type[errors.FiducialError], int] = {
    errors.FiducialError: 500,
    errors.BadInput: 400,
    errors.UnsupportedFormat: 415,
    errors.WrongContentType: 415,
    errors.ImageTooLarge: 413,
    errors.UnreadableImage: 422,
    errors.ImageTooSmall: 422,
    errors.UnsupportedImageKind: 422,
    errors.InvalidField: 422,
    MethodNotAllowed: 405,
    errors.NotFound: 404,
    errors.Refused: 403,
    errors.NotAuthenticated: 401,
    errors.TooManyAttempts: 429,
    errors.Conflict: 409,
    errors.CriteriaNotMet: 409,
    errors.ParityNotMet: 409,
    errors.PlanNotRegistered: 409,
    errors.DataProblem: 500,
    errors.IntegrityViolation: 500,
    errors.Unavailable: 503,
}


def status_of(error: type[errors.FiducialError]) -> int:
    """The HTTP status of an error class."""
    return next(STATUS[ancestor] for ancestor in error.__mro__ if ancestor in STATUS)


def problem(error: errors.FiducialError, **members: Any) -> dict[str, Any]:
    """The problem document of an error, with extension members."""
    return {
        "type": TYPE_PREFIX + error.code,
        "title": (type(error).__doc__ or type(error).__name__).splitlines()[0],
        "status": status_of(type(error)),
        "detail": error.what,
        "code": error.code,
        **({"next_step": error.next_step} if error.next_step else {}),
        **members,
    }


def retry_after(error: errors.FiducialError) -> dict[str, str]:
    """The header that says in how many seconds it is worth to ask again; nothing where that does not help."""
    if isinstance(error, errors.Overloaded):
        return {"Retry-After": "1"}
    return {"Retry-After": "5"} if isinstance(error, errors.Unavailable) else {}


def error_from(document: Mapping[str, Any]) -> errors.FiducialError:
    """The error a problem document tells of; one we do not know counts as Unavailable."""
    kind = error_with_code(str(document.get("code"))) or errors.Unavailable
    return kind(str(document.get("detail", kind.__doc__)), next_step=str(document.get("next_step", "")))
