"""The folder of reference cases, chosen on the command line."""

import os
from pathlib import Path

import pytest

OURS = Path(__file__).parent / "reference_cases"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--cases", type=Path, default=None, help="folder of reference cases (JSON) to run")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test per case: the folder named by --cases alone, else ours and the one FIDUCIAL_REFERENCE_CASES names."""
    if "reference_case" not in metafunc.fixturenames:
        return
    chosen = metafunc.config.getoption("--cases")
    more = os.environ.get("FIDUCIAL_REFERENCE_CASES")
    folders = [chosen] if chosen else [OURS, *([Path(more)] if more else [])]
    paths = [path for folder in folders for path in sorted(folder.glob("*.json"))]
    metafunc.parametrize("reference_case", paths, ids=lambda path: f"{path.parent.name}/{path.stem}")
