"""JPEG lossless, Huffman, one component (ITU-T T.81 Annex H): the usual compression of older archives.

No permissively licensed decoder of it exists for Python. Where each code begins depends on the one before, so that one
walk is a plain loop over a prepared table of code lengths; all else is done on whole arrays.
"""

import re
import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from domain.errors import UnsupportedFormat
from imaging.boundary import unreadable

Ints = NDArray[np.int32]  # sums may wrap: all arithmetic is modulo 2^16
Positions = NDArray[np.int64]

_CHUNK = 2**17  # bytes of the stream whose code lengths are held at a time
_MARKER = re.compile(rb"\xff[^\x00]")


@dataclass(frozen=True)
class _Scan:
    """What the headers say, and the entropy-coded bytes without their stuffing (B.1.1.5)."""

    precision: int
    predictor: int
    point_transform: int
    lengths: NDArray[np.uint8]  # for every 16 bits ahead: of the code that begins there; 0: no such code
    categories: NDArray[np.uint8]
    entropy: NDArray[np.uint8]  # with a margin of zeros


def decode_lossless(stream: bytes, *, rows: int, columns: int) -> NDArray[np.uint16]:
    """The samples of a one-component lossless JPEG.

    Raises:
        UnreadableImage: truncated or corrupt.
        UnsupportedFormat: restart intervals, several components or tables.
    """
    scan = _parse(stream)
    differences = _differences(scan, rows * columns).reshape(rows, columns)
    start = 1 << (scan.precision - scan.point_transform - 1)
    samples = _predicted(differences, predictor=scan.predictor, start=start)
    return ((samples << scan.point_transform) & 0xFFFF).astype(np.uint16)


def _parse(stream: bytes) -> _Scan:
    precision, table, position = 0, b"", 2
    while position + 4 <= len(stream) and stream[position] == 0xFF:
        marker, length = stream[position + 1], struct.unpack_from(">H", stream, position + 2)[0]
        segment = stream[position + 4 : position + 2 + length]
        position += 2 + length
        if marker == 0xC3:
            precision = int.from_bytes(segment[:1], "big")
        elif marker == 0xC4:
            if table:
                raise _unsupported("several Huffman tables")
            table = segment
        elif marker == 0xDD and segment[:2] != b"\0\0":
            raise _unsupported("restart intervals")
        elif marker == 0xDA:
            return _scan(segment, precision=precision, table=table, coded=stream[position:])
    raise unreadable("JPEG stream")


def _scan(segment: bytes, *, precision: int, table: bytes, coded: bytes) -> _Scan:
    if segment[:1] != b"\1":
        raise _unsupported("several components")
    if len(segment) != 6:
        raise unreadable("JPEG stream")
    predictor, point_transform = segment[3], segment[5] & 0x0F
    if not (2 <= precision <= 16 and 1 <= predictor <= 7 and point_transform < precision and len(table) >= 17):
        raise unreadable("JPEG stream")
    end = _MARKER.search(coded)
    plain = coded[: end.start() if end else len(coded)].replace(b"\xff\x00", b"\xff")
    lengths, categories = _code_tables(table)
    entropy = np.frombuffer(plain + bytes(8), np.uint8)
    return _Scan(precision, predictor, point_transform, lengths, categories, entropy)


def _code_tables(table: bytes) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Length and category of the code at the head of any 16 bits (Annex C)."""
    lengths, categories = np.zeros(65536, np.uint8), np.zeros(65536, np.uint8)
    code, symbols = 0, iter(table[17:])
    for length, count in enumerate(table[1:17], start=1):
        for _ in range(count):
            symbol = next(symbols, None)
            if symbol is None or symbol > 16 or code >= 1 << length:
                raise unreadable("JPEG stream")
            first, last = code << (16 - length), (code + 1) << (16 - length)
            lengths[first:last], categories[first:last] = length, symbol
            code += 1
        code <<= 1
    return lengths, categories


def _differences(scan: _Scan, count: int) -> Ints:
    """Every pixel's difference from its prediction, a stretch of the stream at a time to bound the memory."""
    steps = scan.lengths + np.where(scan.categories == 16, 0, scan.categories).astype(np.uint8)
    differences = np.zeros(count, np.int32)
    done, position, end = 0, 0, (len(scan.entropy) - 8) * 8
    while done < count:
        if position >= end:
            raise unreadable("JPEG stream")
        first = position & ~7
        ahead = _steps_ahead(scan.entropy[first >> 3 : (first >> 3) + _CHUNK + 2], steps)[: end - first]
        starts, walked = _walk(ahead, begin=position - first, most=count - done)
        differences[done : done + len(starts)] = _decoded(scan, np.array(starts, np.int64) + first, end=end)
        done, position = done + len(starts), first + walked
    return differences


