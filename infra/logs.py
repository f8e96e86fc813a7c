"""Logs as JSON lines on standard error. No patient data: values that are not plain, and names of patients, stay out."""

import logging
import sys
import types
from collections.abc import Mapping, MutableMapping
from datetime import date
from enum import Enum
from pathlib import Path
from typing import Any

import structlog

WITHHELD = "[withheld]"

# PS3.15 Table E.1-1 in our spelling: keys whose value would name a patient.
_NAMES_A_PATIENT = frozenset(
    {
        "patient", "patient_id", "patient_name", "patient_birth_date", "birth_date", "accession_number", "person_name",
        "patientid", "patientname", "patientbirthdate", "accessionnumber", "other_patient_ids",
        "referring_physician_name", "password", "authorization", "token",
    }
)  # fmt: skip

_PLAIN = (str, int, float, bool, type(None), date, Enum, Path)

_SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def withhold(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replaces what must not be logged; the last safeguard, after the lint on log calls."""
    for key, value in event.items():
        if key == "exc_info" or key.startswith("_"):
            continue
        event[key] = WITHHELD if key.lower() in _NAMES_A_PATIENT else _plain(value)
    return event


def configure(*, level: str = "INFO") -> None:
    """Sends our own and the libraries' log lines through one JSON formatter."""
    structlog.configure(
        processors=[*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=False,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_SHARED,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            _exception_without_values,
            withhold,
            structlog.processors.JSONRenderer(default=str),
        ],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    logging.raiseExceptions = False  # a line that cannot be formatted is dropped, not printed with its arguments


def get(name: str) -> Any:
    """A logger: ``get(__name__).info("study.received", study_id=…)``."""
    return structlog.stdlib.get_logger(name)


def _plain(value: Any) -> Any:
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    return f"<{type(value).__name__}>"


def _exception_without_values(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Where it happened and of what type; a foreign exception's message may quote the data."""
    info = event.pop("exc_info", None)
    if info is True:
        info = sys.exc_info()
    if isinstance(info, BaseException):
        info = (type(info), info, info.__traceback__)
    if not info or info[0] is None:
        return event
    event["exception"] = info[0].__name__
    event["code"] = getattr(info[1], "code", None)
    event["where"] = _frames(info[2])
    return event


def _frames(traceback: types.TracebackType | None) -> list[str]:
    frames = []
    while traceback is not None:
        code = traceback.tb_frame.f_code
        frames.append(f"{Path(code.co_filename).name}:{traceback.tb_lineno} {code.co_name}")
        traceback = traceback.tb_next
    return frames
