"""What goes into the images: pinned bases, nobody is root, copied paths exist, online code has what it imports."""

import ast
import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILES = sorted((ROOT / "deploy/images").glob("Dockerfile.*"))
PACKAGES = {"domain", "imaging", "evidence", "infra", "data", "models", "monitoring", "serving", "pipelines"}
ONLINE = [*(ROOT / "serving/wiring").glob("*.py"), *(ROOT / "serving/services").glob("*.py")]
ONLINE += (ROOT / "serving/api/routers").glob("*.py")
# Loaded by name at run time: SQLAlchemy's driver, pydicom's decoders, FastAPI's parser of uploads.
BY_NAME = {"psycopg", "pyjpegls", "pylibjpeg", "pylibjpeg-openjpeg", "pylibjpeg-rle", "python-multipart"}


def imports_of(path: Path) -> set[str]:
    """Absolute dotted names that a module imports, inside functions too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def file_of(name: str) -> Path | None:
    base = ROOT.joinpath(*name.split("."))
    candidates = [base.with_suffix(".py"), base / "__init__.py"]
    return next((path for path in candidates if path.is_file()), None)


def reached_from(starts: list[Path]) -> tuple[set[Path], set[str]]:
    """Our modules and the third-party roots that these files import, directly or through ours."""
    ours: set[Path] = set()
    theirs: set[str] = set()
    waiting = list(starts)
    while waiting:
        path = waiting.pop()
        if path in ours:
            continue
        ours.add(path)
        for name in imports_of(path):
            if name.partition(".")[0] in PACKAGES:
                waiting += [found for found in [file_of(name)] if found]
            else:
                theirs.add(name.partition(".")[0])
    return ours, theirs - set(sys.stdlib_module_names)


def served_names() -> set[str]:
    lines = (ROOT / "deploy/images/serving.txt").read_text().splitlines()
    return {canonicalize_name(Requirement(line).name) for line in lines if not line.startswith("#")}


def test_the_platform_image_installs_what_online_code_imports_and_nothing_else() -> None:
    _, theirs = reached_from(ONLINE)
    providers = packages_distributions()
    needed = {canonicalize_name(provider) for name in theirs for provider in providers[name]} & served_names()
    unprovided = {name for name in theirs if not {canonicalize_name(p) for p in providers[name]} & served_names()}
    assert unprovided == set()
    assert served_names() == needed | BY_NAME


def test_the_platform_image_has_no_training_library() -> None:
    assert served_names() & {"torch", "monai", "mlflow", "prefect", "dvc", "evidently", "scikit-learn"} == set()


def test_the_platform_image_copies_every_package_that_online_code_imports() -> None:
    ours, _ = reached_from(ONLINE)
    copied = set(
        re.findall(r"^COPY (\w+) \w+$", (ROOT / "deploy/images/Dockerfile.platform").read_text(), re.MULTILINE)
    )
    assert {path.relative_to(ROOT).parts[0] for path in ours} <= copied


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_bases_are_pinned_to_one_exact_tag(path: Path) -> None:
    bases = set(re.findall(r"^FROM (\S+)", path.read_text(), re.MULTILINE))
    assert len(bases) == 1
    assert re.fullmatch(r"debian:\d+\.\d+-slim", bases.pop())


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_an_image_runs_as_nobody_special_and_says_whether_it_is_well(path: Path) -> None:
    final = path.read_text().rpartition("\nFROM ")[2]
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", final, re.MULTILINE)
    assert re.search(r"^HEALTHCHECK ", final, re.MULTILINE)


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_every_copied_path_exists_and_reaches_the_builder(path: Path) -> None:
    copies = re.findall(r"^COPY (?!--from)(.+) \S+$", path.read_text(), re.MULTILINE)
    allowed = re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    for source in " ".join(copies).split():
        assert (ROOT / source).exists(), source
        assert any(source == entry or source.startswith(f"{entry}/") for entry in allowed), source
