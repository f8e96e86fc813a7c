"""What the online composition roots share: settings, logs, database, the level's refusals, an HTTP server."""

import logging
import sys
from collections.abc import Callable
from typing import Any

import uvicorn

from domain.errors import FiducialError, ForbiddenByLevel
from domain.identifiers import Tenant
from domain.level import StartUp, refusals
from imaging.limits import Limits
from infra import logs
from infra.db.session import Database
from infra.secrets import Secrets
from infra.settings import Settings

_DEMO_APPROVER = "demo"


def start() -> tuple[Settings, Database]:
    """Settings from the environment and the migrated database, or a refusal by the level.

    Raises:
        InvalidSetting: a variable has a value it does not take.
        ForbiddenByLevel: the configuration is not allowed at the chosen level.
    """
    logs.configure()  # before the settings say how, for they may be wrong
    settings = Settings.from_environment()
    logs.configure(level=settings.log_level)
    for chatty in ("httpx", "alembic"):  # a line for each call, and for each process that finds nothing to migrate
        logging.getLogger(chatty).setLevel(logging.WARNING)
    _refuse(_facts(settings))  # before anything is opened
    database = Database(settings.database)
    database.migrate()
    _refuse(_facts(settings).model_copy(update=_facts_of_records(database, settings.tenant)))
    return settings, database


def run(main: Callable[[], None]) -> None:
    """Run a root's main function; an error of ours ends it with one sentence and its exit code."""
    try:
        main()
    except FiducialError as error:
        logs.get("serving").error("refused to start", reason=str(error), code=error.code)
        sys.exit(error.exit_code)


def _facts(settings: Settings) -> StartUp:
    return StartUp(
        level=settings.level,
        database=settings.database_kind,
        authentication=settings.authentication_in_force,
        behind_tls=settings.behind_tls,
        signing_key_bytes=len(Secrets(settings.secrets).signing_key),
        serves_demo_model=False,
        demo_approved_versions=(),
        tenants=1,
    )


def _facts_of_records(database: Database, tenant: Tenant) -> dict[str, object]:
    """Whether the demo classifier would answer, which answering versions only "demo" approved, how many tenants."""
    with database.unit_of_work(tenant, read_only=True) as work:
        policies = work.traffic.all_current()
        answering = [
            work.model_versions.get(policy.task, version).manifest for policy in policies for version in policy.visible
        ]
    names = tuple(manifest.model_version for manifest in answering if manifest.approver == _DEMO_APPROVER)
    tenants = len(database.tenants() | {tenant})
    return {"serves_demo_model": not policies, "demo_approved_versions": names, "tenants": tenants}


def limits_of(settings: Settings) -> Limits:
    """The limits of one image."""
    return Limits(max_bytes=settings.max_upload_bytes, max_pixels=settings.max_pixels, min_side_px=settings.min_side_px)


def serve(app: Any, *, host: str, port: int) -> None:
    """Serve an ASGI application until SIGTERM or SIGINT; requests in flight are finished first."""
    uvicorn.run(
        app,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        backlog=4096,
        timeout_graceful_shutdown=10,
    )


def _refuse(start_up: StartUp) -> None:
    reasons = refusals(start_up)
    if reasons:
        raise ForbiddenByLevel(
            f"The level {start_up.level} refuses to start: {'; '.join(reasons)}.", next_step="Change that or the level."
        )
