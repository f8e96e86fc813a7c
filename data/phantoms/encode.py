"""PNG without compression: zlib's output differs between its builds, stored blocks do not."""

import struct
import zlib

import numpy as np
import numpy.typing as npt

STORED_MAX = 65535  # RFC 1951 3.2.4


def png(film: npt.NDArray[np.uint8]) -> bytes:
    """An 8-bit grey-scale PNG whose bytes depend on the pixels alone, with a text chunk that says it is synthetic."""
    rows, columns = film.shape
    header = struct.pack(">IIBBBBB", columns, rows, 8, 0, 0, 0, 0)
    lines = np.zeros((rows, columns + 1), dtype=np.uint8)
    lines[:, 1:] = film
    chunks = (
        _chunk(b"IHDR", header),
        _chunk(b"tEXt", b"Comment\0SYNTHETIC phantom; no patient"),
        _chunk(b"IDAT", _stored(lines.tobytes())),
        _chunk(b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _stored(data: bytes) -> bytes:
    parts = [data[start : start + STORED_MAX] for start in range(0, len(data), STORED_MAX)]
    blocks = [
        struct.pack("<BHH", number == len(parts) - 1, len(part), len(part) ^ 0xFFFF) + part
        for number, part in enumerate(parts)
    ]
    return b"\x78\x01" + b"".join(blocks) + struct.pack(">I", zlib.adler32(data))
