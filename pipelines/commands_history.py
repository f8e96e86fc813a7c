"""Commands around who served: history, rollback, reconcile."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from pydantic import BaseModel
    from rich.table import Table

    from domain.history import Answer, ServingRecord, StudyHistory, TaskHistory

_TASK = "chest_xray_pneumonia"
_DIGITS = 8  # of a digest on the terminal


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
    """Hold MLflow's aliases, the policies, the Bentos and what runs against each other (exit code 6 if they disagree).

    An alias that was moved is alarmed and written back; of what decides who serves, nothing is changed.
    """
    from domain.errors import Unavailable
    from infra import logs
    from infra.clock import now
    from pipelines import agreeing, reconciling
    from pipelines.wiring import offline

    root = offline()
    logs.configure(level="ERROR")  # the rest is said by the lines below
    served = agreeing.examine(root, task=task or None)
    for agreement in served:
        typer.echo(str(agreement))
    try:
        found = reconciling.reconcile(root, now=now(), task=task or None)
    except Unavailable:
        agreeing.require_agreement(served)  # worse than an MLflow that does not answer
        raise
    for one in found:
        typer.echo(str(one))
    if not found:
        typer.echo("No task has a policy yet: there is nothing that an alias must say.")
    agreeing.require_agreement(served)
    reconciling.require_unmoved(found)


def _print_json(found: "BaseModel") -> None:
    typer.echo(found.model_dump_json(indent=2))


def _print_records(found: "TaskHistory", *, as_json: bool) -> None:
    from rich.console import Console

    if as_json:
        _print_json(found)
        return
    if not found.records:
        typer.echo(f"No model version of {found.task} served then: its first policy came later.")
        return
    when = ""
    if found.asked:
        start = found.asked.start
        when = f" on {start:%Y-%m-%d} (midnight to midnight UTC)" if found.asked.is_day else f" at {_time(start)}"
    typer.echo(f"Who served {found.task}{when}; --json gives every digest whole\n")
    for record in found.records:
        Console().print(_table_of_record(record))


def _table_of_record(record: "ServingRecord") -> "Table":
    from pipelines.tables import add, table

    until = f"until {_time(record.until)}" if record.until else "and still in force"
    steered = f"\n{_steered(record)}" if _steered(record) else ""
    shown = table(
        "version", "as", "threshold", "weights", "report", "approver", "gate",
        title=f"policy {record.policy_version}, from {_time(record.since)} {until}\n{record.by}: {record.why}{steered}",
    )  # fmt: skip
    for one in record.versions:
        add(
            shown, one.model_version.rpartition("@")[2] + (" DEMO" if one.demo else ""),
            f"{one.role} {one.share:.0%}" if one.share else str(one.role), f"{one.threshold:.3f}",
            one.weights_sha256[:_DIGITS], one.report_sha256[:_DIGITS], one.approver,
            one.decision.verdict if one.decision else "–",
        )  # fmt: skip
    return shown


def _steered(record: "ServingRecord") -> str:
    """What shares alone do not tell of a policy; empty when they tell all."""
    pins = f"pinned patients: {record.pinned_patients}" if record.pinned_patients else ""
    mode = f"mode: {record.mode}" if record.mode != "normal" else ""
    return ", ".join(filter(None, (mode, pins)))


def _print_answers(found: "StudyHistory", *, as_json: bool) -> None:
    from rich.console import Console

    from pipelines.tables import add, table

    if as_json:
        _print_json(found)
        return
    if not found.answers:
        typer.echo(f"No model version has answered {found.study_id}.")
    for answer in found.answers:
        shown = table("", "", title=f"{answer.prediction_id}: {answer.model_version}")
        for fact in _facts_of_answer(answer):
            add(shown, *fact)
        Console().print(shown)


def _facts_of_answer(answer: "Answer") -> "Iterator[tuple[str, str]]":
    yield "abstained" if answer.abstained else "answered", _time(answer.answered_at)
    yield "as", f"{answer.role}{', in place of a challenger that was out' if answer.fell_back else ''}"
    if answer.threshold is not None:
        yield "threshold", f"{answer.threshold:.3f}"
    if answer.demo:
        yield "DEMO", "says nothing about a patient"
    told = answer.evidence
    if told is None:
        yield "policy", "none: the demo classifier answers until a model version is promoted"
        return
    yield from (("weights", told.weights_sha256), ("model", told.model_sha256), ("report", told.report_sha256))
    yield "approver", told.approver
    if told.decision:
        yield "gate", f"{told.decision.verdict}, {_time(told.decision.decided_at)}: {told.decision.why}"
    since = f", in force since {_time(answer.in_force_since)}" if answer.in_force_since else ""
    yield "policy", f"{answer.policy_version}{since}"
    yield "by", answer.promoted_by or ""
    yield "why", answer.why or ""


def _time(moment: "datetime") -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
