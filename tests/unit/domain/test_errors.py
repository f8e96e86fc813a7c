"""The error tree: stable, unique codes; every branch its own exit code; messages that end with the next step."""

import re
from collections.abc import Iterator

import pytest

from domain import errors
from domain.errors import FiducialError


def tree(root: type[FiducialError] = FiducialError) -> Iterator[type[FiducialError]]:
    yield root
    for child in root.__subclasses__():
        yield from tree(child)


OURS = [error for error in tree() if error.__module__ == errors.__name__]


def test_codes_are_unique() -> None:
    codes = [error.code for error in OURS]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("error", OURS, ids=lambda error: error.__name__)
def test_a_code_is_the_class_name_in_kebab_case(error: type[FiducialError]) -> None:
    assert error.code == re.sub(r"(?<=[a-z])(?=[A-Z])", "-", error.__name__).lower()


@pytest.mark.parametrize("branch", FiducialError.__subclasses__(), ids=lambda error: error.__name__)
def test_a_whole_branch_shares_one_exit_code(branch: type[FiducialError]) -> None:
    assert {error.exit_code for error in tree(branch)} == {branch.exit_code}


def test_branches_differ_in_exit_code_and_none_says_success() -> None:
    codes = [branch.exit_code for branch in (FiducialError, *FiducialError.__subclasses__())]
    assert len(codes) == len(set(codes))
    assert 0 not in codes


def test_the_message_says_what_and_what_next() -> None:
    error = errors.UnknownTask("No task 'lung'.", next_step="Run fiducial data list.")
    assert str(error) == "No task 'lung'. Run fiducial data list."
    assert (error.what, error.next_step) == ("No task 'lung'.", "Run fiducial data list.")


def test_the_drawn_tree_names_every_branch() -> None:
    assert errors.__doc__
    for branch in FiducialError.__subclasses__():
        assert f"── {branch.__name__} " in errors.__doc__
        assert f"exit {branch.exit_code})" in errors.__doc__
