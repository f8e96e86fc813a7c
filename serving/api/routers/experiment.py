"""A task's live traffic: what each version does, its stop rules, and the comparison of two of them."""

from fastapi import APIRouter

from domain.audit import AuditAction
from evidence.experiment.live import LiveView, view
from infra import live_traffic
from serving.api.deps import FacadeParts, MayReadTraffic, record_read
from serving.api.openapi import PROTECTED, problems

ROUTER = APIRouter(prefix="/api/v1/tasks", tags=["traffic"], responses={**PROTECTED, **problems(404)})


@ROUTER.get("/{task}/experiment")
def read_experiment(task: str, facade: FacadeParts, principal: MayReadTraffic) -> LiveView:
    """Each version's figures, its stop rules, the newest comparison with its decision, and what the watch did.

    `acts`: the rule stops the version, as soon as the watch has seen it.
    """
    with facade.database.unit_of_work(principal.tenant, read_only=True) as work:
        traffic = live_traffic.read(work, task)
    with facade.database.unit_of_work(principal.tenant) as work:
        record_read(work, AuditAction.TRAFFIC_READ, entity=task, by=principal)
    return view(traffic)
