"""PNG and JPEG: size checked from the first bytes, then decoded by Pillow, colour turned into luminance."""

import io
import struct
import zlib
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from domain.errors import UnsupportedImageKind
from imaging.boundary import foreign_decoder, unreadable
from imaging.codestream import jpeg_size
from imaging.limits import Limits

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
JPEG_SIGNATURE = b"\xff\xd8\xff"

_GREY_16 = frozenset({"I;16", "I;16B", "I;16L", "I"})


@dataclass(frozen=True)
class Raster:
    """Greyscale pixels of a PNG or JPEG."""

    pixels: NDArray[np.uint8] | NDArray[np.uint16]
    luminance_of_colour: bool


def read_raster(data: bytes, *, image_format: Literal["png", "jpeg"], limits: Limits) -> Raster:
    """Decodes a PNG or JPEG completely: nothing less tells whether it is whole.

    Raises:
        ImageTooLarge, ImageTooSmall: refused from its header, before it is decoded.
        UnreadableImage: truncated or corrupt.
        UnsupportedImageKind: an animation.
    """
    rows, columns = _declared_size(data, image_format=image_format)
    limits.check_size(rows=rows, columns=columns)
    with foreign_decoder(image_format.upper()), Image.open(io.BytesIO(data), formats=[image_format.upper()]) as image:
        if image.size != (columns, rows):
            raise unreadable(image_format.upper())
        if getattr(image, "n_frames", 1) != 1:
            raise UnsupportedImageKind("The image has several frames.", next_step="Send one frame.")
        image.load()
        return _greyscale(ImageOps.exif_transpose(image))


def _declared_size(data: bytes, *, image_format: Literal["png", "jpeg"]) -> tuple[int, int]:
    if image_format == "jpeg":
        size = jpeg_size(data)
        return size.rows, size.columns
    # ISO/IEC 15948 11.2.1: IHDR comes first and has 13 bytes.
    header = data[8:33]
    if len(header) < 25 or header[:8] != b"\0\0\0\rIHDR" or zlib.crc32(header[4:21]) != int.from_bytes(header[21:]):
        raise unreadable("PNG")
    columns, rows = struct.unpack(">II", header[8:16])
    return rows, columns


def _greyscale(image: Image.Image) -> Raster:
    if image.mode in _GREY_16:
        return Raster(np.asarray(image).astype(np.uint16), luminance_of_colour=False)
    if image.mode in {"1", "L"}:
        return Raster(np.asarray(image.convert("L")), luminance_of_colour=False)
    opaque = _on_black(image)
    pixels = np.asarray(opaque.convert("L"))  # ITU-R 601-2 luma; equal channels keep their value
    return Raster(pixels, luminance_of_colour=_is_coloured(opaque))


def _on_black(image: Image.Image) -> Image.Image:
    if "A" not in image.getbands() and "transparency" not in image.info:
        return image.convert("RGB")
    layered = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layered.size, (0, 0, 0, 255)), layered).convert("RGB")


def _is_coloured(image: Image.Image) -> bool:
    red, green, blue = image.split()
    return red.tobytes() != green.tobytes() or green.tobytes() != blue.tobytes()
