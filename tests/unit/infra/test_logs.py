"""Log lines are JSON and never carry a patient's data."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from pydicom.dataset import Dataset

from domain.errors import UnreadableImage
from infra import logs

NAME = "DOE^JANE"


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers, root.level = handlers, level
    logging.raiseExceptions = True


def written(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    text = capsys.readouterr().err
    assert NAME not in text
    line: dict[str, Any] = json.loads(text)
    return line


def test_a_line_says_what_when_and_where(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure()
    logs.get("intake").info("study.received", study_id="st_1", instances=2)
    line = written(capsys)
    assert line | {"event": "study.received", "logger": "intake", "level": "info"} == line
    assert (line["study_id"], line["instances"]) == ("st_1", 2)
    assert line["timestamp"].endswith("Z")


@pytest.mark.parametrize("key", ["patient_name", "PatientID", "accession_number", "password"])
def test_what_names_a_patient_or_a_secret_is_withheld(capsys: pytest.CaptureFixture[str], key: str) -> None:
    logs.configure()
    logs.get("intake").info("study.received", **{key: NAME})
    assert written(capsys)[key] == logs.WITHHELD


def test_a_dataset_leaves_only_its_type(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure()
    ds = Dataset()
    ds.PatientName = NAME
    logs.get("intake").warning("odd", ds=ds, several=[ds], nested={"ds": ds})
    line = written(capsys)
    assert (line["ds"], line["several"], line["nested"]) == ("<Dataset>", ["<Dataset>"], {"ds": "<Dataset>"})


def test_an_exception_leaves_its_type_code_and_place_not_its_message(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure()
    try:
        raise UnreadableImage(NAME)
    except UnreadableImage:
        logs.get("intake").error("failed", exc_info=True)
    line = written(capsys)
    assert (line["exception"], line["code"]) == ("UnreadableImage", "unreadable-image")
    assert "test_logs.py" in line["where"][0]


def test_a_library_that_logs_an_exception_is_treated_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure()
    try:
        raise ValueError(NAME)
    except ValueError:
        logging.getLogger("uvicorn.error").exception("failed")
    assert written(capsys)["exception"] == "ValueError"


def test_lines_below_the_level_are_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure()
    logs.get("intake").debug("detail")
    logging.getLogger("library").debug("detail")
    assert capsys.readouterr().err == ""
