"""Commands around who served: history, rollback, reconcile."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pydantic import BaseModel
    from rich.table import Table

    from domain.history import StudyHistory, TaskHistory

_TASK = "chest_xray_pneumonia"


def history(
    task: Annotated[str, typer.Option(help="A task that has served.")] = _TASK,
    date: Annotated[str, typer.Option(help="2026-11-24 (the whole day, UTC) or a time with its zone.")] = "",
    study: Annotated[str, typer.Option(help="Who answered this study; as `fiducial predict` prints it.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Everything recorded, as JSON.")] = False,
) -> None:
    """Who served when, who approved it and why; or who answered a study. Asks the database alone."""
    from domain.errors import InvalidField
    from domain.history import Period
    from domain.identifiers import StudyId
    from infra import history as recorded
    from infra.clock import now
    from pipelines.wiring import offline

    if study and date:
        raise InvalidField("--study and --date go apart.", next_step="An answer has its own time; leave --date away.")
    asked = Period.parse(date, now=now()) if date else None
    root = offline()
    with root.database.unit_of_work(root.tenant, read_only=True) as work:
        if study:
            _print_answers(recorded.of_study(work, StudyId(study)), as_json=as_json)
        else:
            _print_records(recorded.of_task(work, task, asked=asked), as_json=as_json)


def rollback(
    task: Annotated[str, typer.Option(help="The task whose champion is to go.")],
    by: Annotated[str, typer.Option(help="Who decides; recorded in policy and audit trail.")],
    why: Annotated[str, typer.Option(help="The reason; recorded with it.")],
    to: Annotated[int | None, typer.Option(help="This version; default: the champion before.")] = None,
) -> None:
    """Put an earlier champion back in force, at once and recorded like a promotion; MLflow is not needed for it."""
    from infra.clock import now
    from pipelines.rollback import roll_back
    from pipelines.wiring import offline

    done = roll_back(task, by=by, why=why, root=offline(), now=now(), to=to)
    policy = done.policy
    typer.echo(f"{task}@{policy.champion} is champion again, {task}@{done.left} has no part any more")
    for challenger in policy.challengers:
        typer.echo(f"{task}@{challenger.version} stays challenger, {challenger.share:.0%} of patients")
    typer.echo(f"traffic policy {policy.policy_version}, rolled back by {done.by}")
    typer.echo(done.aliases)


def reconcile(
    task: Annotated[str, typer.Option(help="A task with a policy; default: every one.")] = "",
) -> None:
    """Compare MLflow's aliases with the policies in force; alarm and write back one that was moved (exit code 6)."""
    from infra import logs
    from infra.clock import now
    from pipelines import reconciling
    from pipelines.wiring import offline

    root = offline()
    logs.configure(level=root.settings.log_level)
    found = reconciling.reconcile(root, now=now(), task=task or None)
    for one in found:
        typer.echo(str(one))
    if not found:
        typer.echo("No task has a policy yet: there is nothing that an alias must say.")
    reconciling.require_unmoved(found)


def _print_json(found: "BaseModel") -> None:
    typer.echo(found.model_dump_json(indent=2))


def _print_records(found: "TaskHistory", *, as_json: bool) -> None:
    if as_json:
        _print_json(found)
        return
    if not found.records and found.asked:
        typer.echo(f"No model version of {found.task} served then: its first policy came later.")
        return
    title = f"Who served {found.task}"
    if found.asked and found.asked.is_day:
        title += f" on {found.asked.start:%Y-%m-%d}, from midnight to midnight UTC"
    elif found.asked:
        title += f" at {found.asked.start:%Y-%m-%d %H:%M:%S} UTC"
    table = _table("policy", "from (UTC)", "until (UTC)", "by", "why", "version", "as", "threshold", title=title)
    _add_columns(table, "weights", "report", "approver", "gate")
    for record in found.records:
        until = f"{record.until:%Y-%m-%d %H:%M:%S}" if record.until else "in force"
        decided = (str(record.policy_version), f"{record.since:%Y-%m-%d %H:%M:%S}", until, record.by, record.why)
        for version in record.versions:
            part = f"{version.role}, {version.share:.0%}" if version.share else str(version.role)
            gate = version.decision.verdict if version.decision else "–"
            table.add_row(
                *decided, version.model_version + (" DEMO" if version.demo else ""), part, f"{version.threshold:.3f}",
                version.weights_sha256[:12], version.report_sha256[:12], version.approver, gate,
            )  # fmt: skip
            decided = ("", "", "", "", "")
        table.add_section()
    _show(table)


def _print_answers(found: "StudyHistory", *, as_json: bool) -> None:
    if as_json:
        _print_json(found)
        return
    if not found.answers:
        typer.echo(f"No model version has answered {found.study_id}.")
        return
    title = f"Who answered {found.study_id}"
    table = _table("prediction", "answered (UTC)", "version", "as", "threshold", "weights", "report", title=title)
    _add_columns(table, "approver", "policy", "promoted by", "why")
    for answer in found.answers:
        told = answer.evidence
        digests = (told.weights_sha256[:12], told.report_sha256[:12], told.approver) if told else ("–", "–", "–")
        table.add_row(
            answer.prediction_id, f"{answer.answered_at:%Y-%m-%d %H:%M:%S}",
            answer.model_version + (" DEMO" if answer.demo else ""),
            f"{answer.role}{', fell back' if answer.fell_back else ''}", f"{answer.threshold:.3f}", *digests,
            str(answer.policy_version), answer.promoted_by or "–", answer.why or "no policy: the demo classifier",
        )  # fmt: skip
    _show(table)


def _table(*columns: str, title: str) -> "Table":
    from rich.table import Table

    table = Table(title=title)
    _add_columns(table, *columns)
    return table


def _add_columns(table: "Table", *columns: str) -> None:
    for column in columns:
        table.add_column(column, overflow="fold")


def _show(table: "Table") -> None:
    from rich.console import Console

    Console().print(table)
