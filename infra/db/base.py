"""Tables' common parts: the declarative base, the tenant of every row, UTC time, and the tenant-scoped repository."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    DateTime,
    Delete,
    Dialect,
    Integer,
    MetaData,
    Select,
    String,
    TypeDecorator,
    Update,
    delete,
    select,
    text,
    update,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from domain.identifiers import Tenant

OPAQUE = 64  # longest opaque identifier, UID (PS3.5 9.1) or SHA-256 in hexadecimal digits
NAME = 200


class UtcDateTime(TypeDecorator[datetime]):
    """An aware instant, kept in UTC. SQLite forgets the zone, so it is taken off and put back."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To the database."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone cannot be stored")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """From the database."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """Every table; constraint names are fixed so that migrations can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UtcDateTime}  # noqa: RUF012 - SQLAlchemy's own declaration


class TenantRow(Base):
    """A row of one tenant. The tenant leads every key, so no row can refer to another tenant's."""

    __abstract__ = True

    tenant: Mapped[str] = mapped_column(String(OPAQUE), primary_key=True, sort_order=-1)


class SerialRow(TenantRow):
    """A row numbered by the database. With ``sqlite_autoincrement`` a number is never used again."""

    __abstract__ = True

    number: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True, sort_order=-2
    )
    tenant: Mapped[str] = mapped_column(String(OPAQUE), sort_order=-1)


RowT = TypeVar("RowT", bound=TenantRow)


class Repository:
    """Queries over one noun, always inside one tenant: the only place where statements are begun."""

    def __init__(self, session: Session, *, tenant: Tenant, writing: bool) -> None:
        self._session = session
        self._tenant = tenant
        self._writing = writing

    def _select(self, row: type[RowT], *where: ColumnElement[bool]) -> Select[RowT]:
        return select(row).where(row.tenant == self._tenant, *where)

    def _update(self, row: type[RowT], *where: ColumnElement[bool]) -> Update:
        return update(row).where(row.tenant == self._tenant, *where)

    def _delete(self, row: type[RowT], *where: ColumnElement[bool]) -> Delete:
        return delete(row).where(row.tenant == self._tenant, *where)

    def _one(self, query: Select[RowT]) -> RowT | None:
        return self._session.scalars(query.limit(1)).first()

    def _all(self, query: Select[RowT]) -> Sequence[RowT]:
        return self._session.scalars(query).all()

    def _insert(self, row: TenantRow) -> None:
        if row.tenant != self._tenant:
            raise ValueError("a row of another tenant cannot be written here")
        self._must_write()
        self._session.add(row)
        self._session.flush()

    def _change(self, statement: Update | Delete) -> int:
        """Carries out a scoped statement; how many rows it touched."""
        self._must_write()
        outcome: Any = self._session.execute(statement, execution_options={"synchronize_session": False})
        self._session.expire_all()
        return int(outcome.rowcount)

    def _reserve(self, name: str) -> None:
        """Keeps others from writing what ``name`` stands for until this unit of work ends.

        SQLite's writer is alone already; PostgreSQL needs a lock on a row that does not exist yet.
        """
        self._must_write()
        if self._session.get_bind().dialect.name == "postgresql":
            digest = hashlib.sha256(f"{self._tenant}\0{name}".encode()).digest()
            key = int.from_bytes(digest[:8], "big", signed=True)
            self._session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})

    def _must_write(self) -> None:
        if not self._writing:
            raise RuntimeError("this unit of work only reads")
