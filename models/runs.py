"""The tracked runs of one training: each begun, or taken up where it was interrupted; none is left open at the end."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from domain.dataset import DatasetVersion
from domain.identifiers import Sha256
from models.tracking import Tracking, mlflow

if TYPE_CHECKING:
    from types import TracebackType

logger = logging.getLogger(__name__)
_RUN_ID = "run_id"  # beside the progress of an interrupted training
_PACKAGES = ("domain", "evidence", "imaging", "models")  # whose code a training may run through


class Runs(AbstractContextManager["Runs"]):
    """What is still open when the block ends is ended: as failed after an error, as killed after an interrupt."""

    def __init__(self, tracking: Tracking) -> None:
        self.tracking = tracking
        self._open: list[str] = []

    def take_up(self, progress: Path, *, experiment: str, tags: Mapping[str, str]) -> str:
        """The run of the training that was interrupted with this progress, or a new one; its identifier."""
        file = progress.parent / _RUN_ID
        if file.exists() and self.tracking.is_known(run_id := file.read_text().strip()):
            self.tracking.reopen(run_id)
        else:
            file.parent.mkdir(parents=True, exist_ok=True)
            run_id = self.tracking.start(experiment=experiment, name=tags["variant"], tags=tags)
            file.write_text(run_id)
        self._open.append(run_id)
        return run_id

    def finish(self, run_id: str, *, progress: Path) -> None:
        """The training has ended well: nothing is left to take up."""
        self.tracking.finish(run_id)
        self._open.remove(run_id)
        progress.unlink(missing_ok=True)
        (progress.parent / _RUN_ID).unlink()
        progress.parent.rmdir()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End what is open; when MLflow cannot be told, the error that ended the training is still the one raised."""
        status = "FAILED" if kind is not None and issubclass(kind, Exception) else "KILLED"
        for run_id in self._open:
            try:
                self.tracking.finish(run_id, status=status)
            except mlflow().MlflowException:
                logger.warning("MLflow could not be told that run %s has ended as %s.", run_id, status)


def identity(parameters: Mapping[str, Any], version: DatasetVersion, *, git_commit: str, code: Sha256) -> str:
    """Names one training: what is interrupted under one name is continued under the same only."""
    text = json.dumps([parameters, version.digest, git_commit, code], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def code_digest(root: Path = Path(__file__).parents[1]) -> Sha256:
    """SHA-256 of all code a training may run through: the commit does not name an edit that nobody committed."""
    digest = hashlib.sha256()
    for package in _PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            digest.update(f"{path.relative_to(root).as_posix()}\0{content}\n".encode())
    return Sha256(digest.hexdigest())
