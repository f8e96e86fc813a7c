"""The database and its unit of work: one tenant, one transaction, the only commit."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, create_engine, event, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError, InterfaceError, OperationalError, TimeoutError
from sqlalchemy.orm import Session

from domain.errors import Conflict, Refused, Unavailable
from domain.identifiers import Tenant
from infra.db.addresses import Addresses
from infra.db.arm_rows import ArmRows
from infra.db.audit import AuditHeadRow, AuditLog
from infra.db.base import Base
from infra.db.decisions import Decisions
from infra.db.evidence_files import EvidenceFiles
from infra.db.experiments import Experiments
from infra.db.feature_rows import FeatureRows
from infra.db.ledger import Ledger
from infra.db.model_versions import ModelVersions
from infra.db.outbox import Outbox
from infra.db.plans import Plans
from infra.db.predictions import Predictions
from infra.db.reviews import Reviews
from infra.db.shadow_scores import ShadowScores
from infra.db.signatures import Signatures
from infra.db.signers import Signers
from infra.db.stop_rules import StopRules
from infra.db.studies import Studies
from infra.db.traffic import Traffic
from infra.db.traffic_events import TrafficEvents

_MIGRATIONS = Path(__file__).parent.parent / "migrations"
_BUSY_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class UnitOfWork:
    """The repositories of one tenant in one transaction."""

    tenant: Tenant
    studies: Studies
    predictions: Predictions
    outbox: Outbox
    model_versions: ModelVersions
    traffic: Traffic
    addresses: Addresses
    feature_rows: FeatureRows
    shadow_scores: ShadowScores
    arm_rows: ArmRows
    reviews: Reviews
    experiments: Experiments
    stop_rules: StopRules
    traffic_events: TrafficEvents
    plans: Plans
    ledger: Ledger
    decisions: Decisions
    signers: Signers
    signatures: Signatures
    evidence_files: EvidenceFiles
    audit: AuditLog


class Database:
    """One engine with its pool; share it between threads, use each unit of work in one."""

    def __init__(self, url: str) -> None:
        self._engine = _engine(url)

    @property
    def engine(self) -> Engine:
        """For Alembic and tests; everything else goes through a unit of work."""
        return self._engine

    def migrate(self) -> None:
        """Brings the tables to the newest revision; safe when several processes start at once.

        Raises:
            Unavailable: the database does not answer, or the file is none.
        """
        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
        config.attributes.update(engine=self._engine, tables=Base.metadata)
        with _MIGRATING, _translated_errors():
            if self._engine.dialect.name == "sqlite":
                _use_write_ahead_log(self._engine)
            command.upgrade(config, "head")

    @contextmanager
    def unit_of_work(self, tenant: Tenant, *, read_only: bool = False) -> Iterator[UnitOfWork]:
        """One transaction of one tenant: committed when the block ends, undone when it raises.

        A read-only unit never waits for a writer and is always undone.

        Raises:
            Conflict: the same thing was written by somebody else at the same moment.
            Refused: something kept for good was to be altered or deleted.
            Unavailable: the database does not answer, or stays locked.
        """
        with _translated_errors(), self._engine.connect() as connection:
            connection = connection.execution_options(fiducial_read_only=read_only)
            with Session(connection, expire_on_commit=False) as session:
                work = _unit_of_work(session, tenant=tenant, writing=not read_only)
                yield work
                if not read_only:
                    work.audit.write()
                    session.commit()

    def tenants(self) -> frozenset[Tenant]:
        """Whose records lie here: every tenant's first record is accompanied by an audit event."""
        # The one question that no unit of work can answer, since each sees a single tenant.
        with _translated_errors(), self._engine.connect() as connection:
            connection = connection.execution_options(fiducial_read_only=True)
            return frozenset(Tenant(tenant) for tenant in connection.scalars(select(AuditHeadRow.tenant)))

    def close(self) -> None:
        """Closes the pool's connections."""
        self._engine.dispose()


_MIGRATING = threading.Lock()  # Alembic keeps its context in a module: one migration at a time in a process


def _unit_of_work(session: Session, *, tenant: Tenant, writing: bool) -> UnitOfWork:
    return UnitOfWork(
        tenant=tenant,
        studies=Studies(session, tenant=tenant, writing=writing),
        predictions=Predictions(session, tenant=tenant, writing=writing),
        outbox=Outbox(session, tenant=tenant, writing=writing),
        model_versions=ModelVersions(session, tenant=tenant, writing=writing),
        traffic=Traffic(session, tenant=tenant, writing=writing),
        addresses=Addresses(session, tenant=tenant, writing=writing),
        feature_rows=FeatureRows(session, tenant=tenant, writing=writing),
        shadow_scores=ShadowScores(session, tenant=tenant, writing=writing),
        arm_rows=ArmRows(session, tenant=tenant, writing=writing),
        reviews=Reviews(session, tenant=tenant, writing=writing),
        experiments=Experiments(session, tenant=tenant, writing=writing),
        stop_rules=StopRules(session, tenant=tenant, writing=writing),
        traffic_events=TrafficEvents(session, tenant=tenant, writing=writing),
        plans=Plans(session, tenant=tenant, writing=writing),
        ledger=Ledger(session, tenant=tenant, writing=writing),
        decisions=Decisions(session, tenant=tenant, writing=writing),
        signers=Signers(session, tenant=tenant, writing=writing),
        signatures=Signatures(session, tenant=tenant, writing=writing),
        evidence_files=EvidenceFiles(session, tenant=tenant, writing=writing),
        audit=AuditLog(session, tenant=tenant, writing=writing),
    )


@contextmanager
def _translated_errors() -> Iterator[None]:
    # "from None": a driver's message quotes the row it could not write.
    try:
        yield
    except IntegrityError as error:
        if "append-only" in str(error.orig):  # the triggers' word: see infra/migrations/versions
            raise Refused("A record of this kind is never altered or deleted.", next_step="Add a new one.") from None
        raise Conflict("The same thing was just written by somebody else.", next_step="Read it and retry.") from None
    except (OperationalError, InterfaceError, TimeoutError, sqlite3.DatabaseError) as error:
        reason = type(error.__cause__ or error).__name__
        raise Unavailable(f"The database does not answer ({reason}).", next_step="Check it and retry.") from None


def _engine(url: str) -> Engine:
    parsed = make_url(url)
    options: dict[str, Any] = {"hide_parameters": True}
    if parsed.get_backend_name() != "sqlite":
        engine = create_engine(parsed, pool_pre_ping=True, pool_size=10, max_overflow=20, **options)
        event.listen(engine, "begin", _begin_postgresql)
        return engine
    if parsed.database:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(parsed, connect_args={"timeout": _BUSY_TIMEOUT_S}, pool_size=10, max_overflow=20, **options)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _begin_postgresql(connection: Any) -> None:
    if connection.get_execution_options().get("fiducial_read_only"):
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")


def _begin_sqlite(connection: Any) -> None:
    # A deferred transaction that turns writer later fails at once when another writer came between.
    read_only = connection.get_execution_options().get("fiducial_read_only")
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


def _prepare_sqlite(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # SQLAlchemy begins transactions, not the driver
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = FULL")  # an acknowledged study survives a power cut


def _use_write_ahead_log(engine: Engine) -> None:
    # A property of the file, so set once; not possible inside a transaction.
    connection = engine.raw_connection()
    try:
        connection.cursor().execute("PRAGMA journal_mode = WAL")
    finally:
        connection.close()
