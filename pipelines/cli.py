"""The ``fiducial`` command. Nothing heavy is imported before a command needs it: ``fiducial --help`` answers at once.

Exit codes: 0 done · 1 unexpected · 2 bad input or usage · 3 not found · 4 refused by a rule · 5 a dataset does not
meet its checks · 6 bytes are not what was recorded · 7 a part does not answer (``domain/errors.py``).
"""

import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from domain.errors import BadInput, FiducialError, InvalidSetting, Unavailable
from pipelines import (
    commands_data,
    commands_evidence,
    commands_experiment,
    commands_history,
    commands_models,
    commands_plan,
    commands_platform,
    commands_replay,
    commands_traffic,
)

app = typer.Typer(
    name="fiducial",
    help="Model lifecycle for medical imaging AI: from images to a served, traceable, monitored prediction.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    epilog="Exit codes: 0 done, 1 unexpected, 2 bad input, 3 not found, 4 refused by a rule, 5 dataset fails its "
    "checks, 6 bytes are not what was recorded, 7 a part does not answer.",
)
app.add_typer(commands_data.app, name="data")
app.add_typer(commands_plan.app, name="plan")
app.add_typer(commands_evidence.signer, name="signer")
app.add_typer(commands_traffic.app, name="traffic")
app.add_typer(commands_experiment.app, name="experiment")
app.add_typer(commands_experiment.rules, name="traffic-rules")
_DISK = frozenset({errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT, errno.EFBIG})
_PLACE = frozenset({errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENOENT, errno.ENAMETOOLONG})
lifecycle = typer.Typer(help="The main job.", no_args_is_help=True)
app.add_typer(lifecycle, name="lifecycle")

_COMMANDS: tuple[Callable[..., None], ...] = (
    commands_models.train, commands_models.compare, commands_models.validate, commands_models.package,
    commands_models.promote, commands_platform.serve, commands_platform.predict, commands_platform.trace,
    commands_platform.monitor, commands_platform.doctor, commands_plan.ledger, commands_evidence.sign,
    commands_evidence.report, commands_evidence.bundle, commands_evidence.verify, commands_evidence.key,
    commands_evidence.reproduce, commands_history.history, commands_history.rollback, commands_history.reconcile,
    commands_replay.replay,
)  # fmt: skip
for command in _COMMANDS:
    app.command()(command)


@lifecycle.command("run")
def lifecycle_run(
    task: Annotated[str, typer.Option(help="A file in models/tasks.")] = "chest_xray_pneumonia",
    source: Annotated[str, typer.Option(help="A file in data/sources; empty: the task's own, else its phantom.")] = "",
    preset: Annotated[str, typer.Option(help="Training preset of the task.")] = "demo",
    approver: Annotated[str, typer.Option(help="Who approves the promotion.")] = "demo",
) -> None:
    """Run data, training, validation, promotion, serving, prediction, trace and monitoring; print one table."""
    from pipelines import demo

    request = demo.Request(task=task, source=source, preset=preset, approver=approver)
    demo.run(request, keep_serving=False)


@app.command("demo")
def demo_command(
    once: Annotated[bool, typer.Option("--once", help="End after the table.")] = False,
) -> None:
    """The main job on its defaults; then MLflow, Prefect and the facade stay up until Ctrl-C."""
    from pipelines import demo

    request = demo.Request(task="chest_xray_pneumonia", source="", preset="demo", approver="demo")
    demo.run(request, keep_serving=not once)


def main() -> None:
    """Run the command; an error of ours becomes one sentence on stderr and its exit code."""
    try:
        app()
    except FiducialError as error:
        typer.echo(f"fiducial: {error}", err=True)
        sys.exit(error.exit_code)
    except OSError as error:
        if error.errno not in _DISK | _PLACE:
            raise
        told, code = _about_place(error)
        typer.echo(f"fiducial: {told}", err=True)
        sys.exit(code)


def _about_place(error: OSError) -> tuple[str, int]:
    """One sentence with the next step, and the exit code, of what the file system refused."""
    path = error.filename2 or error.filename
    named = isinstance(path, str | bytes)  # writing to a full disk names no path
    where = f" ({os.fsdecode(path)})" if named else ""
    in_home = not named or _is_in_home(Path(os.fsdecode(path)))
    if error.errno in _PLACE:
        step = "Give another path" + (", or set FIDUCIAL_HOME to another folder." if in_home else ".")
        return f"{error.strerror}{where}. {step}", BadInput.exit_code
    step = "set FIDUCIAL_HOME to another folder" if in_home else "give another path"
    return f"{error.strerror}{where}. Mend that, or {step}.", Unavailable.exit_code


def _is_in_home(path: Path) -> bool:
    from pipelines.wiring import offline

    try:
        home = offline().settings.home
    except InvalidSetting:
        return False  # the command got so far without its settings
    return path.absolute().is_relative_to(home.absolute())


if __name__ == "__main__":
    main()
