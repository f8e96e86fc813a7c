"""Model versions this platform may serve: their manifest and where their Bento lies."""

from typing import Any, NamedTuple

from sqlalchemy import JSON, String
from sqlalchemy.orm import Mapped, mapped_column

from domain.errors import IntegrityViolation, UnknownModelVersion
from domain.model_version import ModelManifest
from infra.db.base import NAME, Repository, TenantRow


class ModelVersionRow(TenantRow):
    """One registered model version."""

    __tablename__ = "model_versions"

    task: Mapped[str] = mapped_column(String(NAME), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    manifest: Mapped[dict[str, Any]] = mapped_column(JSON)
    bento_path: Mapped[str]


class PackagedVersion(NamedTuple):
    """A manifest and the folder of the Bento that carries it."""

    manifest: ModelManifest
    bento_path: str


class ModelVersions(Repository):
    """Model versions of one tenant."""

    def add(self, manifest: ModelManifest, bento_path: str) -> None:
        """Records a version; recording it again may only move its Bento.

        Raises:
            IntegrityViolation: the version is recorded with another manifest.
        """
        content = manifest.model_dump(mode="json")
        row = self._row(manifest.task, manifest.version)
        if row is None:
            scope = {"tenant": self._tenant, "task": manifest.task, "version": manifest.version}
            self._insert(ModelVersionRow(**scope, manifest=content, bento_path=bento_path))
        elif row.manifest == content:
            row.bento_path = bento_path
            self._session.flush()
        else:
            raise IntegrityViolation(
                f"{manifest.model_version} is recorded with another manifest.", next_step="Register a new version."
            )

    def get(self, task: str, version: int) -> PackagedVersion:
        """A version's manifest and Bento.

        Raises:
            UnknownModelVersion: this tenant has none.
        """
        row = self._row(task, version)
        if row is None:
            raise UnknownModelVersion(
                f"No model version {task}@{version}.",
                next_step="`fiducial promote` makes versions; `fiducial history` lists those that served.",
            )
        return _packaged(row)

    def list(self, task: str | None = None) -> tuple[PackagedVersion, ...]:
        """Every version, or those of one task, by task and number."""
        query = self._select(ModelVersionRow).order_by(ModelVersionRow.task, ModelVersionRow.version)
        if task is not None:
            query = query.where(ModelVersionRow.task == task)
        return tuple(_packaged(row) for row in self._all(query))

    def _row(self, task: str, version: int) -> ModelVersionRow | None:
        return self._one(
            self._select(ModelVersionRow, ModelVersionRow.task == task, ModelVersionRow.version == version)
        )


def _packaged(row: ModelVersionRow) -> PackagedVersion:
    return PackagedVersion(manifest=ModelManifest.model_validate(row.manifest), bento_path=row.bento_path)
