"""Flow: validate every trained variant as a DVC stage; the test set answers once per version."""

from typing import TYPE_CHECKING

from prefect import flow

from pipelines.ingest_flow import reproduce
from pipelines.results import read_reports

if TYPE_CHECKING:
    from evidence.record import ValidationReport


@flow(name="validation")
def validate(task: str) -> "list[ValidationReport]":
    """The validation report of every variant, the networks first."""
    reproduce(f"validate@{task}")
    return read_reports(task)
