"""Who answers which patients of a task: the policy in force, every policy before, and a change."""

from fastapi import APIRouter

from domain.audit import AuditAction
from infra import traffic_changes
from infra.clock import now
from serving.api.deps import FacadeParts, MayChangeTraffic, MayReadTraffic, record_read
from serving.api.openapi import PROTECTED, problems
from serving.api.schemas_traffic import TrafficBody, TrafficHistory, TrafficView, traffic_history, traffic_view

ROUTER = APIRouter(
    prefix="/api/v1/tasks/{task}/traffic", tags=["traffic"], responses={**PROTECTED, **problems(404)}
)  # fmt: skip


@ROUTER.get("")
def read_traffic(task: str, facade: FacadeParts, principal: MayReadTraffic) -> TrafficView:
    """The policy in force: who answers whom, who decided so, when and why."""
    with facade.database.unit_of_work(principal.tenant) as work:
        traffic_changes.in_force(work, task)
        record_read(work, AuditAction.TRAFFIC_READ, entity=task, by=principal)
        return traffic_view(work.traffic.history(task)[-1])


@ROUTER.get("/history")
def read_traffic_history(task: str, facade: FacadeParts, principal: MayReadTraffic) -> TrafficHistory:
    """Every policy the task has had, oldest first."""
    with facade.database.unit_of_work(principal.tenant) as work:
        traffic_changes.in_force(work, task)
        record_read(work, AuditAction.TRAFFIC_READ, entity=task, by=principal)
        return traffic_history(task, work.traffic.history(task))


@ROUTER.put("", responses=problems(409, 500, 503))
def change_traffic(task: str, body: TrafficBody, facade: FacadeParts, principal: MayChangeTraffic) -> TrafficView:
    """A new policy, in force within two seconds; the fewest patients move to another version.

    Refused as a conflict where another policy than `follows` is in force by now. Where that one says the same already,
    it stays and is the answer.
    """
    request, level = body.request(), facade.level
    with facade.database.unit_of_work(principal.tenant) as work:
        traffic_changes.amend(work, task, request, by=principal.name, why=body.why, at=now(), level=level)
        return traffic_view(work.traffic.history(task)[-1])
