"""Flow: validate every trained variant as a DVC stage, under a registered plan and with a line in the ledger."""

from typing import TYPE_CHECKING

from prefect import flow

from pipelines import plans, validating
from pipelines.ingest_flow import reproduce
from pipelines.results import read_reports
from pipelines.wiring import offline

if TYPE_CHECKING:
    from evidence.record import ValidationReport


@flow(name="validation")
def validate(task: str, by: str) -> "list[ValidationReport]":
    """The validation report of every variant, the networks first; ``by`` opens the test set."""
    plans.bring(task, offline().copy)
    validating.get_ready(task, by=by, root=offline())
    reproduce(f"validate@{task}")
    return read_reports(task)
