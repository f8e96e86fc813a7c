"""Commands around models: train, compare, validate, package, promote."""

from typing import Annotated

import typer

TaskName = Annotated[str, typer.Option(help="A file in models/tasks.")]
SourceName = Annotated[str, typer.Option(help="A file in data/sources; empty: the task's own when its files are here.")]
_TASK = "chest_xray_pneumonia"


def train(
    task: TaskName = _TASK,
    source: SourceName = "",
    preset: Annotated[str, typer.Option(help="demo, reference or smoke.")] = "demo",
) -> None:
    """Prepare the data and train every variant of a task, through the DVC stages; reuses what is current."""
    from pipelines import facts
    from pipelines.commands_data import prepare_in_copy
    from pipelines.results import read_trained
    from pipelines.wiring import offline

    prepare_in_copy(task, source=source, preset=preset)
    offline().reproduce(f"train@{task}")
    for line in facts.of_training(read_trained(task)):
        typer.echo(line)
    for model in read_trained(task):
        typer.echo(f"{model.variant}: MLflow run {model.run_id}")


def validate(
    task: TaskName = _TASK,
    by: Annotated[str, typer.Option(help="Who opens the test set; recorded in the ledger.")] = "demo",
) -> None:
    """Validate what was trained on its held-out test set, under the registered plan; print figures and reports."""
    from pipelines import facts, plans, validating
    from pipelines.results import read_reports, read_trained
    from pipelines.wiring import offline

    read_trained(task)
    plans.bring(task, offline().copy)
    validating.get_ready(task, by=by, root=offline())
    offline().reproduce(f"validate@{task}")
    reports = read_reports(task)
    for line in facts.of_validation(reports):
        typer.echo(line)
    for report in reports:
        typer.echo(f"report: {offline().store('reports', task, report.model.variant) / 'report.html'}")


def compare(
    run_a: Annotated[str, typer.Argument(metavar="RUN", help="An MLflow run.")],
    run_b: Annotated[str, typer.Argument(metavar="RUN", help="Another.")],
) -> None:
    """What differs between two runs: code, data, parameters, results."""
    from rich.console import Console
    from rich.table import Column, Table

    from models import tracking
    from pipelines.wiring import offline

    found = tracking.compare(offline().tracking, run_a, run_b)
    table = Table("part", *(Column(name, overflow="fold") for name in ("name", run_a[:12], run_b[:12])))
    for part in ("code", "data", "parameters", "results"):
        for difference in getattr(found, part):
            table.add_row(part, difference.name, difference.a or "–", difference.b or "–")
    Console().print(table)
    if found.same_inputs:
        typer.echo("Code, data and parameters are the same.")


def package(
    task: TaskName = _TASK,
    approver: Annotated[str, typer.Option(help="Who approves; recorded in the manifest.")] = "demo",
) -> None:
    """Register every validated variant in MLflow and build its Bento, without changing who serves."""
    from pipelines import promotion
    from pipelines.candidates import candidates
    from pipelines.wiring import offline

    for candidate in candidates(task, approver=approver, root=offline()):
        built = promotion.package(task, candidate, approver=approver, root=offline())
        typer.echo(f"{built.manifest.model_version} ({built.manifest.variant}): {built.path}")


def promote(
    task: TaskName = _TASK,
    approver: Annotated[str, typer.Option(help="Who approves; recorded in manifest, policy and audit trail.")] = "demo",
    why: Annotated[str, typer.Option(help="Why; recorded in the policy.")] = "",
) -> None:
    """Ask the gate about the validated variants, and put what it promotes into service."""
    from pipelines import facts, plans, promotion
    from pipelines.results import read_trained
    from pipelines.wiring import offline

    read_trained(task)
    plans.bring(task, offline().copy)
    for line in facts.of_promotion(promotion.put_in_force(task, approver=approver, root=offline(), why=why)):
        typer.echo(line)
