"""Rollback: an earlier champion back in force, as a new policy. MLflow is not asked; its aliases follow afterwards."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from domain.audit import AuditAction, AuditEvent
from domain.errors import DigestMismatch, ForbiddenByLevel, InvalidField, ModelUnavailable, Refused, UnknownTask
from domain.history import line_of_champions
from domain.identifiers import sha256_of
from domain.model_version import ModelManifest
from domain.traffic import TrafficPolicy
from infra.db.base import NAME
from infra.db.session import UnitOfWork
from infra.db.traffic import TrafficChange
from pipelines import reconciling
from pipelines.wiring import Offline

_DEMO = "demo"


@dataclass(frozen=True)
class RolledBack:
    """What a rollback put in force, and what became of the aliases."""

    policy: TrafficPolicy
    left: int  # the champion before
    by: str
    aliases: str


def roll_back(task: str, *, by: str, why: str, root: Offline, now: datetime, to: int | None = None) -> RolledBack:
    """Put the previous champion, or version ``to``, back in force.

    Challengers and shadows stay, but the version itself is no longer among them. The version left has no part any more.

    Raises:
        InvalidField: nobody or no reason is named.
        UnknownTask: the task has no policy.
        Refused: there is no earlier champion, or ``to`` serves already or was never fit to serve.
        ForbiddenByLevel: the level does not take the word of "demo".
        ModelUnavailable: the version's Bento is not there, so nobody would answer.
        DigestMismatch: it is there with other bytes.
    """
    by, why = by.strip(), why.strip()
    _require_named(by, why)
    with root.database.unit_of_work(root.tenant) as work:
        changes = work.traffic.history(task)
        if not changes:
            raise UnknownTask(f"{task!r} has no policy to roll back.", next_step="`fiducial promote` makes one.")
        before = changes[-1].policy
        version = _earlier(work, changes) if to is None else _fit(work, changes, to)
        manifest, bento = work.model_versions.get(task, version)
        _require_level(root, by=by, manifest=manifest)
        _require_bento(manifest, Path(bento))
        policy = _with_champion(before, version)
        work.traffic.change(policy, by=by, why=why, at=now)
        _audit(work, policy, by=by, now=now)
    aliases = reconciling.follow(policy, before=before, root=root)
    return RolledBack(policy, before.champion, by, aliases)


def _require_named(by: str, why: str) -> None:
    if not why:
        raise InvalidField("--why is empty.", next_step="Say why, in a sentence; it is kept for good.")
    if not 0 < len(by) <= NAME:
        raise InvalidField(
            f"--by must have 1 to {NAME} characters.", next_step="Name the person who decides; it is kept for good."
        )


def _require_level(root: Offline, *, by: str, manifest: ModelManifest) -> None:
    level = root.settings.limits_of_level
    by_demo = by.casefold() == _DEMO
    if level.demo_models or not (by_demo or manifest.approver == _DEMO):
        return
    what = "A rollback by 'demo'" if by_demo else f"{manifest.model_version}, approved only by 'demo',"
    raise ForbiddenByLevel(
        f"{what} is not allowed at the level {level.name}.", next_step="Name a person, and a version one approved."
    )


def _require_bento(manifest: ModelManifest, bento: Path) -> None:
    model = bento / "src" / "model" / "model.onnx"
    if not model.is_file():
        raise ModelUnavailable(
            f"The Bento of {manifest.model_version} is not at {bento}.", next_step="Restore it, or name another --to."
        )
    if sha256_of(model.read_bytes()) != manifest.model_sha256:
        raise DigestMismatch(
            f"{model} is not the model of {manifest.model_version}.", next_step="Restore it, or name another --to."
        )


def _earlier(work: UnitOfWork, changes: tuple[TrafficChange, ...]) -> int:
    """The last champion before that is another model: a version approved again has the same weights."""
    policy = changes[-1].policy
    present = work.model_versions.get(policy.task, policy.champion).manifest.model_sha256
    others = [
        version
        for version in line_of_champions(changes)[:-1]
        if work.model_versions.get(policy.task, version).manifest.model_sha256 != present
    ]
    if not others:
        raise Refused(
            f"No champion came before {policy.task}@{policy.champion}.",
            next_step="Name a version that may serve with --to; `fiducial history` lists who served.",
        )
    return others[-1]


def _fit(work: UnitOfWork, changes: tuple[TrafficChange, ...], version: int) -> int:
    policy = changes[-1].policy
    name = f"{policy.task}@{version}"
    if version == policy.champion:
        raise Refused(f"{name} is the champion in force.", next_step="`fiducial history` lists who served before.")
    answered = {one.policy.champion for one in changes}
    answered |= {challenger.version for one in changes for challenger in one.policy.challengers}
    decisions = work.decisions.of_version(policy.task, name)
    if version not in answered and (not decisions or decisions[-1].verdict != "promote"):
        raise Refused(
            f"{name} has never answered for a patient, and the gate has not promoted it.",
            next_step="`fiducial history` lists who served; `fiducial promote` takes new versions.",
        )
    return version


def _with_champion(before: TrafficPolicy, version: int) -> TrafficPolicy:
    return TrafficPolicy(
        task=before.task,
        policy_version=before.policy_version + 1,
        champion=version,
        challengers=tuple(one for one in before.challengers if one.version != version),
        shadows=tuple(one for one in before.shadows if one != version),
    )


def _audit(work: UnitOfWork, policy: TrafficPolicy, *, by: str, now: datetime) -> None:
    for action, entity in (
        (AuditAction.MODEL_ROLLED_BACK, f"{policy.task}@{policy.champion}"),
        (AuditAction.TRAFFIC_CHANGED, f"{policy.task} policy {policy.policy_version}"),
    ):
        work.audit.append(
            AuditEvent(
                tenant=work.tenant, agent=by, action=action, entity=entity, outcome="success", recorded=now,
            )
        )  # fmt: skip
