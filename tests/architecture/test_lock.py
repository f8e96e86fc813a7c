"""requirements.lock is whole and honest: exact versions, all that is needed, nothing besides, and what runs here."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

OURS = {
    "domain",
    "imaging",
    "evidence",
    "infra",
    "data",
    "models",
    "monitoring",
    "serving",
    "pipelines",
    "system_parts",
    "tests",  # the benchmarks share parts of their own
}
# Needed by aiohttp and redis on Python before 3.11.3 only; see scripts/lock.py.
OLDER_PYTHON = {"async-timeout"}
TORCH = {"torch"}
# Run as a program, or loaded by name: DVC, SQLAlchemy's driver, pydicom's decoders, FastAPI's parser of uploads; uv,
# which BentoML would fetch by itself while a version is packaged.
NOT_IMPORTED = {
    "dvc", "psycopg", "pyjpegls", "pylibjpeg", "pylibjpeg-openjpeg", "pylibjpeg-rle", "python-multipart", "uv",
}  # fmt: skip


@pytest.fixture(scope="module")
def lock(root: Path) -> dict[str, str]:
    lines = (root / "requirements.lock").read_text().splitlines()
    assert all(re.fullmatch(r"[a-z0-9-]+==[A-Za-z0-9.+!]+", line) for line in lines), "only name==version lines"
    return dict(line.split("==") for line in lines)


@pytest.fixture(scope="module")
def declared(root: Path) -> list[Requirement]:
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    return [Requirement(line) for line in project["dependencies"] + project["optional-dependencies"]["dev"]]


def children(requirement: Requirement) -> Iterator[Requirement]:
    for line in distribution(requirement.name).requires or []:
        child = Requirement(line)
        extras = requirement.extras | {""}
        if child.marker is None or any(child.marker.evaluate({"extra": extra}) for extra in extras):
            yield child


def closure(requirements: list[Requirement]) -> dict[str, str]:
    """Name → installed version of the requirements and all that they need."""
    found: dict[tuple[str, frozenset[str]], str] = {}
    waiting = list(requirements)
    while waiting:
        requirement = waiting.pop()
        key = (canonicalize_name(requirement.name), frozenset(requirement.extras))
        if key in found:
            continue
        try:
            found[key] = distribution(requirement.name).version
        except PackageNotFoundError:
            found[key] = "not installed"
            continue
        waiting += children(requirement)
    return {name: version for (name, _), version in found.items()}


def imported(path: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(path.read_text())))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and node.level == 0]
    return {name.partition(".")[0] for name in names}


def test_the_lock_is_what_the_declared_dependencies_need(lock: dict[str, str], declared: list[Requirement]) -> None:
    needed = {name: version for name, version in closure(declared).items() if name not in TORCH}
    known = {name: version for name, version in lock.items() if name in needed or name not in OLDER_PYTHON}
    assert known == needed


def test_torch_is_a_step_of_its_own(root: Path, lock: dict[str, str]) -> None:
    assert "torch" not in lock
    assert re.fullmatch(r"torch==[\d.]+\n", (root / "torch.txt").read_text())


def test_every_third_party_import_is_declared(
    modules: list[Path], files: list[Path], declared: list[Requirement]
) -> None:
    # The peers of the benchmarks have an environment of their own: tests/benchmarks/peers/requirements.txt.
    tests = [p for p in files if p.suffix == ".py" and "tests" in p.parts and p.parent.name != "peers"]
    names = {canonicalize_name(requirement.name) for requirement in declared}
    providers = packages_distributions()
    undeclared = {
        f"{path}: {name}"
        for path in {*modules, *tests}
        for name in imported(path) - OURS - set(sys.stdlib_module_names)
        if not {canonicalize_name(provider) for provider in providers.get(name, [])} & names
    }
    assert undeclared == set()


def test_every_declared_dependency_is_used(root: Path, modules: list[Path]) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    stated = {canonicalize_name(Requirement(line).name) for line in project["dependencies"]}
    providers = packages_distributions()
    used = {canonicalize_name(p) for path in modules for name in imported(path) for p in providers.get(name, [])}
    assert stated - used == NOT_IMPORTED
