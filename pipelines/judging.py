"""The gate's question put and its answer recorded: one candidate against plan, change control plan and champion."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from domain.audit import AuditAction, AuditEvent
from domain.change_control import GateDecision, RegisteredPlan
from domain.errors import ForbiddenByLevel, Refused
from evidence import gate
from evidence.change import CandidateFacts
from evidence.pccp import read_pccp
from evidence.plan import ValidationPlan, read_plan
from infra.db.session import UnitOfWork
from models.champion import read_champion
from models.plans import PCCP_FILE, PLAN_FILE
from pipelines import plans, signing
from pipelines.wiring import Offline

if TYPE_CHECKING:
    from domain.model_version import ModelManifest
    from domain.traffic import TrafficPolicy
    from pipelines.candidates import Candidate


def require_approver(approver: str, *, root: Offline) -> None:
    """Do nothing where this approver counts.

    Raises:
        ForbiddenByLevel: "demo" approves nothing from the clinical level on.
    """
    if approver == "demo" and not root.settings.limits_of_level.demo_models:
        raise ForbiddenByLevel(
            f"At the {root.settings.level} level 'demo' approves nothing.",
            next_step="Name the signer who approves: --approver NAME.",
        )


def judge(candidate: Candidate, *, by: str, why: str, before: TrafficPolicy | None, root: Offline) -> GateDecision:
    """The gate's decision on a candidate, recorded; the same question asked again gets the recorded answer.

    Raises:
        Refused: the report compares with another champion than the one in force.
        PlanNotRegistered: the plan's bytes are not registered.
        SignatureInvalid: a recorded signature does not belong to the report.
    """
    task, documents = candidate.trained.task, _documents(candidate.trained.task, root)
    with root.database.unit_of_work(root.tenant) as work:
        plan = work.plans.get(task, documents.plan_sha256)
        digests = (candidate.report_sha256, documents.plan_sha256, documents.pccp_sha256)
        for known in reversed(work.decisions.of_version(task, candidate.model_version)):
            if known.verdict == "promote" and (known.report_sha256, known.plan_sha256, known.pccp_sha256) == digests:
                return known
        decision = gate.decide(
            _asked(candidate),
            documents=replace(documents, earlier=_looked_under(candidate, plan, work)),
            champion=_champion(candidate, before, work=work, root=root),
            signatures=gate.Signatures(
                valid=signing.valid_over(candidate.report_sha256, work=work),
                required=not root.settings.limits_of_level.demo_models,
            ),
            decided=gate.Decided(by=by, at=datetime.now(UTC), why=why),
        )
        work.decisions.add(decision)
        if decision.verdict == "refuse":
            work.audit.append(
                AuditEvent(
                    tenant=work.tenant, agent=by, action=AuditAction.MODEL_REFUSED, entity=candidate.model_version,
                    outcome="failure", recorded=decision.decided_at,
                )
            )  # fmt: skip
    return decision


def _documents(task: str, root: Offline) -> gate.Documents:
    plan, plan_sha256 = read_plan(plans.document(task, PLAN_FILE, folder=root.copy), task=task)
    pccp, pccp_sha256 = read_pccp(plans.document(task, PCCP_FILE, folder=root.copy), task=task)
    return gate.Documents(plan=plan, plan_sha256=plan_sha256, pccp=pccp, pccp_sha256=pccp_sha256)


def _looked_under(candidate: Candidate, plan: RegisteredPlan, work: UnitOfWork) -> tuple[ValidationPlan, ...]:
    """The plans under which the candidate's test set was opened before its own was registered."""
    lines = work.ledger.of_dataset(candidate.report.test.dataset_version.digest)
    earlier = dict.fromkeys(line.plan_sha256 for line in lines if line.opened_at < plan.registered_at)
    found = (work.plans.get(plan.task, sha256) for sha256 in earlier if sha256 != plan.sha256)
    return tuple(read_plan(known.content.encode(), task=plan.task)[0] for known in found)


def _asked(candidate: Candidate) -> gate.Candidate:
    trained = candidate.trained
    facts = CandidateFacts.of(
        candidate.report, preprocessing=trained.preprocessing, engine=trained.engine, precision=trained.precision,
        explains=trained.explains,
    )  # fmt: skip
    return gate.Candidate(
        model_version=candidate.model_version,
        report=candidate.report,
        report_sha256=candidate.report_sha256,
        facts=replace(facts, weights_sha256=trained.weights_sha256),  # what was trained, not what the report says
    )


def _champion(
    candidate: Candidate, before: TrafficPolicy | None, *, work: UnitOfWork, root: Offline
) -> ModelManifest | None:
    """The champion that the report compares with: the one in force, unless the candidate is that very model.

    A demonstration is no predecessor of a model trained on real films: that is a first promotion.
    """
    task = candidate.trained.task
    laid_out = read_champion(root.store("champion", task), task=task)
    compared = laid_out.manifest if laid_out else None
    if before is None:
        return compared
    in_force = work.model_versions.get(task, before.champion).manifest
    if in_force.demo and not candidate.report.model.demo:
        return None
    same = in_force.model_sha256 == candidate.trained.model_sha256
    if same or (compared is not None and compared.model_sha256 == in_force.model_sha256):
        return compared
    raise Refused(
        f"The report of {candidate.model_version} does not compare with {in_force.model_version}, which is in force.",
        next_step="Run `fiducial validate` again, then promote.",
    )
