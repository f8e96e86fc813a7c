"""A promoted version is trained again from its commit and the remote's bytes, and comes out the same."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from data.obtain import file_digest
from data.phantoms.cohort import Cohort, Site
from data.phantoms.source import PhantomSource
from domain.errors import NotFound, NotReproduced, Refused
from domain.model_version import ModelManifest
from evidence.record import ValidationReport
from models.checkpoints import TrainedModel
from models.plans import PLANS, pccp_file, plan_file
from pipelines import kept_evidence, reproducing, working_copy
from pipelines.wiring import PROJECT

pytestmark = pytest.mark.slow
TASK = "chest_xray_pneumonia"
DATA_PROBLEM = 5  # exit code

SOURCE = '''"""A phantom small enough for a test."""

from data.phantoms.cohort import Cohort, Site
from data.phantoms.source import PhantomSource
from data.source import SplitShares
from domain.dataset import Distribution, File, SourceCard


class Tiny(PhantomSource):
    cohort = {cohort}
    shares = SplitShares(tune={tune}, test={test})
    card = SourceCard(
        name="{name}", title="SYNTHETIC", synthetic=True, licence="Apache-2.0", citation="-", homepage=None,
        reference_standard="by construction", population="nobody", known_flaws=("SYNTHETIC",), use="{use}",
        distributions=(Distribution(name="generated", files=(
            File(name="images_96.tar", sha256="{images}"), File(name="index.csv", sha256="{index}"))),),
    )


SOURCE = Tiny()
'''


def git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
    subprocess.run(["git", *who, "-C", str(folder), *arguments], check=True, capture_output=True)


def write_tiny_source(project: Path, scratch: Path, *, name: str, use: str, shares: tuple[float, float]) -> None:
    site = Site(key=f"{name}-site", share=1.0, contrast=(0.7, 1.0))
    cohort = Cohort(
        name=name, patients=40, size_px=96, prevalence=0.5, sites=(site,), copies=0, shared_films=0, re_exports=0
    )
    scratch.mkdir()
    type("Drawn", (PhantomSource,), {"cohort": cohort})().generate(scratch)
    text = SOURCE.format(
        cohort=repr(cohort), name=name, use=use, tune=shares[0], test=shares[1],
        images=file_digest(scratch / "images_96.tar"), index=file_digest(scratch / "index.csv"),
    )  # fmt: skip
    (project / "data/sources" / f"{name}.py").write_text(text)


def shorten_training(project: Path) -> None:
    file = project / "models/tasks" / f"{TASK}.py"
    before, after = "epochs=6, samples_per_epoch=512", "epochs=1, samples_per_epoch=64"
    text = file.read_text()
    assert before in text
    file.write_text(text.replace(before, after))


def amend_plans(project: Path) -> None:
    """Bounds that such a network meets on a cohort of this size."""
    plan, pccp = plan_file(TASK, folder=project / PLANS), pccp_file(TASK, folder=project / PLANS)
    document = yaml.safe_load(plan.read_bytes())
    document |= {
        "primary": [{"kind": "bound", "metric": "auroc", "at_least": 0.05}], "secondary": [], "subgroups": [],
        "sample_size": [
            {"endpoint": "auroc_at_least", "expected": 0.9, "positive_share": 0.5, "power": 0.9, "samples": 20}
        ],
    }  # fmt: skip
    plan.write_text(yaml.safe_dump(document))
    allowed = yaml.safe_load(pccp.read_bytes())
    allowed["modification_protocol"]["data"] |= {"min_training_samples": 1, "min_training_patients": 1}
    allowed["modification_protocol"]["evaluation"]["required_comparisons"] = ["baseline"]
    pccp.write_text(yaml.safe_dump(allowed))


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The home that ``fiducial`` works on."""
    return tmp_path / "home"


