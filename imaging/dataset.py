"""A DICOM data set up to its pixel data, read in bounded steps; pixel data stay bytes (PS3.10, PS3.5)."""

import io
import zlib
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag

from domain.errors import ImageTooLarge, UnreadableImage, UnsupportedFormat, UnsupportedImageKind
from imaging.boundary import foreign_decoder, unreadable
from imaging.limits import Limits
from imaging.transfer_syntax import (
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    TRANSFER_SYNTAXES,
    TransferSyntax,
)
from imaging.values import uid_of

UNDEFINED_LENGTH = 0xFFFFFFFF
_PREAMBLE = 132
_MAX_READS = 100_000  # steps of the parser: real headers need a few hundred, a hostile file could ask for millions
_FIRST_PIXELS, _PIXEL_DATA = 0x7FE00008, 0x7FE00010  # a group length and offset tables may come before
_LONG_VRS = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"})


@dataclass(frozen=True)
class PixelElement:
    """The pixel data's value: where it begins in ``data``, and its length as written."""

    data: bytes
    offset: int
    length: int


@dataclass(frozen=True)
class ParsedDataset:
    """A data set without its pixel data, and where those lie."""

    ds: Dataset
    transfer_syntax: TransferSyntax
    pixels: PixelElement


class _Stream(io.BytesIO):
    """Bytes that can be read a bounded number of times."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._left = _MAX_READS
        self._end = len(data)
        self.overran = False

    def read(self, size: int | None = -1, /) -> bytes:
        self._left -= 1
        if self._left < 0:
            raise UnreadableImage("The header has too many elements.", next_step="Export the image again.")
        left = self._end - self.tell()
        self.overran = size is not None and size > left and not (size == 8 and left == 0)  # else: the regular end
        return super().read(size)


def looks_like_dicom(data: bytes) -> bool:
    """True for a Part 10 file, and for a bare data set that begins with group 0002 or 0008."""
    if data[128:_PREAMBLE] == b"DICM":
        return True
    known = data[:1] in (b"\x02", b"\x08") and data[1:2] == data[3:4] == b"\0"
    big_endian = data[:2] == b"\x00\x08" and data[2:3] == b"\0"
    # Explicit VR: two capital letters. Implicit VR: the first value is short.
    explicit, short = data[4:6].isalpha(), data[6:8] == b"\0\0"
    return len(data) > _PREAMBLE and ((known and (explicit or short)) or (big_endian and explicit))


def parse(data: bytes, *, limits: Limits) -> ParsedDataset:
    """Reads the header of a DICOM file.

    Raises:
        UnreadableImage: truncated or corrupt.
        UnsupportedFormat: a transfer syntax we do not take.
        UnsupportedImageKind: there are no pixel data.
    """
    start = _PREAMBLE if data[128:_PREAMBLE] == b"DICM" else 0
    with foreign_decoder("DICOM header"):
        transfer_syntax, start = _transfer_syntax(data, start=start)
        if transfer_syntax.deflated:
            data, start = inflate(data[start:], max_bytes=limits.max_bytes), 0
        return _read(data, start=start, transfer_syntax=transfer_syntax)


def inflate(data: bytes, *, max_bytes: int) -> bytes:
    """Raw deflate (RFC 1951), never longer than ``max_bytes``."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    plain = inflater.decompress(data, max_bytes)
    if not inflater.eof and inflater.unconsumed_tail:
        raise ImageTooLarge(f"More than {max_bytes} bytes when inflated.", next_step="Send a smaller image.")
    if not inflater.eof:
        raise unreadable("compressed data")
    return plain


def _transfer_syntax(data: bytes, *, start: int) -> tuple[TransferSyntax, int]:
    """Of the file meta information, or by its look for a bare data set; and where the data set begins."""
    stream = _Stream(data)
    stream.seek(start)
    meta = Dataset()
    if data[start : start + 2] == b"\x02\x00":
        meta = read_dataset(stream, False, True, stop_when=_is_behind_meta)
    uid = uid_of(meta, "TransferSyntaxUID")
    if uid is None:
        return _by_look(data[stream.tell() :]), stream.tell()
    if uid not in TRANSFER_SYNTAXES:
        raise UnsupportedFormat(
            f"The transfer syntax {uid} is not taken.", next_step="Export as Explicit VR Little Endian."
        )
    return TRANSFER_SYNTAXES[uid], stream.tell()


def _is_behind_meta(tag: BaseTag, _vr: str | None, _length: int) -> bool:
    return bool(tag.group != 0x0002)


def _by_look(dataset: bytes) -> TransferSyntax:
    if dataset[:1] == b"\x00" and dataset[1:2] != b"\x00":
        return EXPLICIT_BIG
    return EXPLICIT_LITTLE if dataset[4:6].isalpha() else IMPLICIT_LITTLE


def _read(data: bytes, *, start: int, transfer_syntax: TransferSyntax) -> ParsedDataset:
    found: list[tuple[BaseTag, str | None, int]] = []

    stream = _Stream(data)
    stream.seek(start)
    places: dict[BaseTag, int] = {}

    def is_pixel_data(tag: BaseTag, vr: str | None, length: int) -> bool:
        if stream.tell() < start + 8:  # pydicom looks at the first tag before it reads it
            return False
        # An element twice is two answers to one question, such as whose image this is (PS3.5 7.1).
        if places.setdefault(tag, stream.tell()) != stream.tell():
            raise UnreadableImage("An element occurs twice.", next_step="Export the image again.")
        reached = bool(tag >= _FIRST_PIXELS)
        if reached:
            found.append((tag, vr, length))
        return reached

    ds = read_dataset(stream, transfer_syntax.implicit_vr, transfer_syntax.little_endian, stop_when=is_pixel_data)
    if not found and (stream.overran or "SOPClassUID" not in ds):
        raise unreadable("DICOM header")
    if not found or found[-1][0] != _PIXEL_DATA:
        raise UnsupportedImageKind("The DICOM object carries no pixel data.", next_step="Send an image object.")
    _, vr, length = found[-1]
    header_length = 12 if vr in _LONG_VRS else 8
    return ParsedDataset(ds, transfer_syntax, PixelElement(data, stream.tell() + header_length, length))
