"""Rules for the tests themselves: no packages, no skips, no stand-ins for our parts, no helpers between tests."""

import ast
import re
from pathlib import Path

import pytest

SKIPS = re.compile(r"pytest\.(?:" + r"skip|xfail|importorskip)\b|mark\.(?:" + r"skip|skipif|xfail)\b")
# A benchmark is a program in parts: what its measurements share, they may import; nobody else may.
BENCHMARKS, SHARED_BY_BENCHMARKS = ("tests", "benchmarks"), ("tests.benchmarks.support", "peer_scoring")
STAND_INS = re.compile(r"unittest\.mock|" + r"\bmocker\b|" + r"Magic" + "Mock")


@pytest.fixture(scope="module")
def tests(root: Path, files: list[Path]) -> list[Path]:
    return [path for path in files if path.suffix == ".py" and path.is_relative_to(root / "tests")]


def imported(path: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(path.read_text())))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return names | {node.module or "." for node in nodes if isinstance(node, ast.ImportFrom)}


def test_no_test_folder_is_a_package(tests: list[Path]) -> None:
    # With an __init__.py, tests/unit/data would take the name of the package data.
    assert [path for path in tests if path.name == "__init__.py"] == []


def test_no_test_skips_or_expects_to_fail(tests: list[Path]) -> None:
    assert {str(path): hit.group() for path in tests if (hit := SKIPS.search(path.read_text()))} == {}


def test_no_test_replaces_a_part_of_ours(tests: list[Path]) -> None:
    assert {str(path): hit.group() for path in tests if (hit := STAND_INS.search(path.read_text()))} == {}


def test_no_test_imports_from_another_test(root: Path, tests: list[Path]) -> None:
    local = {path.stem for path in tests} | {"tests", "conftest", "."}
    found = {path: {name for name in imported(path) if name.split(".")[0] in local} for path in tests}
    for path, names in found.items():
        if path.relative_to(root).parts[:2] == BENCHMARKS:
            names -= {name for name in names if name.startswith(SHARED_BY_BENCHMARKS)}
    assert {str(path): names for path, names in found.items() if names} == {}
