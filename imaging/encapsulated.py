"""Compressed pixel data: the walk along the fragments (PS3.5 A.4), without decoding."""

import struct
from dataclasses import dataclass

from imaging.boundary import unreadable
from imaging.dataset import UNDEFINED_LENGTH, PixelElement

_ITEM = b"\xfe\xff\x00\xe0"
_END = b"\xfe\xff\xdd\xe0"
_MAX_FRAGMENTS = 100_000


@dataclass(frozen=True)
class Fragments:
    """Offset and length of every fragment after the basic offset table."""

    data: bytes
    spans: tuple[tuple[int, int], ...]

    def joined(self) -> bytes:
        """All fragments in a row: the one frame of a single-frame object."""
        return b"".join(self.data[offset : offset + length] for offset, length in self.spans)


def fragments_of(pixels: PixelElement) -> Fragments:
    """Finds the fragments.

    Raises:
        UnreadableImage: truncated, or not items one after the other.
    """
    if pixels.length != UNDEFINED_LENGTH:
        raise unreadable("pixel data")
    data, position = pixels.data, pixels.offset
    spans: list[tuple[int, int]] = []
    while len(spans) <= _MAX_FRAGMENTS:
        tag, header = data[position : position + 4], data[position + 4 : position + 8]
        if tag not in (_ITEM, _END) or len(header) < 4:
            raise unreadable("pixel data")
        if tag == _END:
            return _without_offset_table(data, spans)
        length = struct.unpack("<I", header)[0]
        position += 8
        if length > len(data) - position:
            raise unreadable("pixel data")
        spans.append((position, length))
        position += length
    raise unreadable("pixel data")


def _without_offset_table(data: bytes, spans: list[tuple[int, int]]) -> Fragments:
    if len(spans) < 2:
        raise unreadable("pixel data")
    return Fragments(data, tuple(spans[1:]))
