"""Dataset versions: re-hashing every byte of one, and the only door to DVC."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from data.archives import read_at
from data.obtain import file_digest
from data.prepare import SAMPLES, SHARDS, VERSION, counts_of
from domain.dataset import DatasetVersion, Sample
from domain.errors import DataProblem, DigestMismatch, DistributionMissing, FiducialError, NotFound, Unavailable
from domain.identifiers import sha256_of
from infra.environment import NO_TELEMETRY

LINES_KEPT = 30  # of a stage's output, for its error message


def verify(prepared: Path) -> DatasetVersion:
    """The dataset version in a folder, after hashing its manifest, its shards and each image again.

    Raises:
        DistributionMissing: nothing was prepared there.
        DigestMismatch: some bytes are not those the version names.
    """
    if not (prepared / VERSION).is_file():
        raise DistributionMissing(f"No dataset version in {prepared}.", next_step="Run the stage prepare first.")
    version = DatasetVersion.model_validate_json((prepared / VERSION).read_bytes())
    _same(SAMPLES, found=_digest(prepared / SAMPLES), expected=version.digest)
    present = {path.name for path in (prepared / SHARDS).iterdir()}
    if unlike := sorted(present ^ version.shards.keys()):
        kind = "missing" if set(unlike) <= version.shards.keys() else "missing or too many"
        raise DigestMismatch(f"Of the shards of {version.name}, {', '.join(unlike)} is {kind}.", next_step=_AGAIN)
    for name, digest in version.shards.items():
        _same(name, found=_digest(prepared / SHARDS / name), expected=digest)
    samples = [Sample.model_validate(row) for row in pq.read_table(prepared / SAMPLES).to_pylist()]
    for sample in samples:
        image = read_at(prepared / SHARDS / sample.shard, place=(sample.offset, sample.length))
        _same(sample.sample_id, found=sha256_of(image), expected=sample.sha256)
    if counts_of(samples) != version.counts:
        raise DigestMismatch(f"The counts of {version.name} are not those of its samples.", next_step=_AGAIN)
    return version


_AGAIN = "Pull or prepare the dataset version again."


def _digest(path: Path) -> str:
    return file_digest(path) if path.is_file() else "none (missing)"


def _same(name: str, *, found: str, expected: str) -> None:
    if found != expected:
        raise DigestMismatch(f"{name} has SHA-256 {found}, expected {expected}.", next_step=_AGAIN)


def _to_stderr(line: str) -> None:
    sys.stderr.write(line)
    sys.stderr.flush()


class Workspace:
    """A copy of the project, under git, in which DVC runs."""

    def __init__(self, root: Path, *, show: Callable[[str], None] = _to_stderr) -> None:
        self.root = root
        self._show = show

    def reproduce(self, stage: str, *, force: bool = False, environment: Mapping[str, str] | None = None) -> bool:
        """Run one stage when it is stale; True when it ran, False when its results were reused.

        Raises:
            NotFound: there is no working copy yet.
            FiducialError: the stage failed; the class is the branch of the error tree that its exit code names.
        """
        arguments = ["repro", "--single-item", *(["--force"] if force else []), stage]
        code, lines = self._run(arguments, environment=environment or {}, show=self._show)
        if code != 0:
            raise _failure(stage, lines)
        return any(line.startswith(f"Running stage '{stage}'") for line in lines)

    def set_local_remote(self, path: Path) -> None:
        """Keep the bytes in a folder of this machine; remembered in ``.dvc/config.local``, which git ignores."""
        path.mkdir(parents=True, exist_ok=True)
        self._dvc("remote", "add", "--local", "--default", "--force", "local", str(path.resolve()))

    def push(self, *stages: str) -> None:
        """Copy the bytes that ``dvc.lock`` names to the remote, of all stages or of these."""
        self._dvc("push", *stages)

    def pull(self, *stages: str) -> None:
        """Fetch the bytes that ``dvc.lock`` names from the remote, of all stages or of these."""
        self._dvc("pull", *stages)

    def status(self) -> dict[str, Any]:
        """Stage → why it is stale; empty when every result is current."""
        answer = next(line for line in reversed(self._dvc("status", "--json").splitlines()) if line.startswith("{"))
        found: dict[str, Any] = json.loads(answer)
        return found

    def _dvc(self, *arguments: str) -> str:
        code, lines = self._run(arguments, environment={}, show=lambda _: None)
        if code != 0:
            raise Unavailable(f"dvc {arguments[0]} failed: {' '.join(line.strip() for line in lines[-5:])}")
        return "".join(lines)

    def _run(
        self, arguments: list[str] | tuple[str, ...], *, environment: Mapping[str, str], show: Callable[[str], None]
    ) -> tuple[int, list[str]]:
        if not self.root.is_dir():
            raise NotFound(f"There is no working copy at {self.root}.", next_step="Run `fiducial train` to make it.")
        # Stages say `python`: that must be ours. The switches keep DVC from calling home, whoever the caller is.
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
        ours = {"PATH": path, **NO_TELEMETRY}
        with subprocess.Popen(
            [sys.executable, "-m", "dvc", *arguments],
            cwd=self.root, env={**os.environ, **environment, **ours}, text=True, encoding="utf-8", errors="replace",
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        ) as process:  # fmt: skip
            lines: list[str] = []
            for line in process.stdout or ():
                lines.append(line)
                show(line)
        return process.returncode, lines


def _failure(stage: str, lines: list[str]) -> FiducialError:
    # DVC reports the stage's exit code, which names a branch of the error tree (domain/errors.py).
    exited = next((re.search(r"exited with (\d+)", line) for line in reversed(lines) if "exited with" in line), None)
    branches = {kind.exit_code: kind for kind in FiducialError.__subclasses__()}
    kind = branches.get(int(exited.group(1)), FiducialError) if exited else DataProblem
    said = [line.strip() for line in lines if line.startswith(f"{stage.partition('@')[0]}: ")]
    tail = [line.strip() for line in lines[-LINES_KEPT:] if line.strip()]
    return kind(f"The stage {stage} failed: {' '.join(said) or ' | '.join(tail)}")
