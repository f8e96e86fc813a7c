"""Rows and reviews of patients who never were."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.experiment import ArmRow, Declaration
from domain.review import Review
from domain.traffic import Challenger, Role, TrafficPolicy

START = datetime(2026, 1, 1, tzinfo=UTC)
Rows = Callable[..., ArmRow]
Reviews = Callable[..., Review]


@pytest.fixture(scope="session")
def row() -> Rows:
    """A patient of the challenger, 2, or the champion, 1, answered a minute a number after the start."""

    def make(number: int, *, challenger: bool = False, **changed: Any) -> ArmRow:
        version = 2 if challenger else 1
        given = {
            "number": number,
            "task": "chest",
            "prediction_id": f"pr_{number}",
            "study_id": f"st_{number}",
            "patient": f"patient-{number}",
            "assigned": version,
            "answered": version,
            "role": Role.CHALLENGER if challenger else Role.CHAMPION,
            "policy_version": 1,
            "outcome": "done",
            "probability": 0.8,
            "finding_present": True,
            "seconds": 0.2,
            "recorded_at": START + timedelta(minutes=number),
        }
        return ArmRow.model_validate(given | changed)

    return make


@pytest.fixture(scope="session")
def review() -> Reviews:
    """A clinician's reading of the study of that number, so many minutes after the start."""

    def make(number: int, *, present: bool = True, minutes: float | None = None, **changed: Any) -> Review:
        given = {
            "study_id": f"st_{number}",
            "task": "chest",
            "source": "review",
            "finding_present": present,
            "by": "reader",
            "at": START + timedelta(minutes=number + 0.5 if minutes is None else minutes),
        }
        return Review.model_validate(given | changed)

    return make


@pytest.fixture(scope="session")
def declaration() -> Callable[..., Declaration]:
    def make(**changed: Any) -> Declaration:
        given: dict[str, Any] = {
            "task": "chest",
            "champion": 1,
            "challenger": 2,
            "endpoint": "agreement",
            "max_patients": 1000,
            "design": {"kind": "always valid"},
        }
        return Declaration.model_validate(given | changed)

    return make


@pytest.fixture(scope="session")
def policy() -> Callable[..., TrafficPolicy]:
    def make(share: float = 0.2, **changed: Any) -> TrafficPolicy:
        given: dict[str, Any] = {
            "task": "chest",
            "policy_version": 1,
            "champion": 1,
            "challengers": (Challenger(version=2, share=share),),
        }
        return TrafficPolicy(**(given | changed))

    return make
