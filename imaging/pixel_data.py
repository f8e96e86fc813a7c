"""Does the pixel data fit the header? Checked by lengths and stream headers, so that decoding cannot run away."""

import struct
from itertools import pairwise

from domain.errors import UnreadableImage, UnsupportedFormat
from imaging.boundary import unreadable
from imaging.codestream import CodestreamSize, jpeg2000_size, jpeg_size
from imaging.dataset import UNDEFINED_LENGTH, ParsedDataset
from imaging.encapsulated import fragments_of
from imaging.header import PixelHeader

_RLE_HEADER = 64  # PS3.5 G.5


def check_pixel_data(parsed: ParsedDataset, header: PixelHeader) -> None:
    """Compares the pixel data's length, or the compressed stream's own header, with the declared size.

    Raises:
        UnreadableImage: they contradict each other, or bytes are missing.
        UnsupportedFormat: a process of the transfer syntax that we cannot decode.
    """
    if not parsed.transfer_syntax.encapsulated:
        native_frames(parsed, header)
    elif header.frames == 1:
        compressed_frame(parsed, header)
    else:
        fragments_of(parsed.pixels)


def native_frames(parsed: ParsedDataset, header: PixelHeader) -> bytes:
    """The uncompressed pixel data.

    Raises:
        UnreadableImage: there are fewer or more bytes than the header needs.
    """
    pixels, expected = parsed.pixels, header.frame_bytes * header.frames
    if header.bits_allocated == 1:
        expected = (header.rows * header.columns * header.samples_per_pixel * header.frames + 7) // 8
    if pixels.length == UNDEFINED_LENGTH or pixels.length > len(pixels.data) - pixels.offset:
        raise unreadable("pixel data")
    if pixels.length not in (expected, expected + expected % 2):
        raise UnreadableImage(
            f"There are {pixels.length} bytes of pixel data where the header needs {expected}.",
            next_step="Export the image again.",
        )
    return pixels.data[pixels.offset : pixels.offset + expected]


def compressed_frame(parsed: ParsedDataset, header: PixelHeader) -> bytes:
    """The compressed stream of a single-frame object, whose own size is the declared one."""
    stream = fragments_of(parsed.pixels).joined()
    match parsed.transfer_syntax.codec:
        case "jpeg":
            size = jpeg_size(stream)
            _compare(size, header)
            if size.precision != 8 or size.lossless_process:
                raise UnsupportedFormat("JPEG with 12 bits is not taken.", next_step="Export uncompressed.")
        case "jpeg-ls" | "jpeg-lossless":
            _compare(jpeg_size(stream), header)
        case "jpeg2000":
            _compare(jpeg2000_size(stream), header)
        case "rle":
            _check_rle(stream, header)
        case _:
            pass  # inflated to the declared length and no further
    return stream


def _compare(size: CodestreamSize, header: PixelHeader) -> None:
    declared = (header.rows, header.columns, header.samples_per_pixel)
    if (size.rows, size.columns, size.components) != declared or size.precision > header.bits_allocated:
        raise UnreadableImage(
            "The compressed stream has another size than the header declares.", next_step="Export the image again."
        )


def _check_rle(stream: bytes, header: PixelHeader) -> None:
    """PS3.5 G.5: the number of segments and where each begins, one behind the other."""
    count, *offsets = struct.unpack_from("<16I", stream.ljust(_RLE_HEADER, b"\0"))
    used = [*offsets[:count], len(stream)]
    if count != header.samples_per_pixel * header.bits_allocated // 8 or used[0] < _RLE_HEADER:
        raise unreadable("RLE stream")
    if any(begin >= end for begin, end in pairwise(used)):
        raise unreadable("RLE stream")
