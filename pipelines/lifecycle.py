"""The main job, a flow of flows: images → dataset → plan → trained → validated → promoted → served → traced."""

from prefect import flow

from pipelines import facts, plans, serving_steps
from pipelines.choice import Choice
from pipelines.ingest_flow import ingest
from pipelines.monitoring_flow import monitor
from pipelines.promotion_flow import promote
from pipelines.steps import Steps
from pipelines.training_flow import train
from pipelines.validation_flow import validate
from pipelines.walk import require_verified, walk_back
from pipelines.wiring import offline


@flow(name="lifecycle", validate_parameters=False)
def lifecycle(choice: Choice, *, approver: str, steps: Steps) -> None:
    """Run every step for one task; what each found is appended to ``steps``.

    Raises:
        FiducialError: a step refused; earlier steps keep their results and a second run reuses them.
    """
    with steps.step("data") as results:
        results.append(choice.note)
        results += facts.of_datasets(ingest([choice.source, *choice.external]))
    with steps.step("plan") as results:
        results += facts.of_plan(plans.register(choice.task, by=approver, root=offline()))
    with steps.step("training") as results:
        results += facts.of_training(train(choice.task))
    with steps.step("validation") as results:
        results += facts.of_validation(validate(choice.task, by=approver))
    with steps.step("promotion") as results:
        results += facts.of_promotion(promote(choice.task, approver=approver))
    with steps.step("serving") as results:
        results += serving_steps.wait_until_served(choice.task)
    with steps.step("prediction") as results:
        answer = serving_steps.predict_test_film(choice)
        results += facts.of_prediction(answer)
    with steps.step("trace") as results:
        links = walk_back(answer["prediction_id"], offline())[1]
        require_verified(links)
        results += facts.of_trace(links)
    with steps.step("monitoring") as results:
        sites = serving_steps.send_external_films(choice)
        watch = monitor(choice.task, sites=sites)
        results += facts.of_monitoring(watch.record, report=watch.report)
