"""Addresses of running services: written by whoever starts them, read by the gateway."""

from typing import NamedTuple

from sqlalchemy import BigInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from infra.db.base import NAME, Repository, TenantRow


class AddressRow(TenantRow):
    """Where one model version answers."""

    __tablename__ = "addresses"

    task: Mapped[str] = mapped_column(String(NAME), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    url: Mapped[str]
    load_s: Mapped[float | None]
    rss_bytes: Mapped[int | None] = mapped_column(BigInteger)


class Address(NamedTuple):
    """A model version's service; how long it took to load and what memory it holds, where that was measured."""

    task: str
    version: int
    url: str
    load_s: float | None = None
    rss_bytes: int | None = None


class Addresses(Repository):
    """Addresses of one tenant's services."""

    def set(
        self, task: str, version: int, url: str, *, load_s: float | None = None, rss_bytes: int | None = None
    ) -> None:
        """Records where a version answers; replaces an older address."""
        self._reserve(f"address {task}@{version}")
        self.remove(task, version)
        self._insert(
            AddressRow(tenant=self._tenant, task=task, version=version, url=url, load_s=load_s, rss_bytes=rss_bytes)
        )

    def remove(self, task: str, version: int) -> None:
        """Forgets a version's address; harmless when there is none."""
        self._change(self._delete(AddressRow, AddressRow.task == task, AddressRow.version == version))

    def list(self) -> tuple[Address, ...]:
        """All addresses, by task and version."""
        query = self._select(AddressRow).order_by(AddressRow.task, AddressRow.version)
        return tuple(Address(row.task, row.version, row.url, row.load_s, row.rss_bytes) for row in self._all(query))
