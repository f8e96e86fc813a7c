"""Setting up says what is missing, all of it, and how to get it; it never skips in silence."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

OLD_PYTHON = """
import runpy, sys
sys.version_info = (3, 9, 2)
runpy.run_path("scripts/environment.py", run_name="__main__")
"""
PROGRAM = re.compile(r'shutil\.which\("(\w+)"\)|/usr/bin/\{?(\w+)|\["?(promtool)"')


@pytest.fixture(scope="module")
def parts(root: Path) -> dict[str, str]:
    """Program → Debian packages, as scripts/system_parts.py states them."""
    stated = re.findall(r'Part\("(\w+)", "([a-z -]+)"', (root / "scripts/system_parts.py").read_text())
    return dict(stated)


def test_every_part_that_is_missing_is_named_at_once_with_its_package(root: Path, parts: dict[str, str]) -> None:
    finished = subprocess.run(
        [sys.executable, "scripts/system_parts.py"], cwd=root, env={"PATH": "/nowhere"}, capture_output=True, text=True
    )
    # PostgreSQL is found off the PATH where Debian keeps it.
    missing = set(parts) - {"postgres"}
    assert finished.returncode == 1
    assert all(f"  {program}: " in finished.stderr and parts[program] in finished.stderr for program in missing)
    assert "apt-get install" in finished.stderr


def test_every_program_that_a_test_starts_is_a_part(root: Path, parts: dict[str, str]) -> None:
    tests = [path for path in (root / "tests").rglob("*.py") if "architecture" not in path.parts]
    text = "".join(path.read_text() for path in tests)
    used = {name for found in PROGRAM.findall(text) for name in found if name} - {"program"}
    assert used <= set(parts)
    assert all(program in text for program in parts)


def test_another_python_is_refused_with_the_next_step(root: Path) -> None:
    finished = subprocess.run([sys.executable, "-c", OLD_PYTHON], cwd=root, capture_output=True, text=True)
    assert finished.returncode == 1
    assert "needs Python 3.11, found 3.9" in finished.stderr
