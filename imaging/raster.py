"""PNG and JPEG: size checked from the first bytes, then decoded by Pillow; grey only, however it is written."""

import io
import struct
import zlib
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageOps

from domain.errors import UnsupportedImageKind
from imaging.boundary import foreign_decoder, unreadable
from imaging.codestream import jpeg_size
from imaging.limits import Limits

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
JPEG_SIGNATURE = b"\xff\xd8\xff"

_GREY_16 = frozenset({"I;16", "I;16B", "I;16L", "I"})
# Grey in three channels, after JPEG: a converter may round each chroma value by one, quantisation may make two of it,
# and two in both differ by six in RGB (ITU-R 601-2). All 5,840 films of kermany_chest_xray are such files; they differ
# by nothing.
_ROUNDING = 8


def read_raster(
    data: bytes, *, image_format: Literal["png", "jpeg"], limits: Limits
) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Decodes a PNG or JPEG completely: nothing less tells whether it is whole.

    Raises:
        ImageTooLarge, ImageTooSmall: refused from its header, before it is decoded.
        UnreadableImage: truncated or corrupt.
        UnsupportedImageKind: an animation, or in colour.
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


def _greyscale(image: Image.Image) -> NDArray[np.uint8] | NDArray[np.uint16]:
    if image.mode in _GREY_16:
        return np.asarray(image).astype(np.uint16)
    if image.mode in {"1", "L"}:
        return np.asarray(image.convert("L"))
    opaque = _on_black(image)
    if _difference_of_channels(opaque) > _ROUNDING:
        raise UnsupportedImageKind("The image is in colour.", next_step="Send a grey-scale image.")
    return np.asarray(opaque.convert("L"))  # ITU-R 601-2 luma; equal channels keep their value


def _on_black(image: Image.Image) -> Image.Image:
    if "A" not in image.getbands() and "transparency" not in image.info:
        return image.convert("RGB")
    layered = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layered.size, (0, 0, 0, 255)), layered).convert("RGB")


def _difference_of_channels(image: Image.Image) -> int:
    """The largest between two channels of one pixel."""
    red, green, blue = image.split()
    return max(_largest(ImageChops.difference(*pair)) for pair in ((red, green), (green, blue), (blue, red)))


def _largest(channel: Image.Image) -> int:
    _, largest = channel.getextrema()
    return int(largest)  # type: ignore[arg-type]
