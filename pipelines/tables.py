"""Tables on a terminal of 80 columns: what is too long is folded, never cut."""

from rich import box
from rich.table import Column, Table
from rich.text import Text


def table(*columns: str, title: str, whole: tuple[str, ...] = ()) -> Table:
    """A table without vertical lines; with empty names, without a head. The columns in ``whole`` are not folded."""
    heads = (Column(column, overflow="fold", no_wrap=column in whole) for column in columns)
    return Table(*heads, title=Text(title), title_justify="left", box=box.SIMPLE_HEAD, show_header=any(columns))


def add(to: Table, *cells: str) -> None:
    """Add a row; what a person wrote is no markup."""
    to.add_row(*map(Text, cells))