def _steps_ahead(entropy: NDArray[np.uint8], steps: NDArray[np.uint8]) -> bytes:
    """For every bit of a stretch the length of the code, with its extra bits, that would begin there."""
    words = (entropy[:-2].astype(np.uint32) << 16) | (entropy[1:-1].astype(np.uint32) << 8) | entropy[2:]
    table = np.empty((len(words), 8), np.uint8)
    for shift in range(8):
        table[:, shift] = steps[(words >> (8 - shift)) & 0xFFFF]
    return table.tobytes()


def _walk(steps: bytes, *, begin: int, most: int) -> tuple[list[int], int]:
    """Where codes begin, each ``steps[position]`` behind the one before; and where the walk has left the stretch."""
    starts: list[int] = []
    position, stop = begin, len(steps)
    while position < stop and len(starts) < most:
        starts.append(position)
        position += steps[position] or stop  # no such code: leave; it is noticed when decoded
    return starts, position


def _decoded(scan: _Scan, starts: Positions, *, end: int) -> Ints:
    ahead = _bits_at(scan.entropy, starts) >> 16
    lengths, categories = scan.lengths[ahead].astype(np.int64), scan.categories[ahead].astype(np.int64)
    extra_bits = np.where(categories == 16, 0, categories)  # H.1.2.2: category 16 has none
    if not lengths.all() or int(starts[-1] + lengths[-1] + extra_bits[-1]) > end:
        raise unreadable("JPEG stream")
    extra = _bits_at(scan.entropy, starts + lengths) >> (32 - extra_bits)
    negative = extra < (1 << np.maximum(extra_bits - 1, 0))
    values = np.where(negative, extra - (1 << extra_bits) + 1, extra)  # F.2.2.1, EXTEND
    values = np.where(categories == 0, 0, values)
    return np.asarray(np.where(categories == 16, 32768, values), dtype=np.int32)


def _bits_at(entropy: NDArray[np.uint8], positions: Positions) -> Positions:
    """The 32 bits from each bit position on, the last 7 of them not all valid."""
    byte = positions >> 3
    word = np.zeros(len(positions), np.int64)
    for offset in range(4):
        word = (word << 8) | entropy[np.minimum(byte + offset, len(entropy) - 1)]
    return (word << (positions & 7)) & 0xFFFFFFFF


def _predicted(differences: Ints, *, predictor: int, start: int) -> Ints:
    """Undoes the prediction (Table H.1), modulo 2^16; the first row looks left, the first column up."""
    differences = differences.copy()
    differences[0, 0] += start
    if predictor == 1:
        differences[:, 0] = np.cumsum(differences[:, 0], dtype=np.int32)
        return np.cumsum(differences, axis=1, dtype=np.int32) & 0xFFFF
    differences[0] = np.cumsum(differences[0], dtype=np.int32)
    if predictor == 2:
        return np.cumsum(differences, axis=0, dtype=np.int32) & 0xFFFF
    samples = differences & 0xFFFF
    for row in range(1, len(samples)):
        samples[row] = _predicted_row(differences[row], above=samples[row - 1], predictor=predictor)
    return samples


def _predicted_row(difference: Ints, *, above: Ints, predictor: int) -> Ints:
    """One row by predictor 3 to 7, from the one above; a: left, b: above, c: above left."""
    first = int(above[0] + difference[0]) & 0xFFFF
    b, c, d = above[1:], above[:-1], difference[1:]
    if predictor == 3:
        rest = c + d
    elif predictor == 4:
        rest = first + np.cumsum(b - c + d)
    elif predictor == 5:
        rest = first + np.cumsum(((b - c) >> 1) + d)
    else:
        rest = np.array(_one_by_one(first, b.tolist(), c.tolist(), d.tolist(), halved_sum=predictor == 7), np.int32)
    return np.concatenate((np.array([first], np.int32), rest.astype(np.int32))) & 0xFFFF


def _one_by_one(a: int, b: list[int], c: list[int], d: list[int], *, halved_sum: bool) -> list[int]:
    samples = []
    for above, above_left, difference in zip(b, c, d, strict=True):
        predicted = (a + above) >> 1 if halved_sum else above + ((a - above_left) >> 1)
        a = (predicted + difference) & 0xFFFF
        samples.append(a)
    return samples


def _unsupported(what: str) -> UnsupportedFormat:
    return UnsupportedFormat(f"Lossless JPEG with {what} is not taken.", next_step="Export uncompressed.")
