"""The door to MLflow's registry: a registered model per task, a version per validated run, and two aliases."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from domain.errors import UnknownModelVersion, UnknownRun
from models.tracking import Tracking, mlflow

Alias = Literal["challenger", "champion"]


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
    """Take an alias away; harmless when no version has it."""
    if version_with(tracking, task=task, alias=alias) is not None:
        tracking.client.delete_registered_model_alias(task, alias)


def version_with(tracking: Tracking, *, task: str, alias: Alias) -> int | None:
    """The version an alias points at, or ``None``."""
    try:
        return int(tracking.client.get_model_version_by_alias(task, alias).version)
    except mlflow().MlflowException:
        return None


def run_of(tracking: Tracking, *, task: str, version: int) -> str:
    """The run that made a version.

    Raises:
        UnknownModelVersion: there is no such version.
    """
    try:
        return str(tracking.client.get_model_version(task, str(version)).run_id)
    except mlflow().MlflowException as error:
        raise UnknownModelVersion(f"There is no version {version} of {task}.") from error
