"""Which data a task's main job runs on: the real source when its files are here, else the phantom, and says which."""

from dataclasses import dataclass
from pathlib import Path

from data.obtain import RECEIPT, how_to_get
from data.source import Source
from data.sources import get_source
from domain.errors import DistributionMissing, Refused
from models.tasks import get_task
from pipelines import working_copy
from pipelines.wiring import PROJECT, Offline


@dataclass(frozen=True)
class Choice:
    """One run of the main job."""

    task: str
    source: str
    external: tuple[str, ...]
    preset: str
    note: str


def choose(task_name: str, *, requested: str, preset: str, mirror: Path | None, raw: Path) -> Choice:
    """The task's real source when all of its sources are here, else its substitute; ``requested`` overrides.

    Raises:
        UnknownTask, UnknownSource: no such file.
        NotFound: the task has no such preset.
        Refused: the requested source is for external validation.
        DistributionMissing: the requested source is real and its files are not here.
    """
    task = get_task(task_name)
    task.preset(preset)
    real = (task.source, *task.external_sources)
    missing = [name for name in real if not is_here(get_source(name), mirror=mirror, raw=raw)]
    source = requested or (task.substitute if missing else task.source)
    require_trainable(get_source(source))
    synthetic = get_source(source).card.synthetic
    if missing and not synthetic:
        raise DistributionMissing(
            f"The files of {' and '.join(missing)} are not here.",
            next_step=f"{'. '.join(how_to_get(get_source(name)) for name in missing)}. "
            f"Or use the phantom: --source {task.substitute}.",
        )
    external = task.substitute_externals if synthetic else task.external_sources
    kind = "synthetic films, clearly not patients" if synthetic else "real films"
    note = f"{source} ({kind}); another hospital: {', '.join(external)}"
    return Choice(task_name, source, external, preset, note)


def require_trainable(source: Source) -> None:
    """Do nothing for a source to learn from.

    Raises:
        Refused: it is an external set, which is never trained on.
    """
    if source.card.use == "external":
        raise Refused(
            f"{source.name} is an external set and never trained on.", next_step="Train on one for development."
        )


def choose_here(task_name: str, *, requested: str, preset: str, root: Offline) -> Choice:
    """As ``choose``, for this installation's mirror and fetched files."""
    mirror, raw = root.settings.data_mirror, root.store("raw")
    return choose(task_name, requested=requested, preset=preset, mirror=mirror, raw=raw)


def put_in_copy(choice: Choice, *, root: Offline) -> None:
    """Bring the working copy up to date with the project, and schedule the chosen sources and preset in it."""
    working_copy.refresh(root.copy, project=PROJECT)
    working_copy.choose(
        root.copy, task=choice.task, source=choice.source, external=choice.external, preset=choice.preset
    )


def is_here(source: Source, *, mirror: Path | None, raw: Path) -> bool:
    """True when a source can be prepared without the network."""
    return source.card.synthetic or where(source, mirror=mirror, raw=raw) not in ("", "generator")


def where(source: Source, *, mirror: Path | None, raw: Path) -> str:
    """Where a source's files are: "fetched", "mirror", "generator", or empty when they are not here."""
    if (raw / source.name / RECEIPT).is_file():
        return "fetched"
    if source.card.synthetic:
        return "generator"
    complete = (
        all((mirror / source.name / file.name).is_file() for file in distribution.files)
        for distribution in source.card.distributions
        if mirror is not None and distribution.files
    )
    return "mirror" if any(complete) else ""
