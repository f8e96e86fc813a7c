"""DVC for real: stages run once, bytes travel through a remote, and an edit makes stale exactly what it touches."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from data.obtain import file_digest
from data.phantoms.cohort import Cohort, Site
from data.phantoms.source import PhantomSource
from data.versions import Workspace, verify
from domain.errors import DataProblem, IntegrityViolation

ROOT = Path(__file__).resolve().parents[2]
CODE = ("data", "domain", "evidence", "imaging", "infra", "models", "pipelines")
TASK = "chest_xray_pneumonia"

SOURCE = '''
"""A phantom small enough for a test."""

from data.phantoms.cohort import Cohort, Site
from data.phantoms.source import PhantomSource
from domain.dataset import Distribution, File, SourceCard

class TinyPhantom(PhantomSource):
    cohort = {cohort}
    card = SourceCard(
        name="tiny_phantom", title="SYNTHETIC", synthetic=True, licence="Apache-2.0", citation="-", homepage=None,
        reference_standard="by construction", population="nobody", known_flaws=("SYNTHETIC",), use="development",
        distributions=(Distribution(name="generated", files=(
            File(name="images_96.tar", sha256="{images}"), File(name="index.csv", sha256="{index}"))),),
    )

SOURCE = TinyPhantom()
'''


def _git(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
    command = ["git", *who, "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _dvc(folder: Path, *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "dvc", *arguments], cwd=folder, check=True, capture_output=True)


def _digests(folder: Path) -> dict[str, str]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _project(folder: Path) -> Path:
    """The project's code and stages under git in another place."""
    ignored = shutil.ignore_patterns("__pycache__", "store")
    for name in CODE:
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    (folder / "data/store").mkdir()
    for name in ("dvc.yaml", "params.yaml", ".dvcignore", ".gitignore", ".dvc/config", ".dvc/.gitignore"):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    shutil.copy(ROOT / "data/store/.gitignore", folder / "data/store/.gitignore")
    _git(folder, "init", "--quiet")
    return folder


def _commit(folder: Path) -> None:
    _git(folder, "add", ".")
    _git(folder, "commit", "--quiet", "-m", "state")


def _write_tiny_source(project: Path, scratch: Path) -> None:
    cohort = Cohort(
        name="tiny_phantom", patients=20, size_px=96, prevalence=0.5, sites=(Site(key="here", share=1.0),),
        copies=1, shared_films=0, re_exports=0,
    )  # fmt: skip
    scratch.mkdir()
    type("Drawn", (PhantomSource,), {"cohort": cohort})().generate(scratch)
    text = SOURCE.format(
        cohort=repr(cohort), images=file_digest(scratch / "images_96.tar"), index=file_digest(scratch / "index.csv")
    )
    (project / "data/sources/tiny_phantom.py").write_text(text)
    params = yaml.safe_load((project / "params.yaml").read_text())
    (project / "params.yaml").write_text(yaml.safe_dump({**params, "sources": [*params["sources"], "tiny_phantom"]}))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a tiny source, obtained and prepared by DVC, pushed to a local remote and committed."""
    base = tmp_path_factory.mktemp("dvc")
    project = _project(base / "project")
    _write_tiny_source(project, base / "scratch")
    workspace = Workspace(project)
    workspace.set_local_remote(base / "remote")
    home = {"FIDUCIAL_HOME": str(base / "home")}
    assert workspace.reproduce("obtain@tiny_phantom", environment=home)
    assert workspace.reproduce("prepare@tiny_phantom", environment=home)
    workspace.push()
    _commit(project)
    return project


@pytest.fixture
def clone(project: Path, tmp_path: Path) -> Path:
    """Another clone of it: code and lock, no bytes."""
    _git(project.parent, "clone", "--quiet", str(project), str(tmp_path / "clone"))
    return tmp_path / "clone"


@pytest.mark.slow
def test_the_second_run_does_nothing(project: Path) -> None:
    workspace = Workspace(project)
    assert not workspace.reproduce("obtain@tiny_phantom")
    assert not workspace.reproduce("prepare@tiny_phantom")
    assert not {"obtain@tiny_phantom", "prepare@tiny_phantom"} & set(workspace.status())


@pytest.mark.slow
def test_pull_in_another_clone_gives_identical_bytes(project: Path, clone: Path) -> None:
    assert not (clone / "data/store/prepared").exists()
    workspace = Workspace(clone)
    workspace.set_local_remote(project.parent / "remote")
    workspace.pull("prepare@tiny_phantom", "obtain@tiny_phantom")
    for kind in ("raw", "prepared"):
        folder = Path("data/store") / kind / "tiny_phantom"
        assert _digests(clone / folder) == _digests(project / folder) != {}
    assert verify(clone / "data/store/prepared/tiny_phantom").source == "tiny_phantom"
    assert not workspace.reproduce("prepare@tiny_phantom")
    assert _git(clone, "status", "--porcelain") == ""


@pytest.mark.slow
def test_preparing_again_from_nothing_gives_the_locked_bytes(project: Path, clone: Path) -> None:
    workspace = Workspace(clone)
    home = {"FIDUCIAL_HOME": str(clone.parent / "home")}
    assert workspace.reproduce("obtain@tiny_phantom", environment=home)
    assert workspace.reproduce("prepare@tiny_phantom", environment=home)
    assert _git(clone, "status", "--porcelain") == ""  # dvc.lock names the same digests


@pytest.mark.slow
def test_a_failing_stage_raises_its_branch_of_the_error_tree_with_its_message(clone: Path) -> None:
    source = clone / "data/sources/tiny_phantom.py"
    source.write_text(source.read_text().replace('name="index.csv", sha256="', 'name="index.csv", sha256="00'))
    with pytest.raises(IntegrityViolation, match=r"index\.csv has SHA-256"):
        Workspace(clone).reproduce("obtain@tiny_phantom", environment={"FIDUCIAL_HOME": str(clone.parent / "home")})


@pytest.mark.slow
def test_a_stage_that_does_not_exist_is_a_clear_error(project: Path) -> None:
    with pytest.raises(DataProblem, match="no_such_source"):
        Workspace(project).reproduce("prepare@no_such_source")


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every stage recorded as current over placeholder bytes: what DVC calls stale after an edit is then the edit's."""
    project = _project(tmp_path_factory.mktemp("graph") / "project")
    params = yaml.safe_load((project / "params.yaml").read_text())
    outs = [f"{kind}/{source}" for source in params["sources"] for kind in ("raw", "prepared")]
    outs += [
        f"{kind}/{task}" for task in params["tasks"] for kind in ("champion", "checkpoints", "reports", "predictions")
    ]
    for out in outs:
        (project / "data/store" / out).mkdir(parents=True)
        (project / "data/store" / out / "bytes").write_text(out)
    _dvc(project, "commit", "--force")
    assert Workspace(project).status() == {}
    return project


