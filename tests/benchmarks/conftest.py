"""Models of the session, made once, and the way a benchmark speaks."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.benchmarks.support import bentos, densenet
from tests.benchmarks.support.bentos import Served
from tests.benchmarks.support.films import SIDES_PX, write_bodies
from tests.benchmarks.support.knobs import FP32_ENGINE
from tests.benchmarks.support.online import Online, online


@pytest.fixture
def show(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Prints a passage of ``docs/benchmarks.md``."""

    def write(text: str) -> None:
        with capsys.disabled():
            sys.stdout.write(f"\n\n{text}\n")

    return write


@pytest.fixture(scope="session")
def densenet121() -> densenet.Exported:
    return densenet.densenet121()


@pytest.fixture(scope="session")
def densenet121_int8(densenet121: densenet.Exported) -> bytes:
    return densenet.int8(densenet121)


@pytest.fixture(scope="session")
def small_network() -> densenet.Exported:
    return densenet.small()


@pytest.fixture(scope="session")
def served(
    densenet121: densenet.Exported, densenet121_int8: bytes, small_network: densenet.Exported
) -> dict[str, Served]:
    """What is served, by task: each variant is a task of its own, so that all can be resident at once."""
    full, small = densenet121.preprocessing, small_network.preprocessing
    return {
        "densenet_fp32": Served("densenet_fp32", densenet121.model, full, FP32_ENGINE),
        "densenet_int8": Served("densenet_int8", densenet121_int8, full, "openvino", "int8"),
        "small": Served("small", small_network.model, small, "onnxruntime"),
    }


@pytest.fixture(scope="session")
def packaged(served: dict[str, Served], tmp_path_factory: pytest.TempPathFactory) -> dict[str, bentos.Packaged]:
    """Version 1 of each task."""
    home: Path = tmp_path_factory.mktemp("bentos")
    return {task: bentos.package(one, version=1, home=home) for task, one in served.items()}


@pytest.fixture(scope="session")
def platform(packaged: dict[str, bentos.Packaged], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Online]:
    """Gateway and services with version 1 of each task as its champion."""
    with online(tmp_path_factory.mktemp("home")) as running:
        running.register(*packaged.values())
        for task in packaged:
            running.put_in_force(task, champion=1)
            running.wait_served(task, 1)
        yield running


@pytest.fixture(scope="session")
def bodies(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Folders of request bodies, by the side of their films in pixels."""
    folder = tmp_path_factory.mktemp("bodies")
    return {side: write_bodies(folder, side_px=side) for side in SIDES_PX}
