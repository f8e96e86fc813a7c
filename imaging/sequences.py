"""Items of the few sequences we read, bounded in size."""

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from imaging.boundary import unreadable

_MAX_BYTES = 2**20  # the largest lookup table has 65,536 entries of two bytes


def first_item(ds: Dataset, keyword: str) -> Dataset | None:
    """The first item of a sequence; None when absent or empty."""
    element = ds.get_item(keyword)
    value = getattr(element, "value", None)
    if isinstance(value, bytes) and len(value) > _MAX_BYTES:
        raise unreadable(keyword)
    items = ds[keyword].value if value else None  # pydicom parses the items here
    return items[0] if isinstance(items, Sequence) and items else None
