"""Which files in the object store are the evidence of a model version: report, plan, bill of materials, attestation."""

from sqlalchemy import BigInteger, Select, String
from sqlalchemy.orm import Mapped, mapped_column

from domain.errors import IntegrityViolation
from domain.identifiers import Sha256
from infra.db.base import NAME, OPAQUE, Repository, TenantRow


class EvidenceFileRow(TenantRow):
    """One file of one model version; its bytes lie in the object store under their digest."""

    __tablename__ = "evidence_files"

    task: Mapped[str] = mapped_column(String(NAME), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(NAME), primary_key=True)
    sha256: Mapped[str] = mapped_column(String(OPAQUE))
    size_bytes: Mapped[int] = mapped_column(BigInteger)


class EvidenceFiles(Repository):
    """Evidence files of one tenant's model versions."""

    def add(self, task: str, version: int, name: str, sha256: Sha256, size_bytes: int) -> None:
        """Records a file; recording the same again changes nothing.

        Raises:
            IntegrityViolation: the file is recorded with other bytes.
        """
        self._reserve(f"evidence {task}@{version} {name}")
        row = self._one(self._of(task, version).where(EvidenceFileRow.name == name))
        if row is None:
            scope = {"tenant": self._tenant, "task": task, "version": version, "name": name}
            self._insert(EvidenceFileRow(**scope, sha256=sha256, size_bytes=size_bytes))
        elif (row.sha256, row.size_bytes) != (sha256, size_bytes):
            raise IntegrityViolation(
                f"{name} of {task}@{version} is recorded with other bytes.", next_step="Register a new version."
            )

    def of_version(self, task: str, version: int) -> dict[str, Sha256]:
        """The digest of each file of a model version, by the file's name."""
        rows = self._all(self._of(task, version).order_by(EvidenceFileRow.name))
        return {row.name: Sha256(row.sha256) for row in rows}

    def _of(self, task: str, version: int) -> Select[EvidenceFileRow]:
        return self._select(EvidenceFileRow, EvidenceFileRow.task == task, EvidenceFileRow.version == version)
