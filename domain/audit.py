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
    PREDICTION_REFUSED = "prediction.refused"
    PREDICTION_FAILED = "prediction.failed"
    PREDICTION_READ = "prediction.read"
    TRACE_READ = "trace.read"
    MODEL_PROMOTED = "model.promoted"
    TRAFFIC_CHANGED = "traffic.changed"
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
