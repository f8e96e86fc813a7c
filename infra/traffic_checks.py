"""Whether a model version may answer patients: registered, promoted by the gate, its Bento whole, the level content."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from domain.errors import CriteriaNotMet, DigestMismatch, ForbiddenByLevel, ModelUnavailable, Refused
from domain.history import line_of_champions
from domain.identifiers import sha256_of
from domain.level import Level
from domain.traffic import TrafficPolicy
from infra.db.session import UnitOfWork
from infra.db.traffic import TrafficChange

_DEMO = "demo"
_MODEL = Path("src") / "model" / "model.onnx"  # inside a Bento


def require_fit(work: UnitOfWork, policy: TrafficPolicy) -> None:
    """Do nothing where every version of a policy is registered, and those that would answer may.

    Raises:
        UnknownModelVersion: one is not registered.
        CriteriaNotMet: one that would answer was never promoted by the gate and has never answered.
        ModelUnavailable: its Bento is not there.
        DigestMismatch: it is there with other bytes.
    """
    for version in policy.versions:
        work.model_versions.get(policy.task, version)
    changes = work.traffic.history(policy.task)
    for version in policy.visible:
        _require_proven(work, policy.task, version, changes=changes)
        if policy.share_of(version) or any(pin.version == version for pin in policy.pins):
            require_bento(work, policy.task, version)  # a stopped challenger meets nobody and holds nothing up


def require_bento(work: UnitOfWork, task: str, version: int) -> None:
    """Do nothing where a version's Bento holds the model of its manifest.

    Raises:
        ModelUnavailable: it is not there.
        DigestMismatch: it is there with other bytes.
    """
    manifest, bento = work.model_versions.get(task, version)
    model = Path(bento) / _MODEL
    if not model.is_file():
        raise ModelUnavailable(
            f"The Bento of {manifest.model_version} is not at {bento}.",
            next_step="Restore it, or name another version.",
        )
    if sha256_of(model.read_bytes()) != manifest.model_sha256:
        raise DigestMismatch(
            f"{model} is not the model of {manifest.model_version}.", next_step="Restore it, or name another version."
        )


def require_level(
    work: UnitOfWork, task: str, versions: Iterable[int], *, by: str, level: Level, what: str = "A change"
) -> None:
    """Do nothing where the level takes whose word this is; ``versions`` are those that would answer by it.

    Raises:
        ForbiddenByLevel: "demo" asks, or only "demo" approved a version, from the clinical level on.
    """
    if level.demo_models:
        return
    manifests = [work.model_versions.get(task, version).manifest for version in versions]
    refused = [f"{what} by 'demo'"] if by.strip().casefold() == _DEMO else []
    refused += [f"{one.model_version}, approved only by 'demo'," for one in manifests if one.approver == _DEMO]
    if refused:
        raise ForbiddenByLevel(
            f"{refused[0]} is not allowed at the level {level.name}.",
            next_step="Name a person, and a version one approved.",
        )


def earlier(
    work: UnitOfWork, changes: Sequence[TrafficChange], *, to: int | None = None, not_to: frozenset[int] = frozenset()
) -> int:
    """The champion to go back to: ``to`` if it is fit, else the last one before that is another model.

    A version approved again has the same weights: it is no other model.

    Raises:
        Refused: there is none, or ``to`` is the champion in force, is not to come back, or was never fit to serve.
    """
    policy = changes[-1].policy
    if to is not None:
        _require_return(work, changes, to, not_to=not_to)
        return to
    present = work.model_versions.get(policy.task, policy.champion).manifest.model_sha256
    others = [
        version
        for version in line_of_champions(changes)[:-1]
        if version not in not_to and work.model_versions.get(policy.task, version).manifest.model_sha256 != present
    ]
    if not others:
        raise Refused(
            f"No champion came before {policy.task}@{policy.champion}.",
            next_step="Name a version that may serve with --to; `fiducial history` lists who served.",
        )
    return others[-1]


def _require_return(work: UnitOfWork, changes: Sequence[TrafficChange], to: int, *, not_to: frozenset[int]) -> None:
    policy = changes[-1].policy
    if to == policy.champion:
        raise Refused(
            f"{policy.task}@{to} is the champion in force.", next_step="`fiducial history` lists who served before."
        )
    if to in not_to:
        raise Refused(f"{policy.task}@{to} is not to come back.", next_step="Name another version.")
    _require_proven(work, policy.task, to, changes=changes)


def _require_proven(work: UnitOfWork, task: str, version: int, *, changes: Sequence[TrafficChange]) -> None:
    name = f"{task}@{version}"
    if any(_answered(version, one.policy) for one in changes):
        return
    decisions = work.decisions.of_version(task, name)
    if not decisions or decisions[-1].verdict != "promote":
        raise CriteriaNotMet(
            f"{name} has never answered for a patient, and the gate has not promoted it.",
            next_step="`fiducial history` lists who served; `fiducial promote` takes new versions.",
        )


def _answered(version: int, policy: TrafficPolicy) -> bool:
    """Whether a policy let a version answer: a challenger without share and pin answered nobody."""
    return (
        version == policy.champion or policy.share_of(version) > 0 or any(pin.version == version for pin in policy.pins)
    )
