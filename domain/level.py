"""The four levels: one table of defaults and limits, and the rules that refuse what a level forbids at start-up."""

from collections.abc import Callable
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict

Database = Literal["sqlite", "postgresql"]
Authentication = Literal["basic", "jwt", "jwt+mfa", "oidc+mfa"]
DicomScope = Literal["basic", "full"]  # basic: uncompressed single-frame upload; full: every transfer syntax we decode


class LevelName(StrEnum):
    """What ``FIDUCIAL_LEVEL`` may say."""

    STARTER = "starter"
    ENHANCED = "enhanced"
    CLINICAL = "clinical"
    ENTERPRISE = "enterprise"


class Level(BaseModel):
    """One row of the table in MISSION: what a level allows and requires."""

    model_config = ConfigDict(frozen=True)

    name: LevelName
    dicom: DicomScope
    demo_models: bool  # the demo classifier and approvals by "demo"
    databases: frozenset[Database]
    authentication: Authentication
    worklist: bool
    tls_required: bool
    tenants: Literal["one", "many"]
    available: bool  # False: its parts are not all built, so it refuses to start


LEVELS: dict[LevelName, Level] = {
    level.name: level
    for level in (
        Level(
            name=LevelName.STARTER, dicom="basic", demo_models=True, databases=frozenset({"sqlite", "postgresql"}),
            authentication="basic", worklist=False, tls_required=False, tenants="one", available=True,
        ),
        Level(
            name=LevelName.ENHANCED, dicom="full", demo_models=True, databases=frozenset({"sqlite", "postgresql"}),
            authentication="jwt", worklist=True, tls_required=False, tenants="one", available=True,
        ),
        Level(
            name=LevelName.CLINICAL, dicom="full", demo_models=False, databases=frozenset({"postgresql"}),
            authentication="jwt+mfa", worklist=True, tls_required=True, tenants="one", available=False,
        ),
        Level(
            name=LevelName.ENTERPRISE, dicom="full", demo_models=False, databases=frozenset({"postgresql"}),
            authentication="oidc+mfa", worklist=True, tls_required=True, tenants="many", available=False,
        ),
    )
}  # fmt: skip


class StartUp(BaseModel):
    """The facts a process knows of its own configuration when it starts."""

    model_config = ConfigDict(frozen=True)

    level: LevelName
    database: Database
    authentication: Authentication
    behind_tls: bool
    signing_key_bytes: int  # length of the secret that signs tokens; 0 when there is none
    serves_demo_model: bool
    demo_approved_versions: tuple[str, ...]  # champions and challengers approved by "demo"
    tenants: int


def _level_is_built(facts: StartUp) -> str:
    return "" if LEVELS[facts.level].available else "not all of its parts are built yet; choose starter or enhanced"


def _database_allowed(facts: StartUp) -> str:
    allowed = LEVELS[facts.level].databases
    return (
        ""
        if facts.database in allowed
        else f"the database must be {' or '.join(sorted(allowed))}, not {facts.database}"
    )


def _authentication_strong_enough(facts: StartUp) -> str:
    order: list[Authentication] = ["basic", "jwt", "jwt+mfa", "oidc+mfa"]
    needed = LEVELS[facts.level].authentication
    return "" if order.index(facts.authentication) >= order.index(needed) else f"authentication must be {needed}"


def _tls_present(facts: StartUp) -> str:
    return "TLS must end in front of the facade" if LEVELS[facts.level].tls_required and not facts.behind_tls else ""


def _signing_key_long_enough(facts: StartUp) -> str:
    # RFC 7518 3.2: an HS256 key is at least 256 bits long.
    weak = facts.authentication != "basic" and facts.signing_key_bytes < 32
    return "the token signing key must have at least 32 bytes" if weak else ""


def _no_demo_model(facts: StartUp) -> str:
    forbidden = facts.serves_demo_model and not LEVELS[facts.level].demo_models
    return "the demo classifier may not answer; promote a validated model version" if forbidden else ""


def _no_demo_approval(facts: StartUp) -> str:
    if LEVELS[facts.level].demo_models or not facts.demo_approved_versions:
        return ""
    return f"{', '.join(facts.demo_approved_versions)} approved only by 'demo'; have a named person approve"


def _one_tenant(facts: StartUp) -> str:
    return "only one tenant is allowed" if LEVELS[facts.level].tenants == "one" and facts.tenants > 1 else ""


RULES: tuple[Callable[[StartUp], str], ...] = (
    _level_is_built, _database_allowed, _authentication_strong_enough, _tls_present, _signing_key_long_enough,
    _no_demo_model, _no_demo_approval, _one_tenant,
)  # fmt: skip


def refusals(facts: StartUp) -> tuple[str, ...]:
    """Every reason why a process with this configuration must not start at its level; empty when it may."""
    return tuple(reason for rule in RULES if (reason := rule(facts)))
