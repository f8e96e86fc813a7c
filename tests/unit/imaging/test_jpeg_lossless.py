"""Lossless JPEG against an encoder written from the standard's definitions (ITU-T T.81, Annex H)."""

import struct

import numpy as np
import pytest
from numpy.typing import NDArray

from domain.errors import BadInput, UnreadableImage, UnsupportedFormat
from imaging.jpeg_lossless import decode_lossless

Samples = NDArray[np.int64]

PREDICTORS = {  # Table H.1
    1: lambda a, b, c: a, 2: lambda a, b, c: b, 3: lambda a, b, c: c, 4: lambda a, b, c: a + b - c,
    5: lambda a, b, c: a + ((b - c) >> 1), 6: lambda a, b, c: b + ((a - c) >> 1), 7: lambda a, b, c: (a + b) >> 1,
}  # fmt: skip


def encode(samples: Samples, *, predictor: int, precision: int = 16, shift: int = 0, restart: int = 0) -> bytes:
    """One component; each of the 17 categories has a code of five bits."""
    table = bytes([0, *([0] * 4), 17, *([0] * 11), *range(17)])
    bits = "".join(_coded(d) for d in _differences(samples >> shift, predictor, precision - shift))
    bits += "1" * (-len(bits) % 8)
    entropy = int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\x00")
    frame = struct.pack(">BHHBBBB", precision, *samples.shape, 1, 1, 0x11, 0)
    scan = bytes([1, 1, 0, predictor, 0, shift])
    segments = [(0xC4, table), (0xDD, struct.pack(">H", restart)), (0xC3, frame), (0xDA, scan)]
    head = b"".join(struct.pack(">BBH", 0xFF, marker, len(s) + 2) + s for marker, s in segments)
    return b"\xff\xd8" + head + entropy + b"\xff\xd9"


def _differences(x: Samples, predictor: int, bits: int) -> list[int]:
    found = []
    for i, j in np.ndindex(x.shape):
        if i == 0:
            expected = x[0, j - 1] if j else 1 << (bits - 1)
        elif j == 0:
            expected = x[i - 1, 0]
        else:
            expected = PREDICTORS[predictor](int(x[i, j - 1]), int(x[i - 1, j]), int(x[i - 1, j - 1]))
        difference = (int(x[i, j]) - int(expected)) % 65536
        found.append(difference if difference <= 32768 else difference - 65536)
    return found


def _coded(difference: int) -> str:
    category = 16 if difference == 32768 else abs(difference).bit_length()
    if category in (0, 16):
        return f"{category:05b}"
    value = difference if difference > 0 else difference + (1 << category) - 1
    return f"{category:05b}{value:0{category}b}"


def noise(precision: int, shape: tuple[int, int] = (23, 31)) -> Samples:
    return np.random.default_rng(precision).integers(0, 2**precision, shape)


@pytest.mark.parametrize("predictor", range(1, 8))
@pytest.mark.parametrize("precision", [8, 12, 16])
def test_every_predictor_gives_back_every_sample(predictor: int, precision: int) -> None:
    samples = noise(precision)
    stream = encode(samples, predictor=predictor, precision=precision)
    assert np.array_equal(decode_lossless(stream, rows=23, columns=31), samples)


def test_the_largest_difference_has_no_extra_bits() -> None:
    samples = np.array([[32768, 0, 32768, 65535]] * 2)
    assert np.array_equal(decode_lossless(encode(samples, predictor=1), rows=2, columns=4), samples)


def test_a_point_transform_is_undone() -> None:
    samples = noise(12) & ~3
    stream = encode(samples, predictor=1, precision=12, shift=2)
    assert np.array_equal(decode_lossless(stream, rows=23, columns=31), samples)


def test_a_stream_longer_than_one_stretch_is_decoded_to_its_end() -> None:
    samples = noise(16, (300, 400))  # 300 kB of noise
    stream = encode(samples, predictor=1)
    assert len(stream) > 2 * 2**17
    assert np.array_equal(decode_lossless(stream, rows=300, columns=400), samples)


def test_a_truncated_stream_is_unreadable() -> None:
    stream = encode(noise(16), predictor=1)
    for cut in range(0, len(stream) - 20, 13):
        with pytest.raises(BadInput):
            decode_lossless(stream[:cut], rows=23, columns=31)


def test_a_code_that_is_none_is_unreadable() -> None:
    stream = encode(noise(16), predictor=1)
    start = stream.index(b"\xff\xda") + 10
    with pytest.raises(UnreadableImage):
        decode_lossless(stream[:start] + b"\xff\x00" * 2000 + b"\xff\xd9", rows=23, columns=31)


def test_restart_intervals_are_refused_with_a_way_out() -> None:
    with pytest.raises(UnsupportedFormat, match="restart"):
        decode_lossless(encode(noise(16), predictor=1, restart=4), rows=23, columns=31)
