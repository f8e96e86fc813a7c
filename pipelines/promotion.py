"""From validated variants to served versions: register, judge, package, record, and put the policy in force.

The networks and the baseline each become a registered version. The first network becomes champion when it meets every
criterion of its task; another network that meets them is a challenger for a share of patients; the rest are shadows.

The traffic policy decides who serves; MLflow's aliases say the same and are written after it. Before the first policy
nobody serves, so the candidate is named challenger while it is judged, and stays that when it is refused. Under a
policy the aliases are the policy's, and a candidate gets none until it has met its criteria.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from domain.audit import AuditAction, AuditEvent
from domain.errors import CriteriaNotMet
from domain.model_version import ModelManifest
from domain.traffic import Challenger, TrafficPolicy
from evidence.record import ValidationReport
from infra.db.session import UnitOfWork
from models import registry
from models.checkpoints import TrainedModel
from models.packaging import PackagedBento, build_bento
from models.tasks import get_task
from pipelines.results import read_reports, read_trained
from pipelines.wiring import Offline

CHALLENGER_SHARE = 0.2


@dataclass(frozen=True)
class Promotion:
    """What a promotion decided."""

    policy: TrafficPolicy
    manifests: tuple[ModelManifest, ...]
    approver: str


@dataclass(frozen=True)
class Candidate:
    """One trained and validated variant with its registered version."""

    trained: TrainedModel
    report: ValidationReport
    version: int

    @property
    def may_serve(self) -> bool:
        """A network that meets every criterion; the baseline is there for comparison only."""
        return self.trained.kind == "network" and self.report.criteria_met


def candidates(task: str, *, approver: str, root: Offline) -> list[Candidate]:
    """Every variant, registered in MLflow; a run that this approver has approved before keeps its version."""
    found = []
    for trained, report in zip(read_trained(task), read_reports(task), strict=True):
        tags = {"variant": trained.variant, "criteria_met": str(report.criteria_met)}
        version = registry.register(root.tracking, task=task, run_id=trained.run_id, approver=approver, tags=tags)
        found.append(Candidate(trained, report, version))
    return found


def choose_policy(task: str, found: list[Candidate], *, policy_version: int) -> TrafficPolicy:
    """Who serves.

    Raises:
        CriteriaNotMet: the first network misses a criterion; the message names each with its interval.
    """
    first = found[0]
    if not first.may_serve:
        missed = [
            f"{result.criterion.metric} must reach {result.criterion.lower_bound:g} and is {result.value}"
            for result in first.report.criteria
            if not result.met
        ]
        raise CriteriaNotMet(
            f"{task}/{first.trained.variant} is not promoted: {'; '.join(missed) or 'the task states no criterion'}.",
            next_step="Its report says where it errs; train again, or amend the plan with a named approver.",
        )
    rivals = [candidate for candidate in found[1:] if candidate.may_serve][:1]
    shown = {first.version, *(candidate.version for candidate in rivals)}
    return TrafficPolicy(
        task=task,
        policy_version=policy_version,
        champion=first.version,
        challengers=tuple(Challenger(version=one.version, share=CHALLENGER_SHARE) for one in rivals),
        shadows=tuple(candidate.version for candidate in found if candidate.version not in shown),
    )


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


def put_in_force(task: str, *, approver: str, root: Offline) -> Promotion:
    """Register, judge, package and record every variant, and change the traffic; MLflow's aliases follow.

    Raises:
        CriteriaNotMet: the first network misses a criterion; it stays registered. Traffic stays as it is, and so do the
            aliases, but that without any traffic the candidate is the challenger.
    """
    found = candidates(task, approver=approver, root=root)
    with root.database.unit_of_work(root.tenant, read_only=True) as work:
        before = work.traffic.current(task)
    if before is None:
        registry.set_alias(root.tracking, task=task, alias="challenger", version=found[0].version)
    wanted = choose_policy(task, found, policy_version=before.policy_version + 1 if before else 1)
    packaged = [package(task, candidate, approver=approver, root=root) for candidate in found]
    policy = _unchanged(before, wanted) or wanted
    with root.database.unit_of_work(root.tenant) as work:
        for bento in packaged:
            work.model_versions.add(bento.manifest, str(bento.path))
        if policy is wanted:
            work.traffic.change(policy, by=approver, why="met its task's acceptance criteria", at=datetime.now(UTC))
            _audit(work, policy, approver=approver)
    _write_aliases(policy, root)
    return Promotion(policy, tuple(bento.manifest for bento in packaged), approver)


def _write_aliases(policy: TrafficPolicy, root: Offline) -> None:
    registry.set_alias(root.tracking, task=policy.task, alias="champion", version=policy.champion)
    if not policy.challengers:
        registry.remove_alias(root.tracking, task=policy.task, alias="challenger")
    for challenger in policy.challengers:
        registry.set_alias(root.tracking, task=policy.task, alias="challenger", version=challenger.version)


def _unchanged(before: TrafficPolicy | None, wanted: TrafficPolicy) -> TrafficPolicy | None:
    """The policy in force when it already says what is wanted: no new version without a change."""
    if before is None or before.model_copy(update={"policy_version": wanted.policy_version}) != wanted:
        return None
    return before


def _audit(work: UnitOfWork, policy: TrafficPolicy, *, approver: str) -> None:
    for action, entity in (
        (AuditAction.MODEL_PROMOTED, f"{policy.task}@{policy.champion}"),
        (AuditAction.TRAFFIC_CHANGED, f"{policy.task} policy {policy.policy_version}"),
    ):
        work.audit.append(
            AuditEvent(
                tenant=work.tenant, agent=approver, action=action, entity=entity, outcome="success",
                recorded=datetime.now(UTC),
            )
        )  # fmt: skip
