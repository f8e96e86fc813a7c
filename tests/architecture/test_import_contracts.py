"""The arrows of the house (docs/adr/0001): import-linter holds them, and would notice a broken one."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGES = ("domain", "imaging", "evidence", "infra", "data", "models", "monitoring", "serving", "pipelines")
FORBIDDEN = {
    "domain/codes.py": "import numpy",
    "evidence/__init__.py": "import imaging",
    "serving/api/__init__.py": "import models.task",
    "monitoring/__init__.py": "import mlflow",
    "data/__init__.py": "from infra.settings import Settings",
}


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


@pytest.fixture(scope="module")
def copy(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("house")
    shutil.copy(root / "pyproject.toml", folder)
    for package in PACKAGES:
        ignored = shutil.ignore_patterns("store", "__pycache__")
        shutil.copytree(root / package, folder / package, ignore=ignored)
    return folder


def test_every_contract_is_kept(root: Path) -> None:
    finished = lint(root)
    assert finished.returncode == 0, finished.stdout


@pytest.mark.parametrize("module", FORBIDDEN)
def test_an_import_against_the_arrows_is_found(copy: Path, module: str) -> None:
    original = (copy / module).read_text()
    (copy / module).write_text(f"{original}\n{FORBIDDEN[module]}\n")
    try:
        finished = lint(copy)
    finally:
        (copy / module).write_text(original)
    assert finished.returncode == 1, finished.stdout
    assert "BROKEN" in finished.stdout
