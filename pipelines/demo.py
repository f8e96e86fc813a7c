"""The main job with its servers around it: MLflow, Prefect and the online platform, on loopback."""

import signal
from dataclasses import dataclass
from threading import Event

from rich.console import Console

from pipelines import working_copy
from pipelines.choice import Choice, choose
from pipelines.processes import Processes, free_port, processes
from pipelines.steps import Steps, print_table
from pipelines.wiring import PROJECT, Offline, configure, offline

_READY_WITHIN_S = 120.0
FACADE_USER = "clinician"


@dataclass(frozen=True)
class Request:
    """What the main job is asked to do."""

    task: str
    source: str  # empty: the task's own when its files are here, else its phantom
    preset: str
    approver: str


def run(request: Request, *, keep_serving: bool, console: Console) -> None:
    """Start the servers, run the main job, print its table and the addresses; serve on until Ctrl-C when asked."""
    root = _with_free_ports(offline())
    choice = choose(
        request.task,
        requested=request.source,
        preset=request.preset,
        mirror=root.settings.data_mirror,
        raw=root.store("raw"),
    )
    console.print(f"Data: {choice.note}")
    with processes(logs=root.home / "logs", environment=root.environment) as running:
        steps = Steps(announce=lambda line: console.print(line, style="dim"))
        with steps.step("servers") as results:
            _start_servers(running, root)
            results.append("MLflow, Prefect and the online platform answer")
        _main_job(choice, request.approver, steps)
        print_table(console, steps, title=f"{request.task}: from images to a served, traced, monitored prediction")
        _print_addresses(console, root, serving=keep_serving)
        if keep_serving:
            _serve_until_stopped(running, console)


def _main_job(choice: Choice, approver: str, steps: Steps) -> None:
    working_copy.refresh(offline().copy, project=PROJECT)
    working_copy.choose(
        offline().copy, task=choice.task, source=choice.source, external=choice.external, preset=choice.preset
    )
    from pipelines.lifecycle import lifecycle  # Prefect reads its settings on import: after `configure`

    lifecycle(choice, approver=approver, steps=steps)


def _with_free_ports(root: Offline) -> Offline:
    wanted = root.settings
    ports = {
        name: str(free_port(getattr(wanted, name), host=wanted.host))
        for name in ("api_port", "gateway_port", "mlflow_port", "prefect_port")
    }
    return configure(prefect_api_url=f"http://{wanted.host}:{ports['prefect_port']}/api", **ports)


def _start_servers(running: Processes, root: Offline) -> None:
    settings = root.settings
    listen = ("--host", settings.host, "--port")
    root.secrets.password(FACADE_USER)
    _ = root.database  # migrated once, before several processes open it
    store = ("--backend-store-uri", settings.mlflow, "--default-artifact-root", settings.mlflow_artifact_root)
    running.start("mlflow", "mlflow", "server", *listen, str(settings.mlflow_port), *store)
    running.start("prefect", "prefect", "server", "start", *listen, str(settings.prefect_port))
    running.start("platform", "serving.wiring.platform")
    running.wait_until_ready("prefect", f"{settings.prefect_api_url}/health", timeout_s=_READY_WITHIN_S)
    running.wait_until_ready("mlflow", f"{mlflow_url(root)}/health", timeout_s=_READY_WITHIN_S)
    running.wait_until_ready("platform", f"{facade_url(root)}/healthz", timeout_s=_READY_WITHIN_S)


def facade_url(root: Offline) -> str:
    """Where the clinical facade answers."""
    return f"http://{root.settings.host}:{root.settings.api_port}"


def mlflow_url(root: Offline) -> str:
    """Where the MLflow pages are."""
    return f"http://{root.settings.host}:{root.settings.mlflow_port}"


def _print_addresses(console: Console, root: Offline, *, serving: bool) -> None:
    verb = "are at" if serving else "were at"
    console.print(f"The pages {verb}:")
    prefect = (root.settings.prefect_api_url or "").removesuffix("/api")
    for name, url in (
        ("upload page", f"{facade_url(root)}/"),
        ("interactive API", f"{facade_url(root)}/docs"),
        ("MLflow", mlflow_url(root)),
        ("Prefect", prefect),
    ):
        console.print(f"  {name:<16}{url}", highlight=False, soft_wrap=True)
    console.print(
        f"Log in as {FACADE_USER}; the password is in {root.settings.secrets / FACADE_USER}.password",
        highlight=False, soft_wrap=True,
    )  # fmt: skip


def _serve_until_stopped(running: Processes, console: Console) -> None:
    stopped = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    console.print("Serving. Press Ctrl-C to end.")
    while not stopped.wait(timeout=1.0):
        for name in running.ended():
            console.print(f"{name} has ended; its log is {running.logs / name}.log", style="red")
            return
