"""Commands around the running platform: serve, predict, trace, monitor, doctor."""

from pathlib import Path
from typing import Annotated

import typer

from domain.errors import UnreadableImage


def serve() -> None:
    """Start facade, gateway, worker, watch and the promoted model versions; serve until Ctrl-C."""
    from pipelines import servers
    from pipelines.wiring import offline

    servers.serve_platform(offline(), announce=typer.echo)


def predict(
    file: Annotated[Path, typer.Argument(help="A PNG, JPEG or DICOM film.")],
    patient_id: Annotated[str, typer.Option(help="The patient's number; the platform keeps a pseudonym only.")] = "",
    modality: Annotated[str, typer.Option(help="For PNG and JPEG, e.g. DX.")] = "",
    body_part: Annotated[str, typer.Option(help="For PNG and JPEG, e.g. CHEST.")] = "",
    view: Annotated[str, typer.Option(help="For PNG and JPEG: PA or AP.")] = "",
    age_years: Annotated[float | None, typer.Option(help="For PNG and JPEG.")] = None,
    site: Annotated[str, typer.Option(help="The hospital that sends it.")] = "",
) -> None:
    """Send one film to the facade and print its predictions."""
    from pipelines import facts
    from pipelines.facade import Film
    from pipelines.serving_steps import logged_in

    if not file.is_file():
        raise UnreadableImage(f"{file} is not a file.", next_step="Give the path of a film.")
    stated = {
        "patient_id": patient_id, "modality": modality, "body_part_examined": body_part, "view_position": view,
        "age_years": "" if age_years is None else f"{age_years:g}", "site": site,
    }  # fmt: skip
    fields = {name: value for name, value in stated.items() if value}
    with logged_in() as client:
        study = client.send(Film(file.name, file.read_bytes(), fields))
    typer.echo(f"study {study['study_id']}")
    for prediction in study["predictions"]:
        for line in facts.of_prediction(prediction):
            typer.echo(line)


def trace(prediction_id: Annotated[str, typer.Argument(help="As `fiducial predict` prints it.")]) -> None:
    """Walk a prediction back to the commit; read and hash every link's bytes again."""
    from rich.console import Console
    from rich.table import Table

    from pipelines.walk import require_verified, walk_back
    from pipelines.wiring import offline

    walk, links = walk_back(prediction_id, offline())
    table = Table(
        "link", "name", "digest", "bytes", "state", title=f"{walk.model_version}, approved by {walk.approver}"
    )
    for found in links:
        digest = found.link.digest or found.found or ""
        table.add_row(found.link.kind, found.link.name, digest[:16], f"{found.size_bytes:,}", found.status)
    Console().print(table)
    require_verified(links)


def monitor(
    task: Annotated[str, typer.Option(help="A task with a champion.")] = "chest_xray_pneumonia",
    site: Annotated[list[str] | None, typer.Option(help="Only films of these sites; default: all.")] = None,
) -> None:
    """Compare the films answered so far with the champion's test set; write the drift report."""
    from models.tasks import get_task
    from pipelines import facts
    from pipelines.monitoring_flow import compare_windows

    get_task(task)  # refuses a name that is none
    found = compare_windows(task, sites=tuple(site or ()))
    for line in facts.of_monitoring(found.record, report=found.report):
        typer.echo(line)


def doctor() -> None:
    """Say what is missing and how to mend it."""
    from pipelines import doctor as checks
    from pipelines.wiring import offline

    failed = 0
    for finding in checks.examine(offline()):
        typer.echo(f"{'ok     ' if finding.well else 'MISSING'}  {finding.what}")
        if not finding.well:
            typer.echo(f"         {finding.remedy}")
            failed += finding.required
    raise typer.Exit(7 if failed else 0)
