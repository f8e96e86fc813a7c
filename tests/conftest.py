"""For every test: an environment in which no vendor calls home."""

import os

from infra.environment import process_environment


def pytest_configure() -> None:
    """The settings of every process we start, before a vendor's library is imported; one thread each."""
    os.environ.update(process_environment(threads=1))
