"""Training a version again from its commit and its dataset's bytes, and comparing what comes out."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from data import versions
from data.versions import Workspace
from domain.acceptance import MetricValue
from domain.errors import DataProblem, NotFound, NotReproduced, Refused, Unavailable
from domain.identifiers import sha256_of
from domain.model_version import ModelManifest
from evidence import bundle
from evidence.record import ValidationReport
from models import candidates, champion
from models.checkpoints import TrainedModel
from pipelines import kept_evidence, opening
from pipelines.wiring import PROJECT, STORE, Offline

_CARRIED = ("params.yaml", "dvc.lock")


@dataclass(frozen=True)
class Compared:
    """One thing that was recorded, and what training again gave."""

    name: str
    recorded: str
    again: str

    @property
    def same(self) -> bool:
        """Whether it is the same to the last digit."""
        return self.recorded == self.again


def evidence_of(version: str, *, root: Offline) -> dict[str, bytes]:
    """The evidence of ``TASK@NUMBER`` as kept here, or of a bundle's file.

    Raises:
        NotFound: neither a file nor a version whose evidence is kept here.
        IntegrityViolation: the bundle was altered.
    """
    if Path(version).is_file():
        return bundle.unpack(Path(version).read_bytes())
    task, _, number = version.rpartition("@")
    if not task or not number.isdecimal():
        raise NotFound(
            f"{version} is neither a bundle's file nor TASK@NUMBER.",
            next_step="`fiducial history` lists the versions, `fiducial bundle` writes a bundle.",
        )
    return kept_evidence.read_kept(task, int(number), root=root)


def reproduce(files: Mapping[str, bytes], *, remote: Path | None, root: Offline) -> tuple[Compared, ...]:
    """Check out the commit in an empty folder, pull the dataset's bytes, train and validate, and compare.

    Raises:
        Refused: the version was trained from code that no commit holds.
        NotFound: this clone does not have the commit.
        DataProblem: the remote does not have the dataset's bytes.
        NotReproduced: other data came out of the remote than were recorded.
    """
    manifest = ModelManifest.model_validate_json(files["manifest.json"])
    if manifest.git_dirty:
        raise Refused(
            f"{manifest.model_version} was trained with changes that no commit holds.",
            next_step="Commit, train and promote again: only then can it be repeated.",
        )
    with tempfile.TemporaryDirectory(prefix="fiducial-reproduce-") as folder:
        clone = _checked_out(manifest, Path(folder) / "clone")
        for name in _CARRIED:
            (clone / name).write_bytes(files[name])
        _pull(clone, manifest, remote=remote, root=root)
        environment = _environment(Path(folder) / "home", root) | _engine_of(manifest)
        Workspace(clone).reproduce(f"train@{manifest.task}", force=True, environment=environment)
        _tell_ledger(files, manifest, root)
        _validate(clone, manifest, environment)
        trained = TrainedModel.load(clone / STORE / "checkpoints" / manifest.task / manifest.variant)
        report = (clone / STORE / "reports" / manifest.task / manifest.variant / "report.json").read_bytes()
        return _compared(manifest, trained, ValidationReport.model_validate_json(report))


def require_same(found: tuple[Compared, ...], *, model_version: str) -> None:
    """Do nothing when everything came out the same.

    Raises:
        NotReproduced: names each thing that did not.
    """
    unlike = [one for one in found if not one.same]
    if unlike:
        said = "; ".join(f"{one.name} was {one.recorded} and is {one.again}" for one in unlike)
        raise NotReproduced(
            f"{model_version} was not reproduced: {said}.",
            next_step="Compare the platform and the packages with the bundle's sbom.cdx.json and requirements.lock.",
        )


def _checked_out(manifest: ModelManifest, clone: Path) -> Path:
    for command in (
        ["git", "clone", "--quiet", "--no-checkout", str(PROJECT), str(clone)],
        ["git", "-C", str(clone), "checkout", "--quiet", "--detach", manifest.git_commit],
    ):
        if subprocess.run(command, capture_output=True).returncode:
            raise NotFound(f"This clone has no commit {manifest.git_commit}.", next_step="git fetch")
    return clone


def _pull(clone: Path, manifest: ModelManifest, *, remote: Path | None, root: Offline) -> None:
    """The prepared bytes by ``dvc pull`` alone: from ``remote``, else the working copy's own remote."""
    workspace = Workspace(clone)
    own = root.copy / ".dvc" / "config.local"
    if remote is not None:
        workspace.set_local_remote(remote)
    elif own.is_file():
        (clone / ".dvc" / "config.local").write_bytes(own.read_bytes())
    sources = [manifest.dataset_version, *manifest.external_dataset_versions]
    try:
        workspace.pull(*(f"prepare@{version.source}" for version in sources))
    except Unavailable as error:
        raise DataProblem(
            f"The bytes of {', '.join(version.name for version in sources)} are not in the remote.",
            next_step="`fiducial data push --to FOLDER` puts them there; then give --remote FOLDER.",
        ) from error
    for version in sources:
        found = versions.verify(clone / STORE / "prepared" / version.source)
        if found.digest != version.digest:
            raise NotReproduced(f"The remote holds {found.name}, recorded was {version.name}.")


