"""Settings of the platform, from ``FIDUCIAL_*`` in the environment; ``docs/settings.md`` lists them."""

from pathlib import Path

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from domain.errors import InvalidSetting
from domain.identifiers import DEFAULT_TENANT, Tenant
from domain.level import LEVELS, Authentication, Database, Level, LevelName


class Settings(BaseSettings):
    """One installation's configuration. Only composition roots read it."""

    model_config = SettingsConfigDict(env_prefix="FIDUCIAL_", frozen=True, extra="ignore")

    level: LevelName = Field(LevelName.STARTER, description="Set of defaults and start-up checks (domain/level.py).")
    home: Path = Field(Path(".fiducial"), description="Folder of everything the platform keeps.")
    tenant: Tenant = Field(
        DEFAULT_TENANT, description="The tenant this installation serves.", pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$"
    )
    data_mirror: Path | None = Field(
        None, description="Folder with `<source>/<file>` of published datasets; unset: fetch or phantom."
    )
    database_url: str | None = Field(
        None, description="`sqlite:///…` or `postgresql+psycopg://…`; unset: `platform.db` in the home."
    )
    mlflow_uri: str | None = Field(None, description="MLflow tracking and registry; unset: `mlflow.db` in the home.")
    mlflow_artifacts: str | None = Field(
        None, description="Where MLflow keeps artifacts; unset: `mlartifacts` in the home."
    )
    prefect_api_url: str | None = Field(
        None, description="Prefect server's API; unset: one is started for each flow run."
    )
    host: str = Field("127.0.0.1", description="Address the facade and the gateway listen on.")
    api_port: int = Field(8000, description="Port of the clinical facade.", ge=0, le=65535)
    gateway_port: int = Field(8010, description="Port of the gateway.", ge=0, le=65535)
    gateway_url: str | None = Field(
        None, description="Where the facade and worker find the gateway; unset: its port on loopback."
    )
    services_port: int = Field(
        8020, description="First port for Bento services; each takes the next free one.", ge=0, le=65535
    )
    mlflow_port: int = Field(5000, description="Port of the MLflow pages.", ge=0, le=65535)
    prefect_port: int = Field(4200, description="Port of the Prefect server.", ge=0, le=65535)
    authentication: Authentication | None = Field(None, description="`basic`, `jwt` …; unset: what the level asks for.")
    behind_tls: bool = Field(False, description="True when TLS ends in front of the facade.")
    max_upload_bytes: int = Field(64 * 2**20, description="Largest upload; more is refused unread.", gt=0)
    max_pixels: int = Field(36_000_000, description="Most pixels of one image; more is refused before decoding.", gt=0)
    min_side_px: int = Field(32, description="Fewest rows and columns of an image.", gt=0)
    lease_s: float = Field(60.0, description="Seconds a worker may hold a message before another takes it.", gt=0)
    max_attempts: int = Field(5, description="Attempts at a prediction before it is recorded as failed.", gt=0)
    threads: int = Field(1, description="Threads of numerical libraries in each process.", gt=0)
    engine_threads: int | None = Field(
        None, description="Threads of a model version's engine; unset: one for each core.", gt=0
    )
    repeat_engine: str | None = Field(
        None,
        description="`VARIANT=ENGINE/PRECISION` that a training repeats, not chooses; set by `fiducial reproduce`.",
        pattern=r"^[a-z0-9-]+=(onnxruntime|openvino)/(fp32|bf16|int8)$",
    )
    log_level: str = Field("INFO", description="Least severe log line written.", pattern="^(DEBUG|INFO|WARNING|ERROR)$")

    @classmethod
    def from_environment(cls) -> "Settings":
        """The settings of this process.

        Raises:
            InvalidSetting: a variable has a value it does not take; the message never quotes it, for it may be secret.
        """
        try:
            return cls()
        except ValidationError as error:
            wrong = "; ".join(f"{_variable(one['loc'][0])}: {_rule(one['msg'])}" for one in error.errors())
        raise InvalidSetting(f"{wrong}.", next_step="docs/settings.md lists every setting; unset it for its default.")

    @field_validator("database_url")
    @classmethod
    def _database_is_one_we_speak_to(cls, url: str | None) -> str | None:
        if url is not None and not _names_a_database(url):
            raise ValueError("it takes sqlite:///PATH or postgresql+psycopg://USER:PASSWORD@HOST:PORT/NAME")
        return url

    @property
    def limits_of_level(self) -> Level:
        """The level's row of the table."""
        return LEVELS[self.level]

    @property
    def authentication_in_force(self) -> Authentication:
        """The chosen authentication, or the level's own."""
        return self.authentication or self.limits_of_level.authentication

    @property
    def database(self) -> str:
        """SQLAlchemy's address of the platform's database."""
        return self.database_url or f"sqlite:///{self.home.resolve() / 'platform.db'}"

    @property
    def database_kind(self) -> Database:
        """Which of the databases a level may allow."""
        return "postgresql" if self.database.startswith("postgresql") else "sqlite"

    @property
    def mlflow(self) -> str:
        """MLflow's tracking and registry address."""
        return self.mlflow_uri or f"sqlite:///{self.home.resolve() / 'mlflow.db'}"

    @property
    def mlflow_artifact_root(self) -> str:
        """Where MLflow keeps artifacts."""
        return self.mlflow_artifacts or (self.home.resolve() / "mlartifacts").as_uri()

    @property
    def gateway(self) -> str:
        """Where the gateway answers."""
        return self.gateway_url or f"http://127.0.0.1:{self.gateway_port}"

    @property
    def objects(self) -> Path:
        """Folder of the object store."""
        return self.home / "objects"

    @property
    def heartbeats(self) -> Path:
        """Folder of the files that loops without a port touch."""
        return self.home / "heartbeats"

    @property
    def secrets(self) -> Path:
        """Folder of the secrets."""
        return self.home / "secrets"


def _names_a_database(url: str) -> bool:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # ValueError: the port is no number
        return False
    return parsed.drivername == "postgresql+psycopg" or (parsed.drivername == "sqlite" and bool(parsed.database))


def _variable(field: object) -> str:
    return f"FIDUCIAL_{str(field).upper()}"


def _rule(message: str) -> str:
    rule = message.removeprefix("Value error, ")
    return rule[:1].lower() + rule[1:]
