"""Records of change control: registered plans, openings of a test set, and what the promotion gate decided."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from domain.acceptance import MetricValue
from domain.identifiers import Sha256


class _Record(BaseModel):
    """What every record has in common: it never changes, and says nothing it was not declared to say."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class RegisteredPlan(_Record):
    """A validation plan whose bytes were fixed at a moment: it lies before every opening that names it."""

    task: str
    sha256: Sha256  # of plan.yaml's bytes
    content: str  # those bytes, UTF-8
    registered_by: str
    registered_at: datetime


class OpeningRequest(_Record):
    """What somebody asks of the ledger: a ``TestSetOpening`` before it is granted and numbered."""

    task: str
    dataset_version: str
    dataset_sha256: Sha256
    model_version: str
    model_sha256: Sha256
    plan_sha256: Sha256
    purpose: Literal["validation", "reproduction"]
    opened_by: str
    opened_at: datetime


class TestSetOpening(_Record):
    """One line of the ledger: somebody let one model answer one test set under one registered plan."""

    __test__ = False  # for pytest: this is no test

    number: int  # 1, 2, … in the tenant's ledger
    task: str
    dataset_version: str
    dataset_sha256: Sha256  # digest of the dataset version
    model_version: str  # e.g. "chest_xray_pneumonia/network-seed1"
    model_sha256: Sha256  # of the bytes that were scored
    plan_sha256: Sha256
    purpose: Literal["validation", "reproduction"]
    opened_by: str
    opened_at: datetime


class GateCheck(_Record):
    """One criterion of the gate with the value found, the bound, and the reason in words."""

    name: str  # e.g. "auroc_not_inferior_to_champion", "change_in_plan", "signature_approval"
    kind: Literal[
        "bound", "non_inferiority", "superiority", "subgroup_floor", "calibration", "change", "data", "comparison",
        "signature", "integrity", "reuse",
    ]  # fmt: skip
    bound: str  # e.g. "lower end ≥ 0.800"
    found: str  # e.g. "0.934 (97.5 % one-sided from 0.912), n = 624"
    met: bool
    reason: str
    value: MetricValue | None = None


class GateDecision(_Record):
    """What the gate answered about one candidate, with everything it looked at."""

    task: str
    model_version: str  # the candidate, e.g. "chest_xray_pneumonia@3"
    variant: str
    champion: str | None  # the version in force it was compared with
    verdict: Literal["promote", "refuse"]
    changes: tuple[str, ...]  # kinds of change against the champion
    checks: tuple[GateCheck, ...]
    report_sha256: Sha256
    plan_sha256: Sha256
    pccp_sha256: Sha256
    decided_by: str
    decided_at: datetime
    why: str

    @property
    def failed(self) -> tuple[GateCheck, ...]:
        """The checks that speak against the candidate."""
        return tuple(check for check in self.checks if not check.met)
