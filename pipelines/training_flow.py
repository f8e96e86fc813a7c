"""Flow: train a task's variants as a DVC stage; a cached stage still names its MLflow runs."""

from typing import TYPE_CHECKING

from prefect import flow

from pipelines.ingest_flow import reproduce
from pipelines.wiring import offline

if TYPE_CHECKING:
    from models.trained import TrainedModel


@flow(name="training")
def train(task: str) -> "list[TrainedModel]":
    """Every trained variant of a task."""
    from models.training import read_trained

    reproduce(f"train@{task}")
    trained = read_trained(offline().store("checkpoints", task))
    if not all(offline().tracking.has_run(model.run_id) for model in trained):
        # The stage was cached but MLflow's database was not kept: results without their runs cannot be traced.
        reproduce(f"train@{task}", force=True)
        trained = read_trained(offline().store("checkpoints", task))
    return trained
