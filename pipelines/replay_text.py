"""A replay report as a person reads it on a terminal or in a file of 80 columns."""

import io
from collections.abc import Iterator

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from domain.replay import OUTCOMES
from evidence.replay import AgainstTruth, AnyFigure, Figure, Test
from evidence.wording import ends, moment, number, p_value, thousands
from pipelines.replaying import Replayed, ReplayReport
from pipelines.tables import add, table

_COLUMNS = 100
_MOST_LOST = 20  # studies named in the text; the JSON names all


def text_of(found: Replayed) -> str:
    """Plain text with tables, and the digest of the JSON beside it."""
    out = io.StringIO()
    console = Console(file=out, width=_COLUMNS, color_system=None, highlight=False)
    console.print(Group(*_parts(found.report)))
    console.print(Text(f"SHA-256 of replay.json: {found.sha256}"))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def _parts(report: ReplayReport) -> Iterator[Text | Table]:
    yield from map(Text, _head(report))
    yield _cross_table(report)
    comparison = report.comparison
    yield _figures("what would have changed (now less then)", comparison.figures, {})
    if comparison.largest_difference is not None:
        yield Text(f"largest difference of a study's probability: {number(comparison.largest_difference)}\n")
    for against in comparison.against:
        yield _against(against)
    if not comparison.against:
        yield Text("No review and no reference standard is on record: which version is right, nobody can tell.\n")
    yield from map(Text, _lost(report))


def _head(report: ReplayReport) -> Iterator[str]:
    period, version = report.question.period, report.version
    demo = ", DEMO: says nothing about a patient" if version.demo else ""
    yield f"Replay of {report.question.task} with {version.model_version} ({version.variant}{demo})"
    yield f"asked for by {report.question.by}; nothing that was answered then has been changed"
    yield f"studies asked about from {moment(period.since)} until {moment(period.until)}"
    then = ", ".join(f"{name} ({thousands(count)})" for name, count in sorted(report.answered_then.items()))
    yield f"answered then by: {then}"
    yield f"trained on {version.dataset_version}; model {version.model_sha256[:16]}; threshold {version.threshold:.3f}"
    studies, patients = report.comparison.studies, report.comparison.patients
    yield f"answered again: {thousands(studies)} studies of {thousands(patients)} patients"
    if report.not_replayed:
        yield f"NOT answered again: {thousands(len(report.not_replayed))} studies, see below"
    if report.without_answer:
        left = ", ".join(f"{count} {state}" for state, count in sorted(report.without_answer.items()))
        yield f"left out, since nobody answered them then: {left}"
    yield ""


def _cross_table(report: ReplayReport) -> Table:
    counts = {(cell.then, cell.now): cell.studies for cell in report.comparison.cross_table}
    shown = table("then \\ now", *OUTCOMES, title="studies")
    for then in OUTCOMES:
        add(shown, then, *(thousands(counts[then, now]) for now in OUTCOMES))
    return shown


def _figures(title: str, figures: tuple[AnyFigure, ...], tests: dict[str, Test]) -> Table:
    shown = table("", "value", "95 % interval", "studies", "patients", "method", title=title)
    for one in figures:
        n, patients = thousands(one.n), thousands(one.patients)
        if isinstance(one, Figure):
            name, _, what = one.name.rpartition(", ")
            test = tests.get(name) if what == "now less then" else None
            method = f"{one.method}; {p_value(test.p_value)}" if test else one.method
            add(shown, one.name, number(one.value), ends((one.low, one.high)), n, patients, method)
        else:
            add(shown, one.name, "–", "–", n, patients, one.why)
    return shown


def _against(found: AgainstTruth) -> Table:
    counts = f"{thousands(found.studies)} studies, {thousands(found.present)} with the finding"
    return _figures(f"against the {found.source}: {counts}", found.figures, found.tests)


def _lost(report: ReplayReport) -> Iterator[str]:
    for one in report.not_replayed[:_MOST_LOST]:
        yield f"{one.study_id} not answered again: {one.reason}"
    if len(report.not_replayed) > _MOST_LOST:
        yield f"… and {len(report.not_replayed) - _MOST_LOST} more, in the JSON"
