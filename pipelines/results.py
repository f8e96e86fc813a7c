"""What the DVC stages left in the working copy, read back."""

from evidence.record import ValidationReport
from models import checkpoints
from models.checkpoints import TrainedModel
from pipelines.wiring import offline


def read_trained(task: str) -> list[TrainedModel]:
    """Every trained variant, the networks first; each model's digest is checked."""
    folder = offline().store("checkpoints", task)
    return [TrainedModel.load(folder / name) for name in checkpoints.variants(folder)]


def read_reports(task: str) -> list[ValidationReport]:
    """The validation report of every trained variant, in the same order."""
    folder = offline().store("reports", task)
    return [
        ValidationReport.model_validate_json((folder / name / "report.json").read_bytes())
        for name in checkpoints.variants(offline().store("checkpoints", task))
    ]
