"""The environment of every process we start: vendors' telemetry off, their state below our home. One place."""

from pathlib import Path

NO_TELEMETRY = {
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "BENTOML_DO_NOT_TRACK": "True",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_V2_ENABLED": "false",  # its pages ask a tracker's host whatever the line above says; V1's do not
    "ITERATIVE_DO_NOT_TRACK": "1",
    "DVC_NO_ANALYTICS": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "TF_BUILD": "1",  # openvino_telemetry asks nothing else: only a CI machine keeps it from sending on import
}

QUIET_ENGINES = {
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # else nine more processes and 2.3 GB
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
    "MPLBACKEND": "Agg",
}


def process_environment(
    *, home: Path | None = None, prefect_api_url: str | None = None, threads: int | None = None
) -> dict[str, str]:
    """What to add to the environment of a process.

    Args:
        home: the platform's home; BentoML's and Prefect's state go below it.
        prefect_api_url: the Prefect server flows report to.
        threads: of numerical libraries; two of torch beside another busy process are several times slower than one.
    """
    environment = {**NO_TELEMETRY, **QUIET_ENGINES}
    if home is not None:
        environment |= {
            "PREFECT_HOME": str(home.resolve() / "prefect"),
            "BENTOML_HOME": str(home.resolve() / "bentoml"),
        }
    if prefect_api_url is not None:
        environment["PREFECT_API_URL"] = prefect_api_url
    if threads is not None:
        environment |= dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads))
    return environment
