"""One file per dataset; the file's name is the source's name."""

import importlib
import pkgutil
from typing import cast

from data.source import Source
from domain.errors import UnknownSource


def list_sources() -> list[str]:
    """The names of all sources: the files of this folder."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def get_source(name: str) -> Source:
    """The source in the file of that name.

    Raises:
        UnknownSource: there is no such file.
    """
    if name not in list_sources():
        raise UnknownSource(f"There is no source {name!r}.", next_step=f"Known: {', '.join(list_sources())}.")
    return cast(Source, importlib.import_module(f"{__name__}.{name}").SOURCE)
