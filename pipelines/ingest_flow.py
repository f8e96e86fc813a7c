"""Flow: obtain and prepare each source as a DVC stage, then check every byte of the dataset versions."""

from prefect import flow, task

from data import versions
from domain.dataset import DatasetVersion
from pipelines.wiring import offline


@task(name="reproduce", task_run_name="{stage}")
def reproduce(stage: str, *, force: bool = False) -> bool:
    """Run one DVC stage when it is stale; True when it ran, False when its results were reused."""
    return offline().reproduce(stage, force=force)


@flow(name="ingest")
def ingest(sources: list[str]) -> list[DatasetVersion]:
    """The dataset versions of the sources, in their order."""
    for source in sources:
        reproduce(f"obtain@{source}")
        reproduce(f"prepare@{source}")
    return [versions.verify(offline().store("prepared", source)) for source in sources]
