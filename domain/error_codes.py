"""Errors by their stable code."""

from collections.abc import Iterator

from domain.errors import FiducialError


def all_errors(root: type[FiducialError] = FiducialError) -> Iterator[type[FiducialError]]:
    """Every error class of the tree, parents first; subclasses that other packages define are part of it."""
    yield root
    for child in root.__subclasses__():
        yield from all_errors(child)


def error_with_code(code: str) -> type[FiducialError] | None:
    """The class of that stable code, if this program knows it."""
    return next((known for known in all_errors() if known.code == code), None)
