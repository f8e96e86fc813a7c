"""Flow: MLflow's aliases against the policies in force; a moved one fails the run, so that it shows in Prefect too."""

from datetime import UTC, datetime

from prefect import State, flow
from prefect.states import Completed

from domain.errors import UnknownTask
from infra import logs
from pipelines import reconciling
from pipelines.reconciling import Reconciled
from pipelines.wiring import offline


@flow(name="reconciling")
def reconcile(task: str) -> "State[tuple[Reconciled, ...]]":
    """Compare, alarm and write back the aliases of one task; one that has no policy yet has none to compare.

    Raises:
        AliasMoved: an alias said another version than the policy in force.
    """
    root = offline()
    logs.configure(level=root.settings.log_level)
    try:
        found = reconciling.reconcile(root, now=datetime.now(UTC), task=task)
    except UnknownTask as nothing_yet:
        return Completed(name="NothingToCompare", message=str(nothing_yet))
    reconciling.require_unmoved(found)
    return Completed(message="; ".join(map(str, found)))
