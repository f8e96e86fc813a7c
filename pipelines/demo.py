"""The main job with its servers around it, its table, and the addresses."""

import sys
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from pipelines import servers
from pipelines.choice import Choice, choose_here, put_in_copy
from pipelines.processes import alone_in, processes
from pipelines.steps import Steps, durations, print_table
from pipelines.wiring import Offline, offline


@dataclass(frozen=True)
class Request:
    """What the main job is asked to do."""

    task: str
    source: str  # empty: the task's own when its files are here, else its phantom
    preset: str
    approver: str


def run(request: Request, *, keep_serving: bool) -> None:
    """Start the servers, run the main job, print its table and the addresses; serve on until Ctrl-C when asked."""
    console = Console()
    steps = Steps(announce=lambda line: console.print(line, style="dim"))
    root = servers.with_free_ports(offline())
    choice = choose_here(request.task, requested=request.source, preset=request.preset, root=root)
    sign_in = servers.password_line(root)
    with alone_in(root.home), processes(logs=root.home / "logs", environment=root.environment) as running:
        with steps.step("servers") as results:
            servers.start_all(running, root)
            results.append("MLflow, Prefect and the online platform answer")
        _main_job(choice, request.approver, steps)
        print_table(console, steps, title=f"{request.task}: from images to a served, traced, monitored prediction")
        for line in durations(steps.seconds, environment=Path(sys.prefix)):
            console.print(line, highlight=False, soft_wrap=True)
        _print_addresses(console, root, sign_in=sign_in, serving=keep_serving)
        if keep_serving:
            servers.serve_until_stopped(running, announce=console.print)


def _main_job(choice: Choice, approver: str, steps: Steps) -> None:
    put_in_copy(choice, root=offline())
    # Prefect reads its settings on import: only now are they settled.
    from prefect.logging.handlers import APILogHandler

    from pipelines.lifecycle import lifecycle

    try:
        lifecycle(choice, approver=approver, steps=steps)
    finally:
        APILogHandler().flush()  # while the server still answers


def _print_addresses(console: Console, root: Offline, *, sign_in: str, serving: bool) -> None:
    console.print(f"The pages {'are' if serving else 'were'} at:")
    for name, url in (
        ("upload page", f"{servers.facade_url(root)}/"),
        ("interactive API", f"{servers.facade_url(root)}/docs"),
        ("MLflow", servers.mlflow_url(root)),
        ("Prefect", servers.prefect_url(root)),
    ):
        console.print(f"  {name:<16}{url}", highlight=False, soft_wrap=True)
    console.print(sign_in, highlight=False, soft_wrap=True)
