"""The command around what would have been: replay."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from datetime import datetime

    from domain.replay import ReplayPeriod


def replay(
    task: Annotated[str, typer.Option(help="A task that has answered.")],
    version: Annotated[int, typer.Option(help="The registered model version that answers again.")],
    since: Annotated[str, typer.Option(help="2026-11-24 (from midnight, UTC) or a time with its zone.")],
    by: Annotated[str, typer.Option(help="Who asks for it; recorded in report and audit trail.")],
    until: Annotated[str, typer.Option(help="Up to the end of this day, or to this time; default: now.")] = "",
    limit: Annotated[int | None, typer.Option(help="The newest so many studies; default: all.")] = None,
    out: Annotated[Path | None, typer.Option(help="A folder for the report; default: in FIDUCIAL_HOME.")] = None,
) -> None:
    """Score past studies with another model version and report what would have changed; no answer is altered."""
    from infra.clock import now
    from pipelines import replaying
    from pipelines.replay_scoring import decoding_threads
    from pipelines.replay_text import text_of
    from pipelines.wiring import offline

    root, moment = offline(), now()
    question = replaying.Question(
        task=task, version=version, period=_period(since, until, now=moment), limit=limit, by=by.strip()
    )
    found = replaying.replay(question, root=root, now=moment, decoders=decoding_threads())
    text = text_of(found)
    place = replaying.write(found, out or root.home / "replays" / f"{task}-{version}-{found.sha256[:12]}", text=text)
    typer.echo(text, nl=False)
    rate = found.images / found.seconds if found.seconds else 0.0
    typer.echo(f"report: {place}; {found.images} images in {found.seconds:.1f} s, {rate:.0f} a second")


def _period(since: str, until: str, *, now: "datetime") -> "ReplayPeriod":
    from domain.history import Period
    from domain.replay import ReplayPeriod

    end = Period.parse(until, now=now) if until else None
    reached = now if end is None else min(end.end if end.is_day else end.start, now)
    return ReplayPeriod(since=Period.parse(since, now=now).start, until=reached)
