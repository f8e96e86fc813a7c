"""Problem documents: every error has its status, says what next, and is listed in the documentation."""

import re
from pathlib import Path

import pytest

from domain import errors
from domain.error_codes import all_errors
from serving import problems
from serving.problems import error_from, problem, status_of

HOMES = (errors.__name__, problems.__name__)
OURS = sorted({e for e in all_errors() if e.__module__ in HOMES}, key=lambda error: error.code)
TABLE = (Path(__file__).parents[3] / "docs" / "errors.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("error", OURS, ids=lambda error: error.code)
def test_the_documentation_lists_each_error_with_its_status_and_exit_code(error: type[errors.FiducialError]) -> None:
    assert f"| `{error.code}` | {status_of(error)} | {error.exit_code} |" in TABLE


def test_the_documentation_lists_no_error_that_does_not_exist() -> None:
    assert set(re.findall(r"^\| `([a-z-]+)`", TABLE, flags=re.MULTILINE)) == {error.code for error in OURS}


@pytest.mark.parametrize("error", OURS, ids=lambda error: error.code)
def test_bad_input_and_refusals_are_4xx_and_ours_are_5xx(error: type[errors.FiducialError]) -> None:
    theirs = issubclass(error, errors.BadInput | errors.NotFound | errors.Refused)
    assert status_of(error) // 100 == (4 if theirs else 5)


@pytest.mark.parametrize("error", OURS, ids=lambda error: error.code)
def test_a_problem_document_comes_back_as_the_same_error(error: type[errors.FiducialError]) -> None:
    told = error_from(problem(error("What.", next_step="Then.")))
    assert (type(told), told.what, told.next_step) == (error, "What.", "Then.")


def test_an_unknown_problem_counts_as_unavailable() -> None:
    assert type(error_from({"code": "from-the-future"})) is errors.Unavailable


def test_a_document_has_the_members_of_rfc_9457() -> None:
    document = problem(errors.UnknownStudy("No study.", next_step="Check."), errors=[])
    assert document == {
        "type": "urn:fiducial:problem:unknown-study",
        "title": "No study of that identifier in this tenant.",
        "status": 404,
        "detail": "No study.",
        "code": "unknown-study",
        "next_step": "Check.",
        "errors": [],
    }
