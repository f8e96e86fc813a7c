"""From validated variants to served versions: register, judge, package, record, and put the policy in force.

The networks and the baseline each become a registered version. The gate judges every network; its decision is recorded
whether it promotes or refuses. The first network becomes champion when the gate promotes it; another network that it
promotes is a challenger for a share of patients; the rest are shadows, computed and never shown.

The traffic policy decides who serves; MLflow's aliases say the same and are written after it. Before the first policy
nobody serves, so the candidate is named challenger while it is judged, and stays that when it is refused. Under a
policy the aliases are the policy's, and a candidate gets none until the gate has promoted it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from domain.change_control import GateDecision
from domain.errors import CriteriaNotMet, Refused
from domain.model_version import ModelManifest
from domain.traffic import Challenger, Mode, TrafficPolicy
from evidence.gate import refusal_text
from infra import traffic_changes
from models import registry
from models.packaging import PackagedBento, build_bento
from models.tasks import get_task
from pipelines import judging, kept_evidence, reconciling
from pipelines.candidates import Candidate, candidates
from pipelines.wiring import Offline

CHALLENGER_SHARE = 0.2


@dataclass(frozen=True)
class Promotion:
    """What a promotion decided."""

    policy: TrafficPolicy
    manifests: tuple[ModelManifest, ...]
    decisions: tuple[GateDecision, ...]
    approver: str


Decisions = dict[int, GateDecision]  # by version; the baseline has none: it is there for comparison only


def choose_policy(
    task: str, found: Sequence[Candidate], decisions: Decisions, *, before: TrafficPolicy | None
) -> TrafficPolicy:
    """Who serves. The kill switch stays as it is, a pin too where its version still may answer; the fewest move.

    Raises:
        CriteriaNotMet: the gate refuses the first network; the message names each reason.
    """
    first = found[0]
    if not _may_serve(first, decisions):
        decision = decisions.get(first.version)
        said = refusal_text(decision) if decision else f"{first.model_version} is the baseline, which never serves."
        raise CriteriaNotMet(
            said, next_step="Its report says where it errs; train again, or amend the plan with a named approver."
        )
    rivals = [candidate for candidate in found[1:] if _may_serve(candidate, decisions)][:1]
    shown = {first.version, *(candidate.version for candidate in rivals)}
    return TrafficPolicy(
        task=task,
        policy_version=before.policy_version + 1 if before else 1,
        champion=first.version,
        challengers=tuple(Challenger(version=one.version, share=CHALLENGER_SHARE) for one in rivals),
        shadows=tuple(candidate.version for candidate in found if candidate.version not in shown),
        pins=tuple(pin for pin in before.pins if pin.version in shown) if before else (),
        mode=before.mode if before else Mode.NORMAL,
    ).after(before)


def package(task: str, candidate: Candidate, *, approver: str, root: Offline) -> PackagedBento:
    """One candidate as a Bento that carries its manifest."""
    return build_bento(
        get_task(task),
        variant=candidate.trained.variant,
        version=candidate.version,
        approver=approver,
        checkpoints=root.store("checkpoints", task),
        reports=root.store("reports", task),
        code_root=root.copy,
        bento_home=root.home / "bentos",
    )


def put_in_force(task: str, *, approver: str, root: Offline, why: str = "") -> Promotion:
    """Register, judge, package and record every variant, and change the traffic; MLflow's aliases follow.

    Raises:
        CriteriaNotMet: the gate refuses the first network; decision and refusal are recorded. Traffic stays as it is,
            and so do the aliases, but that without any traffic the candidate is the challenger.
        ForbiddenByLevel: approvals by "demo" do not count at this level.
        Refused: the report compares with another champion than the one in force.
    """
    judging.require_approver(approver, root=root)
    found = candidates(task, approver=approver, root=root)
    with root.database.unit_of_work(root.tenant, read_only=True) as work:
        before = work.traffic.current(task)
    if before is None:
        registry.set_alias(root.tracking, task=task, alias="challenger", version=found[0].version)
    networks = [candidate for candidate in found if candidate.trained.kind == "network"]
    decisions: Decisions = {}
    for one in networks:
        try:
            asked = why or "promotion was asked for"
            decisions[one.version] = judging.judge(one, by=approver, why=asked, before=before, root=root)
        except Refused:
            if one is found[0]:
                raise
            # A rival that was not compared with the champion in force stays a shadow until it is validated again.
    wanted = choose_policy(task, found, decisions, before=before)
    packaged = [package(task, candidate, approver=approver, root=root) for candidate in found]
    evidence = {
        bento.manifest.version: kept_evidence.files_of(bento.manifest, one.report, decisions[one.version], root=root)
        for bento, one in zip(packaged, found, strict=True)
        if _may_serve(one, decisions)
    }
    policy = _unchanged(before, wanted) or wanted
    with root.database.unit_of_work(root.tenant) as work:
        for bento in packaged:
            work.model_versions.add(bento.manifest, str(bento.path))
            if bento.manifest.version in evidence:
                kept_evidence.keep(bento.manifest, evidence[bento.manifest.version], work=work, root=root)
        if policy is wanted:
            reason = why or "the gate promoted it"
            traffic_changes.change(work, wanted, by=approver, why=reason, at=datetime.now(UTC))
    reconciling.agree(policy, root=root)
    manifests = tuple(bento.manifest for bento in packaged)
    return Promotion(policy, manifests, tuple(decisions.values()), approver)


def _may_serve(candidate: Candidate, decisions: Decisions) -> bool:
    decision = decisions.get(candidate.version)
    return decision is not None and decision.verdict == "promote"


def _unchanged(before: TrafficPolicy | None, wanted: TrafficPolicy) -> TrafficPolicy | None:
    """The policy in force when it already says what is wanted: no new version without a change."""
    if before is None or before.model_copy(update={"policy_version": wanted.policy_version}) != wanted:
        return None
    return before