@pytest.fixture
def fiducial(installed: Path, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """The command in a project of its own, whose two phantoms are tiny."""
    project = tmp_path / "project"
    working_copy.refresh(project, project=PROJECT)
    write_tiny_source(project, tmp_path / "a", name="phantom_chest", use="development", shares=(0.25, 0.4))
    write_tiny_source(project, tmp_path / "b", name="phantom_chest_elsewhere", use="external", shares=(0.0, 1.0))
    shorten_training(project)
    amend_plans(project)
    git(project, "checkout", "--quiet", "-b", "tiny")
    git(project, "add", ".")
    git(project, "commit", "--quiet", "-m", "tiny")
    ours = {name: value for name, value in os.environ.items() if not name.startswith("FIDUCIAL_")}

    def run(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        ended = subprocess.run(
            [sys.executable, "-m", "pipelines.cli", *arguments], cwd=project, capture_output=True, text=True,
            env=ours | {"FIDUCIAL_HOME": str(installed)}, timeout=300,
        )  # fmt: skip
        assert ended.returncode == code, ended.stderr
        return ended

    return run


def test_training_again_from_commit_and_remote_gives_the_same_digests_and_figures(
    fiducial: Callable[..., Any], installed: Path, tmp_path: Path
) -> None:
    fiducial("train", "--source", "phantom_chest", "--preset", "smoke")
    fiducial("plan", "register", "--by", "Planner")
    fiducial("validate", "--by", "Engineer")
    promoted = fiducial("promote", "--approver", "Dr. Example")
    version = next(word for word in promoted.stdout.split() if word.startswith(f"{TASK}@"))
    bundle, remote = tmp_path / "bundle.zip", tmp_path / "remote"
    fiducial("bundle", version, "--out", str(bundle))

    nothing_pushed = fiducial("reproduce", version, code=DATA_PROBLEM)
    assert "`fiducial data push --to FOLDER` puts them there; then give --remote FOLDER." in nothing_pushed.stderr

    pushed = fiducial("data", "push", "--to", str(remote), "--task", TASK)
    assert "prepare@phantom_chest, prepare@phantom_chest_elsewhere" in pushed.stdout
    for gone in (".dvc/cache", "data/store/prepared", "data/store/raw"):
        shutil.rmtree(installed / "workspace" / gone)

    again = fiducial("reproduce", str(bundle), "--remote", str(remote))
    lines = again.stdout.splitlines()
    assert [line for line in lines if not line.startswith("same ")] == []
    named = [line.split(":")[0].split(maxsplit=1)[1] for line in lines]
    assert named[:2] == ["weights SHA-256", "model SHA-256"]
    assert any(name.startswith("auroc on phantom_chest@") for name in named)
    assert any(name.startswith("auroc on phantom_chest_elsewhere@") for name in named)
    assert "reproduction" in fiducial("ledger").stdout


@pytest.fixture
def kept(promoted: Any) -> dict[str, bytes]:
    files: dict[str, bytes] = reproducing.evidence_of(f"{TASK}@{promoted.in_force().champion}", root=promoted.root)
    return files


def with_manifest(files: dict[str, bytes], **changes: Any) -> dict[str, bytes]:
    manifest = ModelManifest.model_validate_json(files["manifest.json"]).model_copy(update=changes)
    return {**files, "manifest.json": manifest.model_dump_json().encode()}


def test_another_digest_than_recorded_is_named_with_both(promoted: Any, kept: dict[str, bytes]) -> None:
    manifest = ModelManifest.model_validate_json(kept["manifest.json"])
    trained = TrainedModel.load(promoted.root.store("checkpoints", TASK, manifest.variant))
    report = ValidationReport.model_validate_json(kept[kept_evidence.REPORT])
    reproducing.require_same(reproducing._compared(manifest, trained, report), model_version=manifest.model_version)

    other = manifest.model_copy(update={"weights_sha256": "0" * 64})
    with pytest.raises(NotReproduced) as told:
        reproducing.require_same(reproducing._compared(other, trained, report), model_version=manifest.model_version)
    assert told.value.what == (
        f"{manifest.model_version} was not reproduced: weights SHA-256 was {'0' * 64} and is {trained.weights_sha256}."
    )


def test_a_figure_off_in_its_last_digit_or_not_measured_again_is_named(promoted: Any, kept: dict[str, bytes]) -> None:
    manifest = ModelManifest.model_validate_json(kept["manifest.json"])
    trained = TrainedModel.load(promoted.root.store("checkpoints", TASK, manifest.variant))
    report = ValidationReport.model_validate_json(kept[kept_evidence.REPORT])
    first, *others = report.test.metrics
    for metrics in ([first.model_copy(update={"value": first.value + 1e-15}), *others], others):
        unlike = report.model_copy(update={"test": report.test.model_copy(update={"metrics": tuple(metrics)})})
        found = reproducing._compared(manifest, trained, unlike)
        assert [one.name for one in found if not one.same] == [f"{first.name} on {first.dataset_version}"]


def test_what_cannot_be_repeated_is_refused_before_anything_is_trained(promoted: Any, kept: dict[str, bytes]) -> None:
    with pytest.raises(Refused, match="with changes that no commit holds"):
        reproducing.reproduce(with_manifest(kept, git_dirty=True), remote=None, root=promoted.root)
    with pytest.raises(NotFound, match="This clone has no commit aaaa"):
        reproducing.reproduce(with_manifest(kept, git_commit="a" * 40), remote=None, root=promoted.root)
    for name in ("absent.zip", TASK, f"{TASK}@9x"):
        with pytest.raises(NotFound, match="is neither a bundle's file nor TASK@NUMBER"):
            reproducing.evidence_of(name, root=promoted.root)
