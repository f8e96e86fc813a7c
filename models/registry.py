"""The door to MLflow's registry: a registered model per task, a version per validated run, and two aliases."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Literal

import httpx

from domain.errors import Unavailable, UnknownModelVersion, UnknownRun
from domain.traffic import TrafficPolicy
from models.tracking import Tracking, mlflow

Alias = Literal["challenger", "champion"]
ALIASES: tuple[Alias, ...] = ("champion", "challenger")
_PATIENCE_S = 5.0


def register(
    tracking: Tracking, *, task: str, run_id: str, approver: str, tags: Mapping[str, str] | None = None
) -> int:
    """The run's model as a version of the task's registered model; the same approver and tags keep their version.

    A version's manifest names its approver and its report and never changes: another approver's, or the same model
    validated anew, is another version.

    Raises:
        UnknownRun: there is no such run, or it logged no model.
    """
    client = tracking.client
    known = client.search_model_versions(f"name='{task}' and run_id='{run_id}'")
    described = {**(tags or {}), "approver": approver}
    same = [int(version.version) for version in known if described.items() <= dict(version.tags).items()]
    if same:
        return max(same)
    source = _model_of(tracking, run_id)
    tracking.fluent()  # the registry resolves ``models:/`` at MLflow's global address
    if not client.search_registered_models(f"name='{task}'"):
        client.create_registered_model(task)
    return int(client.create_model_version(task, source=source, run_id=run_id, tags=described).version)


def _model_of(tracking: Tracking, run_id: str) -> str:
    try:
        logged = tracking.client.get_run(run_id).outputs.model_outputs
    except mlflow().MlflowException as error:
        raise UnknownRun(f"MLflow knows no run {run_id}.", next_step="Train the task again.") from error
    if not logged:
        raise UnknownRun(f"MLflow has no model of run {run_id}.", next_step="Train the task again.")
    return f"models:/{logged[0].model_id}"


def set_alias(tracking: Tracking, *, task: str, alias: Alias, version: int) -> None:
    """Point an alias at a version; it leaves the version it pointed at before.

    Raises:
        UnknownModelVersion: there is no such version.
    """
    try:
        tracking.client.set_registered_model_alias(task, alias, str(version))
    except mlflow().MlflowException as error:
        raise UnknownModelVersion(
            f"There is no version {version} of {task}.", next_step="`fiducial promote` registers one."
        ) from error


def remove_alias(tracking: Tracking, *, task: str, alias: Alias) -> None:
    """Take an alias away; harmless when no version has it.

    Raises:
        Unavailable: MLflow does not let it be taken away.
    """
    if version_with(tracking, task=task, alias=alias) is None:
        return
    try:
        tracking.client.delete_registered_model_alias(task, alias)
    except mlflow().MlflowException as error:
        raise _no_answer(tracking) from error


def version_with(tracking: Tracking, *, task: str, alias: Alias) -> int | None:
    """The version an alias points at, or ``None``."""
    try:
        return int(tracking.client.get_model_version_by_alias(task, alias).version)
    except mlflow().MlflowException:
        return None


def aliases_of(policy: TrafficPolicy) -> dict[Alias, int | None]:
    """What each alias must say under a policy; None: it must not be there."""
    _, *challengers = policy.visible
    return {"champion": policy.champion, "challenger": challengers[-1] if challengers else None}


def aliases(tracking: Tracking, *, task: str) -> dict[Alias, int | None]:
    """What each alias says; None where it is not there.

    Raises:
        Unavailable: MLflow does not answer, which is not the same as an alias that is not there.
    """
    require_answer(tracking)
    try:
        said = tracking.client.get_registered_model(task).aliases
    except mlflow().MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise _no_answer(tracking) from error
        said = {}
    return {alias: int(said[alias]) if alias in said else None for alias in ALIASES}


def follow(tracking: Tracking, policy: TrafficPolicy) -> None:
    """Have both aliases say what a policy says.

    Raises:
        Unavailable: MLflow does not answer.
        UnknownModelVersion: MLflow has no such version.
    """
    require_answer(tracking)
    for alias, version in aliases_of(policy).items():
        if version is None:
            remove_alias(tracking, task=policy.task, alias=alias)
        else:
            set_alias(tracking, task=policy.task, alias=alias, version=version)


def require_answer(tracking: Tracking) -> None:
    """Ask MLflow for a sign of life: its own client tries for minutes, and for an hour where its database is broken.

    Raises:
        Unavailable: none within seconds.
    """
    try:
        if tracking.uri.startswith("sqlite:"):
            _open(Path(tracking.uri.removeprefix("sqlite:///")))
        else:
            httpx.get(f"{tracking.uri.rstrip('/')}/health", timeout=_PATIENCE_S, trust_env=False)
    except (sqlite3.Error, httpx.HTTPError) as error:
        raise _no_answer(tracking) from error


def _open(path: Path) -> None:
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=_PATIENCE_S)) as database:
        database.execute("SELECT count(*) FROM sqlite_master")


def _no_answer(tracking: Tracking) -> Unavailable:
    place = "database" if tracking.uri.startswith("sqlite:") else "server"  # an address may hold a password
    return Unavailable(f"MLflow's {place} does not answer.", next_step="Start it, or check FIDUCIAL_MLFLOW_URI.")


def run_of(tracking: Tracking, *, task: str, version: int) -> str:
    """The run that made a version.

    Raises:
        UnknownModelVersion: there is no such version.
    """
    try:
        return str(tracking.client.get_model_version(task, str(version)).run_id)
    except mlflow().MlflowException as error:
        raise UnknownModelVersion(f"There is no version {version} of {task}.") from error
