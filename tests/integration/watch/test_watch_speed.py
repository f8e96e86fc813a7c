"""A watch over many patients keeps its pace: a fault is seen within a second or two of the row that settles it."""

import time
from typing import Any

import pytest

from domain.identifiers import DEFAULT_TENANT
from infra.db.arm_rows import ArmRowRow
from infra.db.base import Base

Ward = Any  # see conftest.py
ROWS = 50_000
FAILED: dict[str, Any] = {"outcome": "failed", "answered": None, "probability": None, "finding_present": None}
pytestmark = pytest.mark.slow


def fill(ward: Ward) -> None:
    """So many patients, half of them the challenger's, in one statement."""
    rows = [ward.row(1 + number % 2) for number in range(ROWS)]
    values = [
        {"tenant": DEFAULT_TENANT, **row.model_dump(), "number": number} for number, row in enumerate(rows, start=1)
    ]
    with ward.database.engine.begin() as connection:
        connection.execute(Base.metadata.tables[ArmRowRow.__tablename__].insert(), values)


def test_a_poll_with_50_000_rows_takes_less_than_the_pause_between_two_of_them(ward: Ward) -> None:
    policy = ward.serve(1, v2=0.5)
    ward.row = _quick(ward, policy)
    fill(ward)
    assert _seconds(ward) < 20  # a watch that starts reads them all, once
    assert _seconds(ward) < 0.2  # nothing new
    ward.answer(2, 10)
    new = _seconds(ward)
    ward.answer(2, 400, **FAILED)
    began = time.perf_counter()
    (event,) = ward.watch.poll()
    acting = time.perf_counter() - began
    assert event.version == 2
    assert max(new, acting) < 2


def _quick(ward: Ward, policy: Any) -> Any:
    """As ``Ward.row``, without asking the database for the policy 50,000 times."""
    make = type(ward).row

    class Same:
        def __init__(self) -> None:
            self.policy, self.patients, self.clock = policy, ward.patients, ward.clock

    same = Same()
    return lambda version, **changes: make(same, version, **changes)


def _seconds(ward: Ward) -> float:
    began = time.perf_counter()
    ward.watch.poll()
    return time.perf_counter() - began
