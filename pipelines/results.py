"""What the DVC stages left in the working copy, read back."""

from domain.errors import NotFound
from evidence.record import ValidationReport
from models import checkpoints
from models.checkpoints import TrainedModel
from models.tasks import get_task
from pipelines.wiring import offline


def read_trained(task: str) -> list[TrainedModel]:
    """Every trained variant, the networks first; each model's digest is checked.

    Raises:
        UnknownTask: there is no such task.
        NotFound: nothing was trained yet.
    """
    folder = offline().store("checkpoints", get_task(task).name)
    names = checkpoints.variants(folder)
    if not names:
        raise NotFound(f"Nothing is trained yet for {task}.", next_step="Run `fiducial train`.")
    return [TrainedModel.load(folder / name) for name in names]


def read_reports(task: str) -> list[ValidationReport]:
    """The validation report of every trained variant, in the same order.

    Raises:
        NotFound: a variant was not validated yet.
    """
    names = checkpoints.variants(offline().store("checkpoints", task))
    files = [offline().store("reports", task, name, "report.json") for name in names]
    if not all(file.is_file() for file in files):
        raise NotFound(f"{task} is trained but not validated yet.", next_step="Run `fiducial validate`.")
    return [ValidationReport.model_validate_json(file.read_bytes()) for file in files]
