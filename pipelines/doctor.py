"""What an installation needs, whether it is there, and how to mend what is not."""

import importlib.util
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from data.obtain import how_to_get
from data.sources import get_source, list_sources
from domain.errors import FiducialError
from pipelines import agreeing, working_copy
from pipelines.choice import is_here
from pipelines.wiring import PROJECT, Offline

_FREE_BYTES = 5 * 2**30
_MODULES = ("torch", "monai", "mlflow", "prefect", "dvc", "bentoml", "evidently", "onnxruntime", "fastapi")


@dataclass(frozen=True)
class Finding:
    """One thing examined; ``required``: nothing works without it."""

    what: str
    well: bool
    remedy: str
    required: bool = True


def examine(root: Offline) -> Iterator[Finding]:
    """Each finding, the ones everything rests on first."""
    yield Finding(f"Python {sys.version.split()[0]}", sys.version_info[:2] == (3, 11), "Install Python 3.11.")
    yield Finding("git", shutil.which("git") is not None, "Install git.")
    missing = [name for name in _MODULES if importlib.util.find_spec(name) is None]
    yield Finding(f"libraries of the lock ({len(_MODULES)} looked for)", not missing, f"Missing {missing}: make demo.")
    yield Finding(
        "git checkout with a commit", _works(lambda: working_copy.code_version(PROJECT)), "Clone the project."
    )
    yield _home(root.home)
    yield Finding(
        f"database {root.settings.database_kind}", _works(lambda: root.database), "Check FIDUCIAL_DATABASE_URL."
    )
    yield Finding(
        "policies, Bentos and running versions agree",
        _works(lambda: agreeing.require_agreement(agreeing.examine(root))),
        "fiducial reconcile says what does not.",
    )
    raw = root.store("raw")
    for name in list_sources():
        here = is_here(get_source(name), mirror=root.settings.data_mirror, raw=raw)
        remedy = f"{how_to_get(get_source(name))}; without it the phantom is used."
        yield Finding(f"films of {name}", here, remedy, required=False)
    url = f"http://{root.settings.host}:{root.settings.api_port}"
    yield Finding(f"facade at {url}", _answers(f"{url}/healthz"), "Start it: fiducial serve.", required=False)


def _home(home: Path) -> Finding:
    free = shutil.disk_usage(home).free
    return Finding(f"{free / 2**30:.0f} GiB free at {home}", free >= _FREE_BYTES, "Free 5 GiB, or set FIDUCIAL_HOME.")


def _works(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except (FiducialError, OSError, sqlite3.Error):
        return False
    return True


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2.0, trust_env=False).is_success
    except httpx.TransportError:
        return False
