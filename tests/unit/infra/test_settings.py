"""Settings come from the environment, are checked, and are all documented."""

from pathlib import Path

import pytest

from domain.errors import InvalidSetting
from domain.level import LevelName
from infra.settings import Settings

DOCUMENT = Path(__file__).parent.parent.parent.parent / "docs" / "settings.md"


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"FIDUCIAL_{name.upper()}", raising=False)


def test_nothing_needs_to_be_set() -> None:
    settings = Settings()
    assert settings.level is LevelName.STARTER
    assert settings.database == f"sqlite:///{Path('.fiducial').resolve() / 'platform.db'}"
    assert settings.database_kind == "sqlite"
    assert settings.authentication_in_force == "basic"
    assert settings.data_mirror is None
    assert settings.gateway == "http://127.0.0.1:8010"
    assert settings.host == "127.0.0.1"


def test_the_environment_decides(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FIDUCIAL_LEVEL", "enhanced")
    monkeypatch.setenv("FIDUCIAL_HOME", str(tmp_path))
    monkeypatch.setenv("FIDUCIAL_DATABASE_URL", "postgresql+psycopg://fiducial@db/fiducial")
    settings = Settings()
    assert settings.limits_of_level.dicom == "full"
    assert settings.authentication_in_force == "jwt"
    assert settings.database_kind == "postgresql"
    assert settings.objects == tmp_path / "objects"
    assert settings.mlflow == f"sqlite:///{tmp_path}/mlflow.db"
    assert settings.mlflow_artifact_root == (tmp_path / "mlartifacts").as_uri()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LEVEL", "expert"), ("API_PORT", "70000"), ("TENANT", "../x"), ("MAX_PIXELS", "-1"), ("LOG_LEVEL", "LOUD"),
        ("DATABASE_URL", "nonsense"), ("DATABASE_URL", "mysql://u:hidden@db/x"), ("DATABASE_URL", "sqlite://"),
        ("DATABASE_URL", "postgresql://u:hidden@db/x"), ("DATABASE_URL", "postgresql+psycopg://u:hidden@db:port/x"),
    ],
)  # fmt: skip
def test_a_wrong_setting_stops_before_any_work(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"FIDUCIAL_{name}", value)
    with pytest.raises(InvalidSetting, match=f"^FIDUCIAL_{name}: .*docs/settings.md") as refused:
        Settings.from_environment()
    assert "hidden" not in str(refused.value)  # the password


def test_every_wrong_setting_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIDUCIAL_LEVEL", "expert")
    monkeypatch.setenv("FIDUCIAL_THREADS", "many")
    with pytest.raises(InvalidSetting, match=r"FIDUCIAL_LEVEL: .*; FIDUCIAL_THREADS: "):
        Settings.from_environment()


def documented() -> dict[str, tuple[str, str]]:
    rows = [line.strip("| \n").split(" | ") for line in DOCUMENT.read_text().splitlines() if line.startswith("| `")]
    return {name.strip("`"): (default, meaning) for name, default, meaning in rows}


def test_the_document_lists_exactly_the_settings_there_are() -> None:
    expected = {}
    for name, field in Settings.model_fields.items():
        default = "unset" if field.default is None else f"`{getattr(field.default, 'value', field.default)}`"
        expected[f"FIDUCIAL_{name.upper()}"] = (default, field.description)
    assert documented() == expected
