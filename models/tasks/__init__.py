"""One file per task; the file's name is the task's name."""

from importlib import import_module
from pkgutil import iter_modules

from domain.errors import UnknownTask
from models.task import Task


def list_tasks() -> list[str]:
    """Names of every task in this folder, sorted."""
    return sorted(module.name for module in iter_modules(__path__))


def get_task(name: str) -> Task:
    """The task defined in ``models/tasks/<name>.py``.

    Raises:
        UnknownTask: there is no such file.
    """
    if name not in list_tasks():
        raise UnknownTask(f"There is no task {name!r}.", next_step=f"Known: {', '.join(list_tasks())}.")
    task: Task = import_module(f"{__name__}.{name}").TASK
    return task.model_copy(update={"name": name})
