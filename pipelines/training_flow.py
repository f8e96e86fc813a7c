"""Flow: train a task's variants as a DVC stage; a cached stage still names its MLflow runs."""

from typing import TYPE_CHECKING

from prefect import flow

from pipelines.ingest_flow import reproduce
from pipelines.results import read_trained
from pipelines.wiring import offline

if TYPE_CHECKING:
    from models.checkpoints import TrainedModel


@flow(name="training")
def train(task: str) -> "list[TrainedModel]":
    """Every trained variant of a task, the networks first."""
    reproduce(f"train@{task}")
    trained = read_trained(task)
    if not all(offline().tracking.is_known(model.run_id) for model in trained):
        # The stage was reused but MLflow's database was not kept: results without their runs cannot be traced.
        reproduce(f"train@{task}", force=True)
        trained = read_trained(task)
    return trained
