"""What the DVC stages left in the working copy, read back."""

from pathlib import Path

from pydantic import ValidationError

from domain.errors import NotFound
from domain.identifiers import Sha256, sha256_of
from evidence.record import ValidationReport
from models import checkpoints
from models.checkpoints import TrainedModel
from models.tasks import get_task
from pipelines.wiring import offline


def read_trained(task: str) -> list[TrainedModel]:
    """Every trained variant, the networks first; each model's digest is checked.

    Raises:
        UnknownTask: there is no such task.
        NotFound: nothing was trained yet, or a model's file is gone.
        DigestMismatch: a model is another than its record names.
    """
    folder = offline().store("checkpoints", get_task(task).name)
    names = checkpoints.variants(folder)
    if not names:
        raise NotFound(f"Nothing is trained yet for {task}.", next_step="Run `fiducial train`.")
    try:
        return [TrainedModel.load(folder / name) for name in names]
    except FileNotFoundError as error:
        gone = Path(error.filename)
        raise NotFound(f"{task}/{gone.parent.name} has no {gone.name}.", next_step="Run `fiducial train`.") from None


def read_reports(task: str) -> list[ValidationReport]:
    """The validation report of every trained variant, in the same order.

    Raises:
        UnknownTask: there is no such task.
        NotFound: nothing was trained yet, or a variant was not validated as it is now: what lies there, if anything, is
            the report of an earlier training or the phantom's, which git holds.
    """
    reports = []
    for trained in read_trained(task):
        file = offline().store("reports", task, trained.variant, "report.json")
        report = _report(file)
        if report is None or report.provenance.model_sha256 != trained.model_sha256:
            raise NotFound(
                f"{task}/{trained.variant} is trained but not validated yet.", next_step="Run `fiducial validate`."
            )
        reports.append(report)
    return reports


def _report(file: Path) -> ValidationReport | None:
    """The report in a file; ``None`` where there is none, or one of an earlier schema, which proves nothing today."""
    try:
        return ValidationReport.model_validate_json(file.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def report_digest(task: str, variant: str) -> Sha256:
    """SHA-256 of a variant's ``report.json``."""
    return sha256_of(offline().store("reports", task, variant, "report.json").read_bytes())
