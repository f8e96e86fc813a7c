"""The audit vocabulary, after FHIR AuditEvent: agent, entity, action, outcome, recorded."""

from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict

from domain.identifiers import Tenant


class AuditAction(StrEnum):
    """What may happen; documented in ``docs/audit.md``."""

    STUDY_RECEIVED = "study.received"
    STUDY_READ = "study.read"
    WORKLIST_READ = "worklist.read"
    PREDICTION_ANSWERED = "prediction.answered"
    PREDICTION_ABSTAINED = "prediction.abstained"
    PREDICTION_REFUSED = "prediction.refused"
    PREDICTION_FAILED = "prediction.failed"
    PREDICTION_READ = "prediction.read"
    TRACE_READ = "trace.read"
    MODEL_PROMOTED = "model.promoted"
    MODEL_REFUSED = "model.refused"
    MODEL_ROLLED_BACK = "model.rolled_back"
    TRAFFIC_CHANGED = "traffic.changed"
    TRAFFIC_READ = "traffic.read"
    VERSION_STOPPED = "version.stopped"
    STOP_RULES_DECLARED = "stop_rules.declared"
    EXPERIMENT_DECLARED = "experiment.declared"
    REVIEW_RECORDED = "review.recorded"
    STUDIES_REPLAYED = "studies.replayed"
    PLAN_REGISTERED = "plan.registered"
    TEST_SET_OPENED = "test_set.opened"
    SIGNER_REGISTERED = "signer.registered"
    RECORD_SIGNED = "record.signed"
    SIGNING_REFUSED = "signing.refused"
    ALIAS_MOVED = "alias.moved"
    HISTORY_READ = "history.read"
    ACCESS_REFUSED = "access.refused"


class AuditEvent(BaseModel):
    """One thing that happened. ``entity`` is an opaque identifier, never a patient's."""

    model_config = ConfigDict(frozen=True)

    tenant: Tenant
    agent: str
    action: AuditAction
    entity: str
    outcome: Literal["success", "failure"]
    recorded: datetime
