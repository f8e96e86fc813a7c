"""Compressed greyscale frames → stored values. Every decoder is named here; none under a copyleft licence is used."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.pixels import get_decoder

from imaging.boundary import unreadable
from imaging.dataset import ParsedDataset, inflate
from imaging.header import PixelHeader
from imaging.jpeg_lossless import decode_lossless
from imaging.pixel_data import compressed_frame, native_frames

Pixels = NDArray[Any]
Stored = NDArray[np.uint8] | NDArray[np.uint16]  # bit patterns: a sign is applied by the display table


def stored_values(parsed: ParsedDataset, header: PixelHeader) -> Stored:
    """The bit patterns of the one frame, unused high bits cleared.

    Raises:
        UnreadableImage: the stream is corrupt or holds fewer pixels than declared.
    """
    codec = parsed.transfer_syntax.codec
    if codec == "native":
        order = "<" if parsed.transfer_syntax.little_endian else ">"
        pixels = _from_bytes(native_frames(parsed, header), header, order=order)
    else:
        pixels = _DECODERS[codec](compressed_frame(parsed, header), header, parsed.transfer_syntax.uid)
    if pixels.shape != (header.rows, header.columns):
        raise unreadable("pixel data")
    used = 2**header.bits_stored - 1
    if header.bits_allocated == 8:
        return pixels.astype(np.uint8) & np.uint8(used)
    return pixels.astype(np.uint16) & np.uint16(used)


def _from_bytes(data: bytes, header: PixelHeader, *, order: str) -> Pixels:
    word = "u1" if header.bits_allocated == 8 else f"{order}u2"
    return np.frombuffer(data, word).reshape(header.rows, header.columns)


def _jpeg(stream: bytes, header: PixelHeader, _: str) -> Pixels:
    with Image.open(io.BytesIO(stream), formats=["JPEG"]) as image:
        if image.mode != "L" or image.size != (header.columns, header.rows):
            raise unreadable("JPEG stream")
        return np.asarray(image)


def _by_plugin(plugin: str) -> Callable[[bytes, PixelHeader, str], Pixels]:
    def decode(stream: bytes, header: PixelHeader, transfer_syntax: str) -> Pixels:
        pixels, _ = get_decoder(transfer_syntax).as_array(
            encapsulate([stream]),
            index=0,
            raw=True,
            decoding_plugin=plugin,
            rows=header.rows,
            columns=header.columns,
            number_of_frames=1,
            samples_per_pixel=1,
            photometric_interpretation=header.photometric_interpretation,
            bits_allocated=header.bits_allocated,
            bits_stored=header.bits_stored,
            pixel_representation=int(header.signed),
            pixel_keyword="PixelData",
        )
        unsigned = np.uint8 if pixels.dtype.itemsize == 1 else np.uint16
        return np.asarray(pixels).view(unsigned)

    return decode


def _lossless(stream: bytes, header: PixelHeader, _: str) -> Pixels:
    return decode_lossless(stream, rows=header.rows, columns=header.columns)


def _deflated(stream: bytes, header: PixelHeader, _: str) -> Pixels:
    frame = inflate(stream, max_bytes=header.frame_bytes + 1)  # padded to an even length
    return _from_bytes(frame[: header.frame_bytes], header, order="<")


_DECODERS: dict[str, Callable[[bytes, PixelHeader, str], Pixels]] = {
    "jpeg": _jpeg,
    "jpeg-lossless": _lossless,
    "jpeg-ls": _by_plugin("pyjpegls"),
    "jpeg2000": _by_plugin("pylibjpeg"),  # OpenJPEG, BSD
    "rle": _by_plugin("pylibjpeg"),  # pylibjpeg-rle, MIT
    "deflated-frame": _deflated,
}
