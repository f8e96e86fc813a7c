"""Commands that steer traffic: who answers which patients of a task, and the kill switch."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from domain.identifiers import Pseudonym
    from domain.traffic import Challenger, TrafficPolicy
    from domain.traffic_request import TrafficRequest
    from pipelines.steering import Steered
    from pipelines.wiring import Offline

    Request = Callable[[TrafficPolicy], TrafficRequest]

app = typer.Typer(help="Who answers which patients: shares, pins, kill switch.", no_args_is_help=True)

Task = Annotated[str, typer.Argument(help="A task with a traffic policy.")]
By = Annotated[str, typer.Option(help="Who decides; recorded in policy and audit trail.")]
Why = Annotated[str, typer.Option(help="The reason; recorded with it.")]
Patient = Annotated[str, typer.Option(help="The patient's pseudonym.")]
PatientId = Annotated[
    str, typer.Option(help="The patient's identifier, - to be asked for it; only its keyed hash is used and kept.")
]


@app.command()
def show(
    task: Task, as_json: Annotated[bool, typer.Option("--json", help="The policy itself, as JSON.")] = False
) -> None:
    """Who answers now, for which share of patients, where, since when, by whose decision and why."""
    from infra import traffic_changes
    from pipelines import traffic_tables
    from pipelines.wiring import offline

    root = offline()
    with root.database.unit_of_work(root.tenant, read_only=True) as work:
        policy = traffic_changes.in_force(work, task)
        last = work.traffic.history(task)[-1]
        addresses = [one for one in work.addresses.list() if one.task == task]
    if as_json:
        typer.echo(policy.model_dump_json(indent=2))
    else:
        traffic_tables.show(last, addresses)


@app.command()
def history(
    task: Task, as_json: Annotated[bool, typer.Option("--json", help="Every policy whole, as JSON.")] = False
) -> None:
    """Every policy the task has had, oldest first, with who, when and why."""
    import json

    from infra import traffic_changes
    from pipelines import traffic_tables
    from pipelines.wiring import offline

    root = offline()
    with root.database.unit_of_work(root.tenant, read_only=True) as work:
        traffic_changes.in_force(work, task)
        changes = work.traffic.history(task)
    if not as_json:
        traffic_tables.show_all(task, changes)
        return
    told = [
        {"policy": one.policy.model_dump(mode="json"), "by": one.by, "why": one.why, "at": one.at.isoformat()}
        for one in changes
    ]
    typer.echo(json.dumps(told, indent=2))


@app.command("set")
def set_(
    task: Task,
    by: By,
    why: Why,
    champion: Annotated[int | None, typer.Option(help="This version answers everybody else.")] = None,
    challenger: Annotated[list[str] | None, typer.Option(help="VERSION=SHARE such as 4=0.2, or `none`.")] = None,
    shadow: Annotated[list[str] | None, typer.Option(help="A version computed and never shown, or `none`.")] = None,
) -> None:
    """Give versions roles and shares; name every challenger (or shadow) or none of them, what is left out stays."""
    from domain.traffic_request import TrafficRequest

    request = TrafficRequest(champion=champion, challengers=_challengers(challenger), shadows=_shadows(shadow))
    _steer(task, lambda _: request, by=by, why=why)


@app.command()
def pin(
    task: Task,
    version: Annotated[int, typer.Argument(help="The champion or a challenger.")],
    by: By,
    why: Why,
    patient: Patient = "",
    patient_id: PatientId = "",
) -> None:
    """Have one version answer a patient from now on, whatever the shares say; an older pin of the patient goes."""
    from domain.traffic import Pin
    from domain.traffic_request import TrafficRequest
    from pipelines.wiring import offline

    pseudonym = _pseudonym(patient, patient_id, root=offline())

    def request(before: "TrafficPolicy") -> TrafficRequest:
        others = [one for one in before.pins if one.patient != pseudonym]
        return TrafficRequest(pins=(*others, Pin(patient=pseudonym, version=version)))

    _steer(task, request, by=by, why=why)


@app.command()
def unpin(
    task: Task,
    by: By,
    why: Why,
    patient: Patient = "",
    patient_id: PatientId = "",
    version: Annotated[int | None, typer.Option(help="Every patient pinned to this version.")] = None,
) -> None:
    """Have the shares decide again for a patient, or for all who are pinned to a version."""
    from domain.errors import InvalidField
    from domain.traffic_request import TrafficRequest
    from pipelines.wiring import offline

    if version is not None and (patient or patient_id):
        raise InvalidField("--version and a patient go apart.", next_step="Unpin one patient, or all of a version.")
    pseudonym = _pseudonym(patient, patient_id, root=offline()) if version is None else None

    def request(before: "TrafficPolicy") -> TrafficRequest:
        left = tuple(one for one in before.pins if one.version != version and one.patient != pseudonym)
        if len(left) == len(before.pins):
            raise InvalidField(f"No such pin in policy {before.policy_version}.", next_step="`show` counts them.")
        return TrafficRequest(pins=left)

    _steer(task, request, by=by, why=why)


@app.command()
def stop(
    task: Task, version: Annotated[int, typer.Argument(help="A challenger.")], by: By, why: Why
) -> None:  # fmt: skip
    """Take every patient from a challenger, the pinned ones too; everything else stays."""
    from pipelines import steering
    from pipelines.wiring import offline

    _tell(steering.stop(task, version, by=by, why=why, root=offline()))


@app.command("champion-only")
def champion_only(task: Task, by: By, why: Why) -> None:
    """Have the champion answer everybody; challengers, shadows and pins are kept for `on`."""
    _switch(task, "champion only", by=by, why=why)


@app.command()
def off(task: Task, by: By, why: Why) -> None:
    """Have nobody answer: every prediction of the task is refused; the versions keep running for `on`."""
    _switch(task, "off", by=by, why=why)


@app.command()
def on(task: Task, by: By, why: Why) -> None:
    """Have everybody answer again as shares and pins say."""
    _switch(task, "normal", by=by, why=why)


def _switch(task: str, mode: str, *, by: str, why: str) -> None:
    from domain.traffic import Mode
    from domain.traffic_request import TrafficRequest

    _steer(task, lambda _: TrafficRequest(mode=Mode(mode)), by=by, why=why)


def _steer(task: str, request: "Request", *, by: str, why: str) -> None:
    from pipelines import steering
    from pipelines.wiring import offline

    _tell(steering.steer(task, request, by=by, why=why, root=offline()))


def _tell(done: "Steered") -> None:
    from pipelines import traffic_tables

    traffic_tables.show(done.change, done.addresses)
    typer.echo(done.aliases)


def _challengers(named: "Sequence[str] | None") -> "tuple[Challenger, ...] | None":
    from domain.errors import InvalidField
    from domain.traffic import Challenger

    if not named:
        return None
    pairs = [text.partition("=")[::2] for text in named if text != "none"]
    try:
        return tuple(Challenger(version=int(version), share=float(share)) for version, share in pairs)
    except ValueError:
        raise InvalidField(
            "--challenger is VERSION=SHARE.", next_step="--challenger 4=0.2 gives version 4 a fifth of the patients."
        ) from None


def _shadows(named: "Sequence[str] | None") -> tuple[int, ...] | None:
    from domain.errors import InvalidField

    if not named:
        return None
    try:
        return tuple(int(version) for version in named if version != "none")
    except ValueError:
        raise InvalidField("--shadow is a version.", next_step="--shadow 5, or --shadow none.") from None


def _pseudonym(patient: str, patient_id: str, *, root: "Offline") -> "Pseudonym":
    from domain.errors import InvalidField
    from domain.identifiers import Pseudonym, pseudonym_of

    if bool(patient) == bool(patient_id):
        raise InvalidField(
            "A patient is named by --patient or by --patient-id.",
            next_step="--patient takes the pseudonym, --patient-id what the images name.",
        )
    if patient:
        return Pseudonym(patient)
    typed = typer.prompt("Patient identifier", hide_input=True) if patient_id == "-" else patient_id
    return pseudonym_of(typed, key=root.secrets.pseudonym_key, tenant=root.tenant)
