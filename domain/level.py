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


class Aims(BaseModel):
    """What a level is meant for and to reach. Start-up cannot check these, and what is not built yet is in here too."""

    model_config = ConfigDict(frozen=True)

    compliance: tuple[str, ...]
    deployment: tuple[str, ...]
    secrets: Literal["files", "vault"]
    encryption_at_rest: bool
    upload_s: int  # a study is acknowledged in less
    inference_s: int  # and answered in less
    concurrent_users: int
    studies_a_day: int
    uptime_percent: float


class Level(BaseModel):
    """One column of the table of levels: what a level allows and requires."""

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
    aims: Aims  # told by GET /api/v1/about; nothing enforces them


_TECHNICAL = ("audit trail", "HIPAA technical safeguards", "break-glass")

LEVELS: dict[LevelName, Level] = {
    level.name: level
    for level in (
        Level(
            name=LevelName.STARTER, dicom="basic", demo_models=True, databases=frozenset({"sqlite", "postgresql"}),
            authentication="basic", worklist=False, tls_required=False, tenants="one", available=True,
            aims=Aims(
                compliance=(), deployment=("one command",), secrets="files", encryption_at_rest=False,
                upload_s=5, inference_s=10, concurrent_users=5, studies_a_day=100, uptime_percent=99.0,
            ),
        ),
        Level(
            name=LevelName.ENHANCED, dicom="full", demo_models=True, databases=frozenset({"sqlite", "postgresql"}),
            authentication="jwt", worklist=True, tls_required=False, tenants="one", available=True,
            aims=Aims(
                compliance=("audit trail",), deployment=("Compose",), secrets="files", encryption_at_rest=False,
                upload_s=15, inference_s=10, concurrent_users=10, studies_a_day=500, uptime_percent=99.5,
            ),
        ),
        Level(
            name=LevelName.CLINICAL, dicom="full", demo_models=False, databases=frozenset({"postgresql"}),
            authentication="jwt+mfa", worklist=True, tls_required=True, tenants="one", available=False,
            aims=Aims(
                compliance=_TECHNICAL, deployment=("Compose", "PostgreSQL", "Orthanc", "Prometheus", "Grafana"),
                secrets="files", encryption_at_rest=False,
                upload_s=30, inference_s=60, concurrent_users=50, studies_a_day=1_000, uptime_percent=99.5,
            ),
        ),
        Level(
            name=LevelName.ENTERPRISE, dicom="full", demo_models=False, databases=frozenset({"postgresql"}),
            authentication="oidc+mfa", worklist=True, tls_required=True, tenants="many", available=False,
            aims=Aims(
                compliance=(*_TECHNICAL, "FDA 510(k) and PCCP evidence", "21 CFR Part 11 signatures"),
                deployment=("Kubernetes", "autoscaling", "Istio", "Vault"), secrets="vault", encryption_at_rest=True,
                upload_s=30, inference_s=60, concurrent_users=1_000, studies_a_day=10_000, uptime_percent=99.9,
            ),
        ),
    )
}  # fmt: skip
_BUILT: frozenset[Authentication] = frozenset({"basic", "jwt"})


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
    tenants: int  # whose records the database holds, and this installation's own


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


def _authentication_is_built(facts: StartUp) -> str:
    built = facts.authentication in _BUILT
    return "" if built else f"authentication by {facts.authentication} is not built yet; choose basic or jwt"


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
    too_many = LEVELS[facts.level].tenants == "one" and facts.tenants > 1
    return f"only one tenant is allowed, and the database would hold {facts.tenants}" if too_many else ""


RULES: tuple[Callable[[StartUp], str], ...] = (
    _level_is_built, _database_allowed, _authentication_strong_enough, _authentication_is_built, _tls_present,
    _signing_key_long_enough, _no_demo_model, _no_demo_approval, _one_tenant,
)  # fmt: skip


def refusals(facts: StartUp) -> tuple[str, ...]:
    """Every reason why a process with this configuration must not start at its level; empty when it may."""
    return tuple(reason for rule in RULES if (reason := rule(facts)))
