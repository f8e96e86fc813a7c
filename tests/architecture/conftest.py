"""The tree as git would commit it, for tests that read every file."""

import subprocess
from pathlib import Path

import pytest

PACKAGES = ("domain", "imaging", "evidence", "infra", "data", "models", "monitoring", "serving", "pipelines")


@pytest.fixture(scope="session")
def root() -> Path:
    return Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="session")
def files(root: Path) -> list[Path]:
    """Every file that is tracked or would be by ``git add``."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=root, check=True, capture_output=True, text=True,
    ).stdout.split("\0")  # fmt: skip
    return sorted(root / name for name in set(listed) if name and (root / name).is_file())


@pytest.fixture(scope="session")
def modules(root: Path, files: list[Path]) -> list[Path]:
    """The Python files of the nine packages and of scripts; neither tests nor migrations."""
    return [
        path
        for path in files
        if path.suffix == ".py"
        and path.relative_to(root).parts[0] in (*PACKAGES, "scripts")
        and "migrations/versions" not in path.as_posix()
    ]
