"""Each task's validation plan and change control plan: YAML documents in a folder of the task's name."""

from pathlib import Path

from domain.errors import PlanNotRegistered
from domain.identifiers import Sha256
from evidence.pccp import ChangeControlPlan, read_pccp
from evidence.plan import ValidationPlan, read_plan

PLAN_FILE, PCCP_FILE = "plan.yaml", "pccp.yaml"
FOLDER = Path(__file__).parent


def plan_file(task: str, *, folder: Path = FOLDER) -> Path:
    """Where the validation plan of a task lies, whether it is there or not."""
    return folder / task / PLAN_FILE


def pccp_file(task: str, *, folder: Path = FOLDER) -> Path:
    """Where the change control plan of a task lies, whether it is there or not."""
    return folder / task / PCCP_FILE


def read_task_plan(task: str, *, folder: Path = FOLDER) -> tuple[ValidationPlan, Sha256]:
    """The validation plan of a task and the digest of its bytes.

    Raises:
        PlanNotRegistered: the task has none.
        InvalidPlan: it does not keep to its schema.
    """
    return read_plan(_bytes(plan_file(task, folder=folder), task), task=task)


def read_task_pccp(task: str, *, folder: Path = FOLDER) -> tuple[ChangeControlPlan, Sha256]:
    """The change control plan of a task and the digest of its bytes.

    Raises:
        PlanNotRegistered: the task has none.
        InvalidPlan: it does not keep to its schema.
    """
    return read_pccp(_bytes(pccp_file(task, folder=folder), task), task=task)


def _bytes(path: Path, task: str) -> bytes:
    if not path.is_file():
        raise PlanNotRegistered(f"{task} has no {path.name}.", next_step="Scaffold one, complete it and register it.")
    return path.read_bytes()