def _tell_ledger(files: Mapping[str, bytes], manifest: ModelManifest, root: Offline) -> None:
    """Where the version's plan is registered, that its test set is opened once more; it costs no share of alpha."""
    with root.database.unit_of_work(root.tenant, read_only=True) as work:
        known = [one for one in work.plans.list(manifest.task) if one.sha256 == sha256_of(files["plan.yaml"])]
    for plan in known:
        opening.Door(root=root, plan=plan, by="reproduction", purpose="reproduction")(
            dataset_version=manifest.dataset_version,
            model_version=f"{manifest.task}/{manifest.variant}",
            model_sha256=manifest.model_sha256,
        )


def _validate(clone: Path, manifest: ModelManifest, environment: Mapping[str, str]) -> None:
    champion.lay_out(clone / STORE / "champion" / manifest.task, None, None)  # its figures are not what is compared
    opening.announce(clone, by="reproduction")  # in a ledger of its own, which ends with the folder
    register = ["plan", "register", "--task", manifest.task, "--by", "reproduction"]
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.cli", *register],
        cwd=clone, env={**os.environ, **environment}, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        raise NotReproduced(
            f"The commit of {manifest.model_version} does not register its plan: {done.stderr.strip()[-300:]}",
            next_step="Check the commit's models/plans.",
        )
    Workspace(clone).reproduce(f"validate@{manifest.task}", force=True, environment=environment)


def _environment(home: Path, root: Offline) -> dict[str, str]:
    """A home of its own: nothing of this installation is read, and nothing written."""
    return {
        **root.environment,
        "FIDUCIAL_HOME": str(home),
        "FIDUCIAL_DATABASE_URL": f"sqlite:///{home / 'platform.db'}",
        "FIDUCIAL_MLFLOW_URI": f"sqlite:///{home / 'mlflow.db'}",
        "FIDUCIAL_MLFLOW_ARTIFACTS": (home / "mlartifacts").as_uri(),
    }


def _engine_of(manifest: ModelManifest) -> dict[str, str]:
    """The engine is repeated, not chosen: another machine, or another day, has other times."""
    if manifest.engine_choice is None:
        return {}
    return {"FIDUCIAL_REPEAT_ENGINE": f"{manifest.variant}={manifest.engine}/{manifest.precision}"}


def _compared(manifest: ModelManifest, trained: TrainedModel, report: ValidationReport) -> tuple[Compared, ...]:
    again = {_key(value): value for value in _values(report)}
    return (
        Compared("weights SHA-256", manifest.weights_sha256, trained.weights_sha256),
        Compared("model SHA-256", manifest.model_sha256, candidates.digests(trained)[manifest.precision]),
        Compared("engine", f"{manifest.engine} {manifest.precision}", f"{trained.engine} {trained.precision}"),
        *(
            Compared(f"{value.name} on {value.dataset_version}", _text(value), _text(again.get(_key(value))))
            for value in manifest.performance
        ),
    )


def _values(report: ValidationReport) -> list[MetricValue]:
    return [*report.test.metrics, *(value for outside in report.external for value in outside.metrics)]


def _key(value: MetricValue) -> tuple[str, str, str]:
    return value.name, value.dataset_version, value.subgroup


def _text(value: MetricValue | None) -> str:
    return "not measured" if value is None else f"{value.value!r} ({value.interval[0]!r}–{value.interval[1]!r})"
