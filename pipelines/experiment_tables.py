"""Comparisons, arms and stop rules on a terminal."""

from collections.abc import Sequence

import typer
from rich.console import Console
from rich.table import Table

from domain.experiment import Experiment, StopRule, TrafficEvent
from evidence.experiment.arms import Arm, Distribution
from evidence.experiment.live import LiveView
from evidence.statistics.estimate import Estimate
from pipelines.tables import add, table

_NONE = "–"


def show(found: LiveView) -> None:
    """A task's live traffic: arms, rules, comparison, events."""
    console = Console()
    console.print(_arms(found))
    console.print(_rule_states(found))
    _print_comparison(found)
    for event in found.events:
        typer.echo(f"{event.at:%Y-%m-%d %H:%M:%S} UTC, {event.by}: {_told(event)}; {event.why}")


def show_all(found: Sequence[tuple[Experiment, str | None]]) -> None:
    """Every comparison, and what ended it."""
    shown = table("declared (UTC)", "task", "versions", "endpoint", "by", "state", title="Comparisons")
    for one, ended in found:
        declaration = one.declaration
        add(
            shown, f"{one.declared_at:%Y-%m-%d %H:%M}", declaration.task,
            f"{declaration.challenger} against {declaration.champion}", declaration.endpoint, one.declared_by,
            ended or "runs",
        )  # fmt: skip
    Console().print(shown)


def show_rules(found: Sequence[StopRule]) -> None:
    """Stop rules as declared."""
    shown = table("rule", "share of patients", "band", "false alarm", "for", title="Stop rules")
    for rule in found:
        slow = f" than {rule.slow_s:g} s" if rule.slow_s is not None else ""
        applies = ", ".join(role.value for role in rule.applies_to)
        add(shown, rule.name, f"{rule.measure}{slow}", f"{rule.low:g}–{rule.high:g}", f"≤ {rule.alpha:g}", applies)
    Console().print(shown)


def _arms(found: LiveView) -> Table:
    shown = table(
        "version", "share", "patients", "positives", "agree", "sens.", "spec.", "errors", "abstain", "p95 s",
        title=f"{found.task}, policy {found.policy_version}",
    )  # fmt: skip
    for arm in found.arms:
        add(shown, *_cells(arm))
    return shown


def _cells(arm: Arm) -> tuple[str, ...]:
    share = _NONE if arm.planned_share is None else f"{arm.planned_share:.0%}"
    shares = (arm.positives, arm.agreement, arm.sensitivity, arm.specificity, arm.errors, arm.abstentions)
    return (f"{arm.version} {arm.role}", share, str(arm.patients), *map(_percent, shares), _p95(arm.seconds))


def _percent(estimate: Estimate | None) -> str:
    return _NONE if estimate is None else f"{estimate.value:.0%} ({estimate.low:.0%}–{estimate.high:.0%})"


def _p95(seconds: Distribution | None) -> str:
    found = dict(seconds.quantiles).get(0.95) if seconds else None
    return _NONE if found is None else f"{found:.2f}"


def _rule_states(found: LiveView) -> Table:
    shown = table("version", "rule", "as it stands", "acts", title="Stop rules; the intervals hold at any time")
    for rule in found.rules:
        add(shown, f"{rule.version} {rule.role}", rule.name, rule.sentence, "ACTS" if rule.acts else "no")
    return shown


def _print_comparison(found: LiveView) -> None:
    if found.experiment is None or found.decision is None:
        typer.echo("No comparison was declared for this task.")
        return
    declaration = found.experiment.declaration
    typer.echo(
        f"{declaration.hypothesis} of version {declaration.challenger} against {declaration.champion} in "
        f"{declaration.endpoint}, margin {declaration.margin:g}, α {declaration.alpha:g}, {declaration.design.kind}, "
        f"at most {declaration.max_patients} patients; {found.ended or 'runs'}"
    )
    typer.echo(f"{found.experiment.declared_by}: {found.experiment.why}")
    typer.echo(found.decision.sentence)
    typer.echo(found.decision.sample_split.sentence)


def _told(event: TrafficEvent) -> str:
    action = f", {event.evidence['action']}" if "action" in event.evidence else ""
    return f"version {event.version} {event.kind}{action}" if event.version is not None else event.kind
