"""For every test: what runs beside what, and an environment in which no vendor calls home."""

import os
from collections.abc import Iterable

import pytest

from infra.environment import process_environment

SERIAL = ("tests/integration/", "tests/e2e/")


def pytest_configure() -> None:
    """The settings of every process we start, before a vendor's library is imported; one thread each."""
    os.environ.update(process_environment(threads=1))


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: Iterable[pytest.Item]) -> None:
    """Tests that start servers share one worker (``--dist loadgroup``): two cores hold one set of servers at a time."""
    for item in items:
        if item.nodeid.startswith(SERIAL):
            item.add_marker(pytest.mark.xdist_group("servers"))
