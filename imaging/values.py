"""Values of single elements, from their bytes: malformed is an error or not stated, never a guess (PS3.5 6.2)."""

import math
import re
import struct

from pydicom.charset import convert_encodings, python_encoding
from pydicom.dataset import Dataset

from domain.errors import UnreadableImage

_UID = re.compile(r"[0-9]+(\.[0-9]+)*")
_CODE = re.compile(r"[A-Z0-9_ ]{1,16}")  # CS


def raw(ds: Dataset, keyword: str) -> bytes | None:
    """An element's bytes; None when absent or empty."""
    element = ds.get_item(keyword)
    value = getattr(element, "value", None)
    return value if isinstance(value, bytes) and value else None


def uid_of(ds: Dataset, keyword: str) -> str | None:
    """A UID (PS3.5 9.1); None when absent.

    Raises:
        UnreadableImage: present, but not a UID.
    """
    value = raw(ds, keyword)
    text = value.decode("latin-1").rstrip("\0 ") if value else ""
    if not text:
        return None
    if len(text) > 64 or not _UID.fullmatch(text):
        raise _malformed(keyword)
    return text


def code_of(ds: Dataset, keyword: str) -> str | None:
    """A code string; None when absent or malformed. Small letters are forgiven."""
    value = raw(ds, keyword)
    text = value.decode("latin-1").strip("\0 ").upper() if value else ""
    return text if _CODE.fullmatch(text) else None


def text_of(ds: Dataset, keyword: str) -> str | None:
    """A text in the data set's character set; bytes that are not of it are kept one to one, so texts stay distinct."""
    value = raw(ds, keyword)
    if value is None:
        return None
    stripped = value.strip(b"\0 ")
    try:
        text = stripped.decode(_encoding(ds))
    except (UnicodeError, LookupError):
        text = stripped.decode("latin-1")
    return text or None


def unsigned_of(ds: Dataset, keyword: str) -> int | None:
    """An unsigned short; None when absent.

    Raises:
        UnreadableImage: present, but not one unsigned short.
    """
    value = raw(ds, keyword)
    if value is None:
        return None
    if len(value) != 2:
        raise _malformed(keyword)
    return int(struct.unpack(byte_order(ds) + "H", value)[0])


def needed(ds: Dataset, keyword: str) -> int:
    """An unsigned short that an image must have (type 1)."""
    value = unsigned_of(ds, keyword)
    if value is None:
        raise UnreadableImage(f"{keyword} is missing.", next_step="Export the image again.")
    return value


def decimals_of(ds: Dataset, keyword: str) -> tuple[float, ...]:
    """Decimal strings; empty when absent.

    Raises:
        UnreadableImage: present, but not finite numbers.
    """
    value = raw(ds, keyword)
    text = value.decode("latin-1").strip("\0 ") if value else ""
    if not text:
        return ()
    if len(text) > 1024:
        raise _malformed(keyword)
    try:
        numbers = tuple(float(part) for part in text.split("\\"))
    except ValueError:
        raise _malformed(keyword) from None
    if not all(map(math.isfinite, numbers)):
        raise _malformed(keyword)
    return numbers


def decimal_of(ds: Dataset, keyword: str, *, default: float) -> float:
    """The first decimal string, or the standard's default when absent."""
    numbers = decimals_of(ds, keyword)
    return numbers[0] if numbers else default


def byte_order(ds: Dataset) -> str:
    """``<`` or ``>``, as the data set was written."""
    return "<" if ds.original_encoding[1] in (True, None) else ">"


def _encoding(ds: Dataset) -> str:
    declared = raw(ds, "SpecificCharacterSet")
    terms = declared.decode("latin-1").strip("\0 ").split("\\") if declared else [""]
    if terms[0] not in python_encoding:
        return "latin-1"
    return str(convert_encodings(terms[:1])[0])


def _malformed(keyword: str) -> UnreadableImage:
    return UnreadableImage(f"{keyword} is malformed.", next_step="Export the image again.")
