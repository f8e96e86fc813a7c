"""What a compressed stream says of its own size: compared with the header before a decoder may allocate for it."""

import struct
from dataclasses import dataclass

from imaging.boundary import unreadable

# ISO/IEC 10918-1 Table B.1, start-of-frame markers; 0xF7 is JPEG-LS (ISO/IEC 14495-1).
_START_OF_FRAME = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC} | {0xF7})
_START_OF_SCAN = b"\xff\xda"
_MAX_SCANS = 100  # a progressive JPEG of many scans costs a pass over the image for each
_MAX_TILES = 4096


@dataclass(frozen=True)
class CodestreamSize:
    """Size, components and sample precision."""

    rows: int
    columns: int
    components: int
    precision: int
    lossless_process: bool = False


def jpeg_size(stream: bytes) -> CodestreamSize:
    """Of JPEG and JPEG-LS, from the frame header.

    Raises:
        UnreadableImage: there is none, or it is broken.
    """
    if stream[:2] != b"\xff\xd8" or stream.count(_START_OF_SCAN) > _MAX_SCANS:
        raise unreadable("JPEG stream")
    position = 2
    while position + 4 <= len(stream) and stream[position] == 0xFF:
        marker = stream[position + 1]
        if marker == 0xFF or 0xD0 <= marker <= 0xD8:  # fill byte, or a marker without a segment
            position += 1 if marker == 0xFF else 2
            continue
        length = struct.unpack_from(">H", stream, position + 2)[0]
        if marker in _START_OF_FRAME and length >= 8 and position + 10 <= len(stream):
            precision, rows, columns, components = struct.unpack_from(">BHHB", stream, position + 4)
            return CodestreamSize(rows, columns, components, precision, lossless_process=marker == 0xC3)
        if length < 2:
            break
        position += 2 + length
    raise unreadable("JPEG stream")


def jpeg2000_size(stream: bytes) -> CodestreamSize:
    """Of JPEG 2000, from the SIZ segment (ISO/IEC 15444-1 A.5.1); the stream may lie in a JP2 file.

    Raises:
        UnreadableImage: there is none, or it is broken.
    """
    start = stream[:4096].find(b"\xff\x4f\xff\x51")
    if start < 0 or len(stream) < start + 42:
        raise unreadable("JPEG 2000 stream")
    width, height, left, top, tile_width, tile_height, tile_left, tile_top, components = struct.unpack_from(
        ">8IH", stream, start + 8
    )
    if not (left < width and top < height and tile_width and tile_height):
        raise unreadable("JPEG 2000 stream")
    across, down = -(-(width - tile_left) // tile_width), -(-(height - tile_top) // tile_height)
    if across * down > _MAX_TILES:
        raise unreadable("JPEG 2000 stream")
    precision = (stream[start + 42] & 0x7F) + 1 if len(stream) > start + 42 else 0
    return CodestreamSize(height - top, width - left, components, precision)
