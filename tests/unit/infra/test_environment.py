"""Every process we start is told, in one place, to keep quiet and to keep its state at home."""

from pathlib import Path

from infra.clock import now
from infra.environment import NO_TELEMETRY, process_environment


def test_every_vendor_is_told_not_to_call_home() -> None:
    environment = process_environment()
    assert environment.items() >= NO_TELEMETRY.items()
    for name in (
        "DO_NOT_TRACK", "MLFLOW_DISABLE_TELEMETRY", "BENTOML_DO_NOT_TRACK", "PREFECT_SERVER_ANALYTICS_ENABLED",
        "ITERATIVE_DO_NOT_TRACK", "DVC_NO_ANALYTICS", "RAY_USAGE_STATS_ENABLED",
    ):  # fmt: skip
        assert name in environment


def test_state_threads_and_server_are_set_when_given(tmp_path: Path) -> None:
    environment = process_environment(home=tmp_path, prefect_api_url="http://127.0.0.1:4200/api", threads=2)
    assert environment["BENTOML_HOME"] == str(tmp_path / "bentoml")
    assert environment["PREFECT_HOME"] == str(tmp_path / "prefect")
    assert environment["PREFECT_API_URL"] == "http://127.0.0.1:4200/api"
    assert environment["OMP_NUM_THREADS"] == "2"
    assert "OMP_NUM_THREADS" not in process_environment()


def test_the_clock_tells_utc() -> None:
    offset = now().utcoffset()
    assert offset is not None
    assert offset.total_seconds() == 0