STALE_AFTER = {
    f"models/tasks/{TASK}.py": {f"train@{TASK}", f"validate@{TASK}"},
    "models/networks.py": {f"train@{TASK}", f"validate@{TASK}"},  # validation asks the trained network itself
    "models/losses.py": {f"train@{TASK}"},
    "models/validation.py": {f"validate@{TASK}"},
    "evidence/templates/report.html.j2": {f"validate@{TASK}"},
    "data/splits.py": {"prepare@phantom_chest", "prepare@phantom_chest_elsewhere"},
    "data/sources/phantom_chest_elsewhere.py": {"obtain@phantom_chest_elsewhere", "prepare@phantom_chest_elsewhere"},
    "data/store/prepared/phantom_chest_elsewhere/bytes": {
        "prepare@phantom_chest_elsewhere",
        f"validate@{TASK}",
    },
    f"data/store/champion/{TASK}/bytes": {f"validate@{TASK}"},
    f"models/plans/{TASK}/plan.yaml": {f"validate@{TASK}"},
    "pipelines/lifecycle.py": set(),
    "models/packaging.py": set(),
}


@pytest.mark.slow
@pytest.mark.parametrize("edited", sorted(STALE_AFTER))
def test_an_edit_makes_exactly_these_stages_stale(settled: Path, edited: str) -> None:
    path = settled / edited
    before = path.read_bytes()
    try:
        path.write_bytes(before + b"\n# edited\n")
        assert set(Workspace(settled).status()) == STALE_AFTER[edited]
    finally:
        path.write_bytes(before)


@pytest.mark.slow
def test_repro_of_everything_would_run_exactly_train_and_validate_after_an_edit_of_the_task(settled: Path) -> None:
    path = settled / f"models/tasks/{TASK}.py"
    before = path.read_bytes()
    try:
        path.write_bytes(before + b"\n# edited\n")
        dry = subprocess.run(
            [sys.executable, "-m", "dvc", "repro", "--dry"], cwd=settled, check=True, capture_output=True, text=True
        )
    finally:
        path.write_bytes(before)
    ran = [line.split("'")[1] for line in dry.stdout.splitlines() if line.startswith("Running stage")]
    assert ran == [f"train@{TASK}", f"validate@{TASK}"]


@pytest.mark.slow
def test_changing_the_external_set_does_not_retrain(settled: Path) -> None:
    path = settled / "params.yaml"
    before = path.read_text()
    params = yaml.safe_load(before)
    params["tasks"][TASK]["external"] = ["phantom_chest"]
    try:
        path.write_text(yaml.safe_dump(params))
        assert set(Workspace(settled).status()) == {f"validate@{TASK}"}
    finally:
        path.write_text(before)
