"""Commands around live traffic's evidence: declare and show a comparison; declare and show stop rules."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from domain.experiment import StopRule

app = typer.Typer(help="Comparisons of two versions on live traffic.", no_args_is_help=True)
rules = typer.Typer(help="Rules that stop a version without a person.", no_args_is_help=True)

Task = Annotated[str, typer.Argument(help="A task with a traffic policy.")]
File = Annotated[Path, typer.Argument(help="A YAML file; docs/how-to/watch-live-traffic.md tells of it.")]
By = Annotated[str, typer.Option(help="Who declares; recorded.")]
Why = Annotated[str, typer.Option(help="The reason; recorded with it.")]


@app.command("declare")
def declare_experiment(file: File, by: By, why: Why) -> None:
    """Fix a comparison before its first patient: endpoint, margin, error, size, looks, guards."""
    import uuid

    from infra.clock import now
    from pipelines import experiments
    from pipelines.wiring import offline

    identifier = f"ex_{uuid.uuid4().hex}"
    kept = experiments.declare(file.read_bytes(), identifier, by=by, why=why, root=offline(), now=now())
    declaration = kept.declaration
    typer.echo(f"{kept.experiment_id}: {declaration.task}@{declaration.challenger} against @{declaration.champion}")
    typer.echo(f"declared by {kept.declared_by} at {kept.declared_at:%Y-%m-%d %H:%M:%S} UTC")


@app.command("show")
def show_experiment(
    task: Task, as_json: Annotated[bool, typer.Option("--json", help="All of it, as JSON.")] = False
) -> None:
    """Each version's figures, its stop rules, the newest comparison with its decision, what the watch did."""
    from pipelines import experiment_tables, experiments
    from pipelines.wiring import offline

    found = experiments.live(task, root=offline())
    if as_json:
        typer.echo(found.model_dump_json(indent=2))
        return
    experiment_tables.show(found)


@app.command("list")
def list_experiments() -> None:
    """Every comparison that was ever declared, and what ended it."""
    from pipelines import experiment_tables, experiments
    from pipelines.wiring import offline

    found = experiments.every(offline())
    if not found:
        typer.echo("No comparison was declared yet: `fiducial experiment declare` takes one.")
        return
    experiment_tables.show_all(found)


@rules.command("declare")
def declare_rules(task: Task, file: File, by: By, why: Why) -> None:
    """Put a file's stop rules in force for a task, in place of those before."""
    from infra.clock import now
    from pipelines import experiments
    from pipelines.wiring import offline

    kept = experiments.declare_rules(task, file.read_bytes(), by=by, why=why, root=offline(), now=now())
    typer.echo(f"{task}: {len(kept)} stop rules in force, declared by {by.strip()}")
    _print_rules(kept)


@rules.command("show")
def show_rules(
    task: Task, as_json: Annotated[bool, typer.Option("--json", help="The rules, as JSON.")] = False
) -> None:
    """The stop rules in force for a task, and who declared them."""
    import json

    from infra import traffic_changes
    from pipelines.wiring import offline

    root = offline()
    with root.database.unit_of_work(root.tenant, read_only=True) as work:
        traffic_changes.in_force(work, task)
        declared, in_force = work.stop_rules.list(task), work.stop_rules.in_force(task)
    if as_json:
        typer.echo(json.dumps([rule.model_dump(mode="json") for rule in in_force], indent=2))
        return
    last = declared[-1] if declared else None
    told = f"declared by {last.by} at {last.at:%Y-%m-%d %H:%M} UTC: {last.why}" if last else "those of every task"
    typer.echo(f"{task}, {told}")
    _print_rules(in_force)


def _print_rules(found: "tuple[StopRule, ...]") -> None:
    from pipelines import experiment_tables

    experiment_tables.show_rules(found)
