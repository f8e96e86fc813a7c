"""Three truths about who serves, held against each other: the policies on record, the Bentos, and what really runs.

MLflow's aliases, the fourth place where a version is named, decide nothing; ``reconciling`` looks after them. Here is
looked for what does decide: a policy that nobody put in force through Fiducial, patients who were not assigned as the
policy of that moment says, a Bento that is not the registered version any more, and an address under which another
version answers than the one it stands for.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
from pydantic import ValidationError

from domain.audit import AuditAction
from domain.errors import IntegrityViolation, ModelUnavailable
from domain.served_model import ServedModel
from domain.traffic import Assignment, TrafficPolicy, assign
from infra import logs
from infra.db.addresses import Address
from infra.db.model_versions import PackagedVersion
from infra.db.session import UnitOfWork
from infra.db.traffic import TrafficChange
from pipelines.bentos import require_bento
from pipelines.wiring import Offline

_ASKED_WITHIN_S = 5.0
_PAGE = 10_000

log = logs.get(__name__)


@dataclass(frozen=True)
class Agreement:
    """What was found of one task. ``absent``: not running or not answering now, which is no disagreement."""

    task: str
    policy_version: int
    agreeing: tuple[str, ...]  # versions that run as registered
    absent: tuple[str, ...]
    wrong: tuple[str, ...]  # sentences

    def __str__(self) -> str:
        lines = [
            f"{self.task}: policy {self.policy_version}; running as registered: {', '.join(self.agreeing) or 'none'}"
            f"{'; not answering: ' + ', '.join(self.absent) if self.absent else ''}"
        ]
        return "\n".join(lines + [f"  WRONG: {sentence}" for sentence in self.wrong])


@dataclass(frozen=True)
class _Recorded:
    """What the database says of one task."""

    changes: tuple[TrafficChange, ...]
    audited: frozenset[int]  # policy versions with an audit event of their author
    misassigned: Counter[int]  # answers by the policy that would have assigned them to another version
    packaged: dict[int, PackagedVersion]
    addresses: tuple[Address, ...]

    @property
    def policy(self) -> TrafficPolicy:
        return self.changes[-1].policy


def examine(root: Offline, *, task: str | None = None) -> tuple[Agreement, ...]:
    """Compare for one task, or every one with a policy.

    Raises:
        IntegrityViolation: the audit trail itself is broken, so nothing can be held against it.
    """
    key = root.secrets.routing_key
    with root.database.unit_of_work(root.tenant, read_only=True) as work:
        work.audit.verify()
        tasks = [policy.task for policy in work.traffic.all_current() if task in (None, policy.task)]
        recorded = {one: _recorded(work, one, key=key) for one in tasks}
    found = tuple(_compare(name, records) for name, records in recorded.items())
    for one in found:
        for sentence in one.wrong:
            log.error("serving.disagrees", task=one.task, policy_version=one.policy_version, what=sentence)
    return found


def require_agreement(found: Sequence[Agreement]) -> None:
    """Do nothing when nothing is wrong.

    Raises:
        IntegrityViolation: something is.
    """
    wrong = [sentence for one in found for sentence in one.wrong]
    if wrong:
        raise IntegrityViolation(
            " ".join(wrong),
            next_step="Somebody wrote past Fiducial: stop the task (fiducial traffic), keep the database, compare it "
            "with a backup.",
        )


def _recorded(work: UnitOfWork, task: str, *, key: bytes) -> _Recorded:
    changes = work.traffic.history(task)
    return _Recorded(
        changes=changes,
        audited=frozenset(one.policy.policy_version for one in changes if _is_audited(work, one)),
        misassigned=_misassigned(work, changes, key=key),
        packaged={version: work.model_versions.get(task, version) for version in changes[-1].policy.versions},
        addresses=tuple(one for one in work.addresses.list() if one.task == task),
    )


def _is_audited(work: UnitOfWork, change: TrafficChange) -> bool:
    events = work.audit.of(f"{change.policy.task} policy {change.policy.policy_version}")
    return any(one.action is AuditAction.TRAFFIC_CHANGED and one.agent == change.by for one in events)


def _misassigned(work: UnitOfWork, changes: Sequence[TrafficChange], *, key: bytes) -> Counter[int]:
    """Every answer on record held against the policy it names: a policy altered afterwards contradicts them."""
    policies = {change.policy.policy_version: change.policy for change in changes}
    wrong: Counter[int] = Counter()
    number = 0
    while rows := work.arm_rows.after(changes[-1].policy.task, number, limit=_PAGE):
        for row in rows:
            policy = policies.get(row.policy_version)
            wanted = None if policy is None else assign(row.patient, policy, key=key)
            wrong[row.policy_version] += wanted != Assignment(version=row.assigned, role=row.role)
        number = rows[-1].number
    return +wrong


def _compare(task: str, records: _Recorded) -> Agreement:
    wrong = [*_wrong_policies(records), *_wrong_bentos(records)]
    agreeing, absent = [], []
    urls = {address.version: address.url for address in records.addresses}
    for version, packaged in records.packaged.items():
        name = packaged.manifest.model_version
        try:
            said = _ask(urls[version]) if version in urls else None
        except IntegrityViolation as error:
            wrong.append(f"{name} at {urls[version]}: {error.what}")
            continue
        if said is None:
            absent.append(name)
        elif said == ServedModel.of(packaged.manifest):
            agreeing.append(name)
        else:
            wrong.append(_told_apart(said, ServedModel.of(packaged.manifest), url=urls[version]))
    return Agreement(task, records.policy.policy_version, tuple(agreeing), tuple(absent), tuple(wrong))


def _wrong_policies(records: _Recorded) -> Iterator[str]:
    for change in records.changes:
        policy = change.policy
        if policy.policy_version not in records.audited:
            yield (
                f"Policy {policy.policy_version} of {policy.task}, by {change.by}, has no audit event: it was not put "
                "in force through Fiducial."
            )
    for number, count in sorted(records.misassigned.items()):
        yield f"Policy {number} of {records.policy.task} would have assigned {count} answered studies otherwise."


def _wrong_bentos(records: _Recorded) -> Iterator[str]:
    for packaged in records.packaged.values():
        try:
            require_bento(packaged.manifest, Path(packaged.bento_path))
        except (IntegrityViolation, ModelUnavailable) as error:
            yield error.what


def _ask(url: str) -> ServedModel | None:
    """What the service there says it is; None when nobody answers.

    Raises:
        IntegrityViolation: something answers that is no service of ours.
    """
    try:
        answer = httpx.get(f"{url}/model", timeout=_ASKED_WITHIN_S, trust_env=False)
    except httpx.TransportError:
        return None
    try:
        return ServedModel.model_validate_json(answer.content)
    except ValidationError:
        raise IntegrityViolation("what answers there does not say which model version it is.") from None


def _told_apart(said: ServedModel, wanted: ServedModel, *, url: str) -> str:
    if said.model_version != wanted.model_version:
        return f"{url} is on record as {wanted.model_version}, and {said.model_version} answers there."
    return f"{url} answers as {said.model_version} with another manifest or model than the registered one."
