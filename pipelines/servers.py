"""The servers of this installation, on loopback: MLflow and Prefect for engineers, the platform for clinicians."""

import signal
from collections.abc import Callable
from threading import Event

from pipelines.processes import Processes, alone_in, free_port, processes, require_free
from pipelines.wiring import Offline, configure

FACADE_USER = "clinician"
_READY_WITHIN_S = 120.0
_PLATFORM = "serving.wiring.platform"


def with_free_ports(root: Offline) -> Offline:
    """The same installation on ports nobody listens on; the configured ones where they are free."""
    wanted = root.settings
    ports = {
        name: str(free_port(getattr(wanted, name), host=wanted.host))
        for name in ("api_port", "gateway_port", "mlflow_port", "prefect_port")
    }
    return configure(prefect_api_url=f"http://{wanted.host}:{ports['prefect_port']}/api", **ports)


def start_all(running: Processes, root: Offline) -> None:
    """Start MLflow, Prefect and the platform side by side, and wait until each answers."""
    settings = root.settings
    listen = ("--host", settings.host, "--port")
    store = ("--backend-store-uri", settings.mlflow, "--default-artifact-root", settings.mlflow_artifact_root)
    _ = root.database  # migrated once, before several processes open it
    running.start("mlflow", "mlflow", "server", *listen, str(settings.mlflow_port), *store)
    running.start("prefect", "prefect", "server", "start", *listen, str(settings.prefect_port))
    running.start("platform", _PLATFORM)
    running.wait_until_ready("prefect", f"{settings.prefect_api_url}/health", timeout_s=_READY_WITHIN_S)
    running.wait_until_ready("mlflow", f"{mlflow_url(root)}/health", timeout_s=_READY_WITHIN_S)
    running.wait_until_ready("platform", f"{facade_url(root)}/healthz", timeout_s=_READY_WITHIN_S)


def serve_platform(root: Offline, *, announce: Callable[[str], None]) -> None:
    """The online platform alone, until Ctrl-C."""
    require_free(root.settings.api_port, host=root.settings.host, setting="FIDUCIAL_API_PORT")
    require_free(root.settings.gateway_port, host=root.settings.host, setting="FIDUCIAL_GATEWAY_PORT")
    with alone_in(root.home), processes(logs=root.home / "logs", environment=root.environment) as running:
        introduce = password_line(root)
        running.start("platform", _PLATFORM)
        running.wait_until_ready("platform", f"{facade_url(root)}/healthz", timeout_s=_READY_WITHIN_S)
        announce(f"The upload page is at {facade_url(root)}/. {introduce}")
        serve_until_stopped(running, announce=announce)


def serve_until_stopped(running: Processes, *, announce: Callable[[str], None]) -> None:
    """Wait for Ctrl-C, SIGTERM or the end of a server."""
    stopped = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    announce("Serving. Press Ctrl-C to end.")
    while not stopped.wait(timeout=1.0):
        for name in running.ended():
            announce(f"{name} has ended; its log is {running.logs / name}.log")
            return


def password_line(root: Offline) -> str:
    """How to sign in; a generated password is shown the first time only."""
    known = root.secrets.has_password(FACADE_USER)
    password = root.secrets.password(FACADE_USER)
    if known:
        return f"Sign in as {FACADE_USER}; the password is in {root.settings.secrets / FACADE_USER}.password"
    return f"Sign in as {FACADE_USER} with the password {password} (shown once; kept in {root.settings.secrets})"


def facade_url(root: Offline) -> str:
    """Where the clinical facade answers."""
    return f"http://{root.settings.host}:{root.settings.api_port}"


def mlflow_url(root: Offline) -> str:
    """Where the MLflow pages are."""
    return f"http://{root.settings.host}:{root.settings.mlflow_port}"


def prefect_url(root: Offline) -> str:
    """Where the Prefect pages are."""
    return (root.settings.prefect_api_url or "").removesuffix("/api")
