"""Commands around plans and the ledger: scaffold, register and show a plan; who opened which test set."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from domain.change_control import TestSetOpening

app = typer.Typer(help="Validation plans, fixed before a test set is opened.", no_args_is_help=True)
TaskName = Annotated[str, typer.Option(help="A file in models/tasks.")]
_TASK = "chest_xray_pneumonia"
_DIGITS = 8  # of a digest on the terminal


@app.command()
def scaffold(task: TaskName = _TASK) -> None:
    """Write plan.yaml and pccp.yaml of a task from its file, where there are none yet; amend and commit them."""
    from models.plans import PLANS
    from models.plans.scaffold import scaffold as write
    from models.tasks import get_task
    from pipelines.wiring import PROJECT

    written = write(get_task(task), PROJECT / PLANS)
    for path in written:
        typer.echo(f"written: {path}")
    if not written:
        typer.echo(f"{task} has both documents already; nothing was written.")


@app.command()
def register(
    task: TaskName = _TASK,
    by: Annotated[str, typer.Option(help="Who registers it; recorded.")] = "demo",
) -> None:
    """Fix the plan's bytes: from now on test sets may be opened under it, and only under registered bytes."""
    from pipelines import plans
    from pipelines.wiring import offline

    root, asked_at = offline(), datetime.now(UTC)
    plan = plans.register(task, by=by, root=root)
    typer.echo(f"{task}: plan {plan.sha256}")
    told = "registered before, by" if plan.registered_at < asked_at else "registered by"
    typer.echo(f"{told} {plan.registered_by} at {plan.registered_at:%Y-%m-%d %H:%M:%S} UTC")


@app.command()
def show(task: TaskName = _TASK) -> None:
    """The plan as it stands in the project, and whether these bytes are registered."""
    from domain.identifiers import sha256_of
    from models.plans import PLAN_FILE
    from pipelines import plans
    from pipelines.wiring import offline

    content = plans.document(task, PLAN_FILE)
    plan = plans.plan_of(task)
    root = offline()
    with root.database.unit_of_work(root.tenant, read_only=True) as work:
        known = [one for one in work.plans.list(task) if one.sha256 == sha256_of(content)]
    state = f"registered by {known[0].registered_by} at {known[0].registered_at:%Y-%m-%d %H:%M} UTC" if known else ""
    typer.echo(f"plan {sha256_of(content)}: {state or 'not registered: `fiducial plan register`'}")
    for role, endpoints in (("primary", plan.primary), ("secondary", plan.secondary)):
        for endpoint in endpoints:
            typer.echo(f"  {role}: {endpoint.name} " + endpoint.model_dump_json(exclude={"kind"}, exclude_none=True))
    for floor in plan.subgroups:
        typer.echo(f"  floor: {floor.name} ≥ {floor.at_least:g} where n ≥ {floor.min_n}")
    typer.echo(f"  α = {plan.alpha:g} one-sided, {plan.test_set_reuse.adjustment}")


def ledger(task: TaskName = _TASK) -> None:
    """Every opening of a test set: who, for which model, under which plan."""
    from rich.console import Console

    from models.tasks import get_task
    from pipelines.wiring import offline

    root = offline()
    with root.database.unit_of_work(root.tenant, read_only=True) as work:
        lines = work.ledger.list(get_task(task).name)
    if not lines:
        typer.echo(f"No test set was opened for {task}.")
    for digest in dict.fromkeys(line.dataset_sha256 for line in lines):
        Console().print(_table_of_test_set([line for line in lines if line.dataset_sha256 == digest]))


def _table_of_test_set(lines: "Sequence[TestSetOpening]") -> "Table":
    from pipelines.tables import add, table

    counts = f"{len(lines)} openings, {len({line.model_sha256 for line in lines})} different models"
    shown = table(
        "#", "when (UTC)", "model", "SHA-256", "plan", "by",
        title=f"Test set {lines[0].dataset_version} of {lines[0].task}\n{counts}",
        whole=("#", "when (UTC)", "SHA-256", "plan"),
    )  # fmt: skip
    for line in lines:
        add(
            shown, str(line.number), f"{line.opened_at:%Y-%m-%d %H:%M:%S}", line.model_version.rpartition("/")[2],
            line.model_sha256[:_DIGITS], line.plan_sha256[:_DIGITS], line.opened_by,
        )  # fmt: skip
    return shown
