"""The offline composition root: the one place below ``pipelines`` that reads settings and builds parts from them."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from data.versions import Workspace
from domain.errors import InvalidSetting
from domain.identifiers import Tenant
from infra.db.session import Database
from infra.environment import process_environment
from infra.objects import ObjectStore
from infra.secrets import Secrets
from infra.settings import Settings

if TYPE_CHECKING:
    from models.tracking import Tracking

PROJECT = Path(__file__).resolve().parents[1]
STORE = Path("data/store")  # below the project or its working copy


@dataclass(frozen=True)
class Offline:
    """Everything a flow or a command needs, built once per process."""

    settings: Settings

    @property
    def tenant(self) -> Tenant:
        """The tenant the offline side works for; the starter level has one."""
        return self.settings.tenant

    @cached_property
    def home(self) -> Path:
        """The platform's home, absolute: stages run in another folder. It is made when it is not there.

        Raises:
            InvalidSetting: there can be no folder at that place.
        """
        home = self.settings.home.resolve()
        try:
            home.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InvalidSetting(
                f"FIDUCIAL_HOME: {home} cannot be made ({error.strerror}).",
                next_step="Set it to a folder you may write.",
            ) from error
        return home

    @property
    def copy(self) -> Path:
        """The working copy of the project in which DVC runs."""
        return self.home / "workspace"

    @cached_property
    def environment(self) -> Mapping[str, str]:
        """What every child process gets: where our home is, the vendors' settings, all telemetry off."""
        vendors = process_environment(
            home=self.home, prefect_api_url=self.settings.prefect_api_url, threads=self.settings.threads
        )
        # Prefect's pages keep every log line; on the terminal our own lines and errors are enough.
        return {**vendors, "FIDUCIAL_HOME": str(self.home), "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL"}

    @cached_property
    def workspace(self) -> Workspace:
        """The door to DVC in the working copy."""
        return Workspace(self.copy)

    @cached_property
    def database(self) -> Database:
        """The platform's database, migrated."""
        database = Database(self.settings.database)
        database.migrate()
        return database

    @cached_property
    def objects(self) -> ObjectStore:
        """The store of received bytes."""
        return ObjectStore(self.settings.objects)

    @cached_property
    def secrets(self) -> Secrets:
        """Keys and passwords, made on first use."""
        return Secrets(self.settings.secrets)

    @cached_property
    def tracking(self) -> "Tracking":
        """Where MLflow keeps runs and registered models. Imports MLflow late: it costs five seconds."""
        from models.tracking import Tracking

        return Tracking(uri=self.settings.mlflow, artifact_root=self.settings.mlflow_artifact_root)

    def reproduce(self, stage: str, *, force: bool = False) -> bool:
        """Run one DVC stage in the working copy when it is stale; False when its results were reused."""
        return self.workspace.reproduce(stage, force=force, environment=self.environment)

    def store(self, kind: str, *names: str) -> Path:
        """A folder below ``data/store`` of the working copy, e.g. ``store("prepared", "phantom_chest")``."""
        return self.copy.joinpath(STORE, kind, *names)


@lru_cache(maxsize=1)
def offline() -> Offline:
    """The parts for this process, from the settings in its environment."""
    root = Offline(Settings.from_environment())
    os.environ.update(root.environment)  # before a vendor's library is imported: they read theirs then
    return root


def configure(**settings: str) -> Offline:
    """Settle settings for this process and its children, as ``name="value"``; anything built before is built again."""
    os.environ.update({f"FIDUCIAL_{name.upper()}": value for name, value in settings.items()})
    offline.cache_clear()
    return offline()
