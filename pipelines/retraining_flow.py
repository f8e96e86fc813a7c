"""Flow: train and validate a task again on the data of today. Nothing is promoted: that takes a named person."""

from prefect import flow

from pipelines import facts
from pipelines.choice import choose_here, put_in_copy
from pipelines.ingest_flow import ingest
from pipelines.training_flow import train
from pipelines.validation_flow import validate
from pipelines.wiring import offline


@flow(name="retraining")
def retrain(task: str, source: str = "", preset: str = "reference") -> list[str]:
    """What data, training and validation found, one fact a line; ``fiducial promote`` comes after a person has read
    the report.

    Raises:
        FiducialError: a stage refused; what came before is kept and reused.
    """
    choice = choose_here(task, requested=source, preset=preset, root=offline())
    put_in_copy(choice, root=offline())
    datasets = ingest([choice.source, *choice.external])
    trained = train(task)
    reports = validate(task, by="retraining flow")
    return [*facts.of_datasets(datasets), *facts.of_training(trained), *facts.of_validation(reports)]
