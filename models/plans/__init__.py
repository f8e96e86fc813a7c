"""Each task's validation plan and change control plan: YAML documents in a folder of the task's name."""

from pathlib import Path

from domain.errors import NotFound

PLAN_FILE, PCCP_FILE = "plan.yaml", "pccp.yaml"
PLANS = Path("models/plans")  # in the project and in the working copy
FOLDER = Path(__file__).parent


def plan_file(task: str, *, folder: Path = FOLDER) -> Path:
    """Where the validation plan of a task lies, whether it is there or not."""
    return folder / task / PLAN_FILE


def pccp_file(task: str, *, folder: Path = FOLDER) -> Path:
    """Where the change control plan of a task lies, whether it is there or not."""
    return folder / task / PCCP_FILE


def read_file(path: Path) -> bytes:
    """The bytes of one of them.

    Raises:
        NotFound: there is no such document.
    """
    if not path.is_file():
        task = path.parent.name
        raise NotFound(
            f"{task} has no {PLANS / task / path.name}.",
            next_step=f"`fiducial plan scaffold --task {task}` writes one to amend and commit.",
        )
    return path.read_bytes()
