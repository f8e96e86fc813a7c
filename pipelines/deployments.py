"""The Prefect worker of an installation: ``python -m pipelines.deployments`` registers what it can run, then works.

None of it promotes: Prefect has no sign-in, and an approver must be a known person (``fiducial promote``).
"""

import os
from typing import Any

from prefect import Flow, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.deployments.runner import RunnerDeployment
from prefect.types.entrypoint import EntrypointType
from prefect.workers.process import ProcessWorker

from models.tasks import list_tasks
from pipelines.monitoring_flow import watch
from pipelines.reconciling_flow import reconcile
from pipelines.retraining_flow import retrain
from pipelines.wiring import PROJECT

POOL = "fiducial"
NIGHTLY = "0 3 * * *"  # UTC
EVERY_FIVE_MINUTES = "*/5 * * * *"
IN_WORKING_COPY = "default"  # one flow at a time, because all share one working copy
BESIDE = "reconciling"  # needs no working copy, and must not wait hours for a training


def deployments() -> list[RunnerDeployment]:
    """For every task: a nightly look for drift, a retraining that somebody starts, and aliases compared all day."""
    found = []
    for task in list_tasks():
        found.append(_deployment(watch, task, cron=NIGHTLY))
        found.append(_deployment(retrain, task))
        found.append(_deployment(reconcile, task, cron=EVERY_FIVE_MINUTES, queue=BESIDE))
    return found


def register() -> None:
    """Create or update the pool, its two queues in each of which one flow runs at a time, and what it can run."""
    pool = WorkPoolCreate(
        name=POOL,
        type=ProcessWorker.type,
        base_job_template=ProcessWorker.get_default_base_job_template(),
        concurrency_limit=2,
    )
    with get_client(sync_client=True) as client:
        client.create_work_pool(pool, overwrite=True)
        known = {queue.name: queue.id for queue in client.read_work_queues(work_pool_name=POOL)}
        for queue in (IN_WORKING_COPY, BESIDE):
            if queue in known:
                client.update_work_queue(known[queue], concurrency_limit=1)
            else:
                client.create_work_queue(queue, concurrency_limit=1, work_pool_name=POOL)
    for deployment in deployments():
        deployment.apply()


def main() -> None:
    """Register, then become the worker."""
    register()
    worker = ["prefect", "worker", "start", "--pool", POOL, "--type", ProcessWorker.type, "--with-healthcheck"]
    os.execvp(worker[0], worker)  # noqa: S606


def _deployment(
    flow: Flow[..., Any], task: str, *, cron: str | None = None, queue: str = IN_WORKING_COPY
) -> RunnerDeployment:
    return RunnerDeployment.from_flow(
        flow,
        name=task,
        parameters={"task": task},
        cron=cron,
        work_pool_name=POOL,
        work_queue_name=queue,
        entrypoint_type=EntrypointType.MODULE_PATH,  # by path, Prefect would register a flow's file under a second name
        job_variables={"working_dir": str(PROJECT)},
    )


if __name__ == "__main__":
    main()
