"""Addresses of running services: written by whoever starts them, read by the gateway."""

from typing import NamedTuple

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from infra.db.base import NAME, Repository, TenantRow


class AddressRow(TenantRow):
    """Where one model version answers."""

    __tablename__ = "addresses"

    task: Mapped[str] = mapped_column(String(NAME), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    url: Mapped[str]


class Address(NamedTuple):
    """A model version's service."""

    task: str
    version: int
    url: str


class Addresses(Repository):
    """Addresses of one tenant's services."""

    def set(self, task: str, version: int, url: str) -> None:
        """Records where a version answers; replaces an older address."""
        self._reserve(f"address {task}@{version}")
        self.remove(task, version)
        self._insert(AddressRow(tenant=self._tenant, task=task, version=version, url=url))

    def remove(self, task: str, version: int) -> None:
        """Forgets a version's address; harmless when there is none."""
        self._change(self._delete(AddressRow, AddressRow.task == task, AddressRow.version == version))

    def list(self) -> tuple[Address, ...]:
        """All addresses, by task and version."""
        query = self._select(AddressRow).order_by(AddressRow.task, AddressRow.version)
        return tuple(Address(row.task, row.version, row.url) for row in self._all(query))
