"""What comes in over the wire: one grey-scale image as ``.npy`` or PNG, told by the first bytes, never trusted."""

import io
import struct
import zlib
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray
from PIL import Image

from domain.errors import ImageTooLarge, UnreadableImage, UnsupportedFormat, UnsupportedImageKind

Pixels = NDArray[np.uint8] | NDArray[np.uint16]
MAX_PIXELS = 36_000_000  # 6000 × 6000; the finest radiographs in use have about 30 million
MAX_BODY_BYTES = MAX_PIXELS * 2 + 4096  # two bytes a pixel and a header
_NPY, _PNG = b"\x93NUMPY", b"\x89PNG\r\n\x1a\n"
_IHDR = struct.Struct(">I4sIIBB")  # length, type, width, height, bit depth, colour type: PNG, third edition, 11.2.1
_GREY, _GREY_MODES = 0, {"L": np.uint8, "I;16": np.uint16}
_PILLOWS = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error)  # its words for a broken PNG


def read_image(body: bytes) -> Pixels:
    """The pixels of a body.

    Raises:
        UnsupportedFormat: it is neither.
        UnreadableImage: it begins like one of the two, but is truncated or corrupt.
        UnsupportedImageKind: not one 2-D image of 8 or 16 bits.
        ImageTooLarge: more pixels than any radiograph has; found out before they are decoded.
    """
    if body.startswith(_NPY):
        return _read_npy(body)
    if body.startswith(_PNG):
        return _read_png(body)
    raise UnsupportedFormat("The body is neither .npy nor PNG.", next_step="Send one of these.")


def _read_npy(body: bytes) -> Pixels:
    stream = io.BytesIO(body)
    try:
        version = npy.read_magic(stream)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, column_major, dtype = read(stream)
    except (ValueError, EOFError, OSError, SyntaxError) as error:
        raise UnreadableImage("The .npy header cannot be read.", next_step="Write it with numpy.save.") from error
    if len(shape) != 2 or dtype not in (np.uint8, np.uint16):
        raise UnsupportedImageKind(
            f"An image is a 2-D array of uint8 or uint16, not {len(shape)}-D {dtype}{_nan(body, stream.tell(), dtype)}",
            next_step="Send one grey-scale frame.",
        )
    _require_size(rows=shape[0], columns=shape[1])
    if len(body) - stream.tell() != shape[0] * shape[1] * dtype.itemsize:
        raise UnreadableImage(
            "The .npy array has fewer or more bytes than its header says.", next_step="Send it whole."
        )
    flat = np.frombuffer(body, dtype=dtype, offset=stream.tell())
    pixels: Pixels = flat.reshape(shape, order="F" if column_major else "C")
    return pixels


def _nan(body: bytes, offset: int, dtype: np.dtype[Any]) -> str:
    """The usual reason for floating point, said in the refusal."""
    if dtype.kind != "f" or (len(body) - offset) % dtype.itemsize:
        return "."
    finite = np.isfinite(np.frombuffer(body, dtype=dtype, offset=offset)).all()
    return "." if finite else " with values that are no number."


def _read_png(body: bytes) -> Pixels:
    if len(body) < len(_PNG) + _IHDR.size:
        raise UnreadableImage("The PNG ends before its header does.", next_step="Send it whole.")
    _, kind, columns, rows, bits, colour = _IHDR.unpack_from(body, len(_PNG))
    if kind != b"IHDR":
        raise UnreadableImage("The PNG does not begin with its header.", next_step="Write it again.")
    if colour != _GREY or bits not in (8, 16):
        raise UnsupportedImageKind("A PNG is grey and of 8 or 16 bits here.", next_step="Send one grey-scale frame.")
    _require_size(rows=rows, columns=columns)
    try:
        with Image.open(io.BytesIO(body), formats=("PNG",)) as image:
            if getattr(image, "n_frames", 1) != 1 or image.mode not in _GREY_MODES:
                raise UnsupportedImageKind("The PNG holds several frames.", next_step="Send one grey-scale frame.")
            return np.asarray(image).astype(_GREY_MODES[image.mode], copy=False)  # decodes to the end, or raises
    except _PILLOWS as error:
        raise UnreadableImage("The PNG is truncated or corrupt.", next_step="Send it again.") from error


def _require_size(*, rows: int, columns: int) -> None:
    if rows * columns > MAX_PIXELS:
        raise ImageTooLarge(f"{rows} × {columns} pixels exceed the limit of {MAX_PIXELS}.", next_step="Send less.")
    if rows * columns == 0:
        raise UnsupportedImageKind("The image has no pixels.", next_step="Send a radiograph.")
