"""Entry of every DVC stage: ``python -m pipelines.stages STAGE …`` parses, calls one plain function, and ends."""

import argparse
import logging
import sys
from pathlib import Path

from data import leakage, obtain, prepare
from data.sources import get_source
from domain.errors import FiducialError
from evidence.plan import read_plan
from evidence.record import LeakageCheck
from models.plans import PLAN_FILE
from pipelines import opening, plans, working_copy
from pipelines.choice import require_trainable
from pipelines.wiring import STORE, offline


def main(arguments: list[str] | None = None) -> int:
    """Run one stage in the current folder; returns the exit code of ``domain.errors``."""
    parser = argparse.ArgumentParser(prog="python -m pipelines.stages", description=__doc__)
    stages = parser.add_subparsers(dest="stage", required=True)
    for name in ("obtain", "prepare"):
        stages.add_parser(name).add_argument("source")
    for name in ("train", "validate"):
        stage = stages.add_parser(name)
        stage.add_argument("task")
        stage.add_argument("--source", required=True)
    stages.choices["train"].add_argument("--preset", required=True)
    stages.choices["train"].add_argument("--seeds", required=True, type=int, nargs="+")
    stages.choices["validate"].add_argument("--external", nargs="*", default=[])
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    for ours in ("data", "models", "evidence"):
        logging.getLogger(ours).setLevel(logging.INFO)  # an epoch a line: a long stage is never silent
    try:
        _STAGES[chosen.stage](chosen)
    except FiducialError as error:
        print(f"{chosen.stage}: {error}", file=sys.stderr)  # noqa: T201  DVC shows a stage's stderr
        return error.exit_code
    return 0


def _obtain(chosen: argparse.Namespace) -> None:
    obtain.obtain(get_source(chosen.source), mirror=offline().settings.data_mirror, raw=STORE / "raw" / chosen.source)


def _prepare(chosen: argparse.Namespace) -> None:
    prepare.prepare(
        get_source(chosen.source), raw=STORE / "raw" / chosen.source, out=STORE / "prepared" / chosen.source
    )


def _train(chosen: argparse.Namespace) -> None:
    from models import engine_choice
    from models.tasks import get_task
    from models.training import train_task

    require_trainable(get_source(chosen.source))
    code = working_copy.recorded_code_version(Path.cwd())
    train_task(
        get_task(chosen.task),
        prepared=STORE / "prepared" / chosen.source,
        out=STORE / "checkpoints" / chosen.task,
        preset=chosen.preset,
        seeds=chosen.seeds,
        tracking=offline().tracking,
        resume=offline().settings.home / "resume",
        git_commit=code.commit,
        git_dirty=code.dirty,
        as_recorded=engine_choice.recorded(offline().settings.repeat_engine),
    )


def _validate(chosen: argparse.Namespace) -> None:
    from models.planned import Planned
    from models.tasks import get_task
    from models.validation import Folders, validate_task

    plan, sha256 = read_plan(plans.document(chosen.task, PLAN_FILE, folder=Path.cwd()), task=chosen.task)
    open_test_set = opening.door(chosen.task, sha256, root=offline(), folder=Path.cwd())
    prepared = STORE / "prepared" / chosen.source
    external = [STORE / "prepared" / source for source in chosen.external]
    compared = leakage.require_no_leakage(prepared, external=external)
    logging.getLogger("data").info("no leakage among %s films", f"{compared:,}")
    validate_task(
        get_task(chosen.task),
        planned=Planned(
            plan=plan,
            registered=open_test_set.plan,
            open_test_set=open_test_set,
            leakage=LeakageCheck(films_compared=compared, rule=leakage.RULE),
        ),
        folders=Folders(
            prepared=prepared,
            external=external,
            champion=STORE / "champion" / chosen.task,
            checkpoints=STORE / "checkpoints" / chosen.task,
            reports=STORE / "reports" / chosen.task,
            predictions=STORE / "predictions" / chosen.task,
        ),
        tracking=offline().tracking,
        cards={name: get_source(name).card for name in (chosen.source, *chosen.external)},
    )


_STAGES = {"obtain": _obtain, "prepare": _prepare, "train": _train, "validate": _validate}

if __name__ == "__main__":
    sys.exit(main())
