"""The promotion gate: a report held against the validation plan and the change control plan it was made under.

Everything it needs is passed in, so that the same inputs give the same decision. A refusal is data, kept like a
promotion; only documents that do not belong together are an error. The checks themselves stand in ``gate_checks``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from domain.change_control import GateCheck, GateDecision
from domain.electronic_signature import ElectronicSignature
from domain.errors import InvalidPlan
from domain.identifiers import Sha256
from domain.model_version import ModelManifest
from evidence import engine_gate, gate_checks
from evidence.change import CandidateFacts, ChangeKind, changes
from evidence.pccp import ChangeControlPlan
from evidence.plan import ValidationPlan
from evidence.record import ValidationReport


@dataclass(frozen=True, slots=True)
class Candidate:
    """The model version that asks for promotion, e.g. ``chest_xray_pneumonia@3``, with its evidence."""

    model_version: str
    report: ValidationReport
    report_sha256: Sha256  # of report.json, which signatures sign
    facts: CandidateFacts


@dataclass(frozen=True, slots=True)
class Documents:
    """The two plans with the digests of their bytes, as ``read_plan`` and ``read_pccp`` give them."""

    plan: ValidationPlan
    plan_sha256: Sha256  # of the plan that is registered
    pccp: ChangeControlPlan
    pccp_sha256: Sha256
    earlier: Sequence[ValidationPlan] = ()  # under which this test set was opened before the plan was registered


@dataclass(frozen=True, slots=True)
class Signatures:
    """Signatures over the report that have already been verified, and whether this level asks for them."""

    valid: Sequence[ElectronicSignature]
    required: bool


@dataclass(frozen=True, slots=True)
class Decided:
    """Who asks for the decision, when and why."""

    by: str
    at: datetime
    why: str


def decide(
    candidate: Candidate,
    *,
    documents: Documents,
    champion: ModelManifest | None,
    signatures: Signatures,
    decided: Decided,
) -> GateDecision:
    """Promote when every check is met, else refuse; secondary endpoints are reported and never decide.

    Raises:
        InvalidPlan: report, plan, change control plan, candidate and champion are not all of one task.
    """
    _require_one_task(candidate, documents, champion)
    report, plan, pccp = candidate.report, documents.plan, documents.pccp
    kinds = changes(champion, candidate.facts) if champion is not None else ()
    checks = (
        *gate_checks.integrity(
            report, candidate.report_sha256, candidate.facts, plan=plan, plan_sha256=documents.plan_sha256
        ),
        gate_checks.amendment(documents.earlier, plan),
        *gate_checks.endpoints(report, plan, champion=champion),
        *gate_checks.floors(report, plan),
        gate_checks.reuse(report, plan),
        gate_checks.change(kinds, pccp, champion=champion),
        *gate_checks.data(report, pccp, champion=champion),
        *gate_checks.comparisons(report, pccp, champion=champion),
        *engine_gate.engine(report, candidate.facts),
        *gate_checks.signatures(
            signatures.valid, pccp, report_sha256=candidate.report_sha256, required=signatures.required
        ),
    )
    return _decision(candidate, documents, champion, kinds=kinds, checks=checks, decided=decided)


def refusal_text(decision: GateDecision) -> str:
    """Every failed check with value, bound and reason, one a line; of a promotion, that there is none."""
    if decision.verdict == "promote":
        return f"{decision.model_version} may be promoted: all {len(decision.checks)} checks are met."
    lines = [
        f"  {check.name}: found {check.found}; asked: {check.bound}; {check.reason}." for check in decision.failed
    ]  # fmt: skip
    against = f" against {decision.champion}" if decision.champion else ""
    head = f"{decision.model_version} is not promoted{against}: {len(lines)} of {len(decision.checks)} checks fail."
    return "\n".join([head, *lines])


def _decision(
    candidate: Candidate, documents: Documents, champion: ModelManifest | None, *, kinds: tuple[ChangeKind, ...],
    checks: tuple[GateCheck, ...], decided: Decided,
) -> GateDecision:  # fmt: skip
    return GateDecision(
        task=candidate.report.model.task,
        model_version=candidate.model_version,
        variant=candidate.report.model.variant,
        champion=champion.model_version if champion is not None else None,
        verdict="promote" if all(check.met for check in checks) else "refuse",
        changes=tuple(kind.value for kind in kinds),
        checks=checks,
        report_sha256=candidate.report_sha256,
        plan_sha256=documents.plan_sha256,
        pccp_sha256=documents.pccp_sha256,
        decided_by=decided.by,
        decided_at=decided.at,
        why=decided.why,
    )


def _require_one_task(candidate: Candidate, documents: Documents, champion: ModelManifest | None) -> None:
    task = documents.plan.task
    named = {
        "The report": candidate.report.model.task,
        "The change control plan": documents.pccp.task,
        "The candidate": candidate.facts.task,
        "The champion": champion.task if champion is not None else task,
    }
    if candidate.report.planned is not None:
        named["The plan inside the report"] = candidate.report.planned.plan.task
    for what, found in named.items():
        if found != task:
            raise InvalidPlan(
                f"{what} is of the task {found}, the validation plan of {task}.",
                next_step=f"Give the documents of {task}.",
            )
