"""``fiducial data …``: sources, their files, and the dataset versions made from them."""

import re
from pathlib import Path
from typing import Annotated

import typer

from domain.errors import InvalidField
from domain.identifiers import Sha256

app = typer.Typer(help="Sources and dataset versions.", no_args_is_help=True)

SourceName = Annotated[str, typer.Argument(help="A file in data/sources.")]


@app.command("list")
def list_sources() -> None:
    """Every source, whether its films are real, and where its files are."""
    from rich.console import Console
    from rich.table import Table

    from data.sources import get_source
    from data.sources import list_sources as names
    from pipelines.choice import where
    from pipelines.wiring import offline

    table = Table("source", "films", "use", "licence", "files")
    for name in names():
        source = get_source(name)
        kind = "synthetic" if source.card.synthetic else "real"
        found = where(source, mirror=offline().settings.data_mirror, raw=offline().store("raw"))
        table.add_row(name, kind, source.card.use, source.card.licence, found or "not here")
    Console().print(table)


@app.command()
def fetch(
    source: SourceName,
    sha256: Annotated[list[str] | None, typer.Option(help="FILE=DIGEST, where the source records none.")] = None,
) -> None:
    """Download a source from its publisher's public address, with a digest check; goes on where it stopped."""
    from rich.progress import Progress

    from data import obtain
    from data.sources import get_source
    from pipelines import working_copy
    from pipelines.wiring import PROJECT, offline

    digests = _digests(sha256 or [])
    working_copy.refresh(offline().copy, project=PROJECT)
    with Progress() as progress:
        bar = progress.add_task(source, total=None)
        obtain.fetch(
            get_source(source),
            raw=offline().store("raw", source),
            progress=lambda done, total: progress.update(bar, completed=done, total=total or None),
            digests=digests,
        )


@app.command("prepare")
def prepare_source(source: SourceName) -> None:
    """Obtain and prepare a source through its DVC stages; reuses what is current."""
    from data.sources import get_source
    from pipelines import working_copy
    from pipelines.wiring import PROJECT, offline

    get_source(source)  # refuses a name that is none, before DVC does in its own words
    working_copy.refresh(offline().copy, project=PROJECT)
    working_copy.schedule(offline().copy, (source,))
    offline().reproduce(f"obtain@{source}")
    offline().reproduce(f"prepare@{source}")
    _print_version(offline().store("prepared", source))


@app.command()
def verify(source: SourceName) -> None:
    """Hash every byte of a prepared dataset version again and compare."""
    from data.sources import get_source
    from pipelines.wiring import offline

    get_source(source)
    _print_version(offline().store("prepared", source))


@app.command()
def push(
    to: Annotated[Path, typer.Option(help="A folder that becomes the working copy's DVC remote.")],
    task: Annotated[str, typer.Option(help="Of which task; empty: everything that the working copy holds.")] = "",
) -> None:
    """Copy the prepared bytes to a DVC remote, so that others, and `fiducial reproduce`, can pull them."""
    from pipelines import working_copy
    from pipelines.wiring import offline

    root = offline()
    stages = [f"prepare@{source}" for source in working_copy.scheduled(root.copy, task=task)] if task else []
    root.workspace.set_local_remote(to)
    root.workspace.push(*stages)
    typer.echo(f"{', '.join(stages) or 'everything'} is in {to}")


def prepare_in_copy(task: str, *, source: str, preset: str) -> None:
    """Choose a task's sources, bring the working copy up to date, and prepare them."""
    from pipelines.choice import choose_here, put_in_copy
    from pipelines.wiring import offline

    root = offline()
    choice = choose_here(task, requested=source, preset=preset, root=root)
    typer.echo(choice.note)
    put_in_copy(choice, root=root)
    for name in (choice.source, *choice.external):
        root.reproduce(f"obtain@{name}")
        root.reproduce(f"prepare@{name}")


def _digests(given: list[str]) -> dict[str, Sha256]:
    pairs = [entry.partition("=") for entry in given]
    wrong = [name for name, _, digest in pairs if not re.fullmatch("[0-9a-f]{64}", digest)]
    if wrong:
        raise InvalidField(
            f"--sha256 {wrong[0]} has no digest of 64 hexadecimal digits.", next_step="Give FILE=DIGEST."
        )
    return {name: Sha256(digest) for name, _, digest in pairs}


def _print_version(prepared: Path) -> None:
    from data import versions

    version = versions.verify(prepared)
    typer.echo(f"{version.name}: every byte is as recorded ({len(version.shards)} shards, manifest {version.digest})")
    for split, counts in version.counts.items():
        typer.echo(f"  {split}: " + ", ".join(f"{count} {what}" for what, count in counts.items()))
    for reason, count in version.excluded.items():
        typer.echo(f"  excluded, {reason}: {count}")
