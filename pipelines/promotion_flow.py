"""Flow: promote a task's validated variants."""

from prefect import flow

from pipelines import plans, promotion
from pipelines.promotion import Promotion
from pipelines.wiring import offline


@flow(name="promotion")
def promote(task: str, *, approver: str) -> Promotion:
    """Register, judge, package, record, and put the policy in force."""
    plans.bring(task, offline().copy)
    return promotion.put_in_force(task, approver=approver, root=offline())
