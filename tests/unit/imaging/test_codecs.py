"""Every compressed transfer syntax gives back the pixels that went in."""

import zlib
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom.pixels import get_encoder

from domain.errors import UnreadableImage, UnsupportedFormat
from imaging.limits import Limits
from imaging.part10 import read_upload
from imaging.radiograph import decode

LIMITS = Limits()
Write = Callable[..., bytes]


def film(bits: int) -> NDArray[np.generic]:
    """Smooth with noise, all bits used."""
    y, x = np.mgrid[0:48, 0:64]
    noise = np.random.default_rng(0).integers(0, 2 ** (bits - 4), (48, 64))
    values = (np.hypot(y - 24, x - 32) / 40 * (2**bits - 2 ** (bits - 4))).astype(int) + noise
    return np.clip(values, 0, 2**bits - 1).astype(np.uint8 if bits == 8 else np.uint16)


def compressed(stored: NDArray[np.generic], *, syntax: str, plugin: str) -> bytes:
    bits = stored.dtype.itemsize * 8
    frame: bytes = get_encoder(syntax).encode(
        stored.tobytes(), rows=48, columns=64, samples_per_pixel=1, bits_allocated=bits, bits_stored=bits,
        pixel_representation=int(np.issubdtype(stored.dtype, np.signedinteger)), number_of_frames=1,
        photometric_interpretation="MONOCHROME2", encoding_plugin=plugin,
    )  # fmt: skip
    return frame


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize(
    ("syntax", "plugin"),
    [
        ("1.2.840.10008.1.2.4.80", "pyjpegls"),
        ("1.2.840.10008.1.2.4.90", "pylibjpeg"),
        ("1.2.840.10008.1.2.5", "pylibjpeg"),
    ],
)
def test_lossless_compression_gives_back_every_pixel(dicom: Write, syntax: str, plugin: str, bits: int) -> None:
    stored = film(bits)
    data = dicom(stored, syntax=syntax, frame=compressed(stored, syntax=syntax, plugin=plugin))
    assert read_upload(data, limits=LIMITS, dicom_scope="full").columns == 64
    assert np.array_equal(decode(data, limits=LIMITS).pixels, stored)


@pytest.mark.parametrize(("syntax", "plugin"), [("1.2.840.10008.1.2.4.90", "pylibjpeg"), ("1.2.840.10008.1.2.5", "")])
def test_signed_values_survive_compression(dicom: Write, syntax: str, plugin: str) -> None:
    stored = (film(16).astype(np.int32) - 32768).astype(np.int16)
    data = dicom(stored, syntax=syntax, frame=compressed(stored, syntax=syntax, plugin=plugin))
    assert np.array_equal(decode(data, limits=LIMITS).pixels.astype(int), stored.astype(int) + 32768)


def test_a_deflated_frame_gives_back_every_pixel(dicom: Write) -> None:
    stored = film(16)
    deflater = zlib.compressobj(wbits=-15)
    frame = deflater.compress(stored.tobytes()) + deflater.flush()
    data = dicom(stored, syntax="1.2.840.10008.1.2.4.80", frame=frame)
    data = data.replace(b"1.2.840.10008.1.2.4.80", b"1.2.840.10008.1.2.8.1\0")  # newer than pydicom's dictionary
    assert np.array_equal(decode(data, limits=LIMITS).pixels, stored)


def test_a_baseline_jpeg_is_decoded_closely(dicom: Write, encoded: Write) -> None:
    stored = film(8)
    frame = encoded(Image.fromarray(stored), format="jpeg", quality=100)
    data = dicom(stored, syntax="1.2.840.10008.1.2.4.50", frame=frame)
    difference = decode(data, limits=LIMITS).pixels.astype(int) - stored.astype(int)
    assert abs(difference).max() <= 3


def test_a_jpeg_of_12_bits_is_refused_with_a_way_out(dicom: Write, encoded: Write) -> None:
    stream = bytearray(encoded(Image.fromarray(film(8)), format="jpeg"))
    stream[stream.index(b"\xff\xc0") + 4] = 12
    data = dicom(film(16), syntax="1.2.840.10008.1.2.4.51", frame=bytes(stream))
    with pytest.raises(UnsupportedFormat) as caught:
        read_upload(data, limits=LIMITS, dicom_scope="full")
    assert caught.value.next_step


def test_a_private_transfer_syntax_is_refused_by_name(dicom: Write) -> None:
    data = dicom(film(8)).replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.99999.1.2.1\0")
    with pytest.raises(UnsupportedFormat, match=r"1\.2\.840\.99999\.1\.2\.1"):
        read_upload(data, limits=LIMITS, dicom_scope="full")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda stream: stream[:-40],
        lambda stream: b"\x03" + stream[1:],
        lambda stream: stream[:4] + (20).to_bytes(4, "little") + stream[8:],
        lambda stream: stream[:8] + (10**9).to_bytes(4, "little") + stream[12:],
    ],
    ids=["truncated", "segments", "first offset", "second offset"],
)
def test_a_broken_rle_stream_is_unreadable(dicom: Write, spoil: Callable[[bytes], bytes]) -> None:
    stored, syntax = film(16), "1.2.840.10008.1.2.5"
    frame = spoil(compressed(stored, syntax=syntax, plugin="pylibjpeg"))
    with pytest.raises(UnreadableImage):
        decode(dicom(stored, syntax=syntax, frame=frame), limits=LIMITS)


def test_a_fragment_that_runs_past_the_end_is_refused_on_upload(dicom: Write) -> None:
    stored, syntax = film(16), "1.2.840.10008.1.2.5"
    data = dicom(stored, syntax=syntax, frame=compressed(stored, syntax=syntax, plugin="pylibjpeg"))
    for cut in (4, 8, 100, len(data) // 4):
        with pytest.raises(UnreadableImage):
            read_upload(data[:-cut], limits=LIMITS, dicom_scope="full")
