"""Pixels as they are displayed: two-dimensional, dark to bright, with the file's own transforms."""

import struct
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from domain.errors import ImageTooLarge, UnreadableImage, UnsupportedImageKind
from imaging.limits import Limits
from imaging.radiograph import Radiograph, decode

LIMITS = Limits()
Write = Callable[..., bytes]
Stored = NDArray[np.uint16]


def pixels(data: bytes) -> NDArray[np.generic]:
    return decode(data, limits=LIMITS).pixels


def lut(values: list[int], *, first: int, bits: int) -> Sequence:
    item = Dataset()
    item.LUTDescriptor = [len(values), first, bits]
    item["LUTDescriptor"].VR = "US"
    item.add_new("LUTData", "OW", np.array(values, "<u2").tobytes())
    return Sequence([item])


def test_without_transforms_the_stored_values_are_shown(dicom: Write, gradient: Stored) -> None:
    radiograph = decode(dicom(gradient, BitsStored=12, HighBit=11, PixelSpacing=[0.14, 0.15]), limits=LIMITS)
    assert radiograph.bits == 12
    assert radiograph.pixels.dtype == np.uint16
    assert np.array_equal(radiograph.pixels, gradient)
    assert radiograph.pixel_spacing_mm == (0.14, 0.15)


def test_the_spacing_at_the_detector_is_used_when_none_is_calibrated(dicom: Write, gradient: Stored) -> None:
    assert decode(dicom(gradient, ImagerPixelSpacing=[0.2, 0.2]), limits=LIMITS).pixel_spacing_mm == (0.2, 0.2)
    assert decode(dicom(gradient), limits=LIMITS).pixel_spacing_mm is None


def test_monochrome1_is_turned_so_that_larger_is_brighter(dicom: Write, gradient: Stored) -> None:
    shown = pixels(dicom(gradient, PhotometricInterpretation="MONOCHROME1"))
    assert np.array_equal(shown, 65535 - gradient)


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"])
def test_how_the_data_set_is_written_does_not_change_the_pixels(dicom: Write, gradient: Stored, syntax: str) -> None:
    assert np.array_equal(pixels(dicom(gradient, syntax=syntax)), gradient)


def test_bits_beyond_bits_stored_are_ignored(dicom: Write, gradient: Stored) -> None:
    with_overlay = gradient | np.uint16(0xF000)  # retired overlays lie there
    assert np.array_equal(pixels(dicom(with_overlay, BitsStored=12, HighBit=11)), gradient)


def test_signed_values_keep_their_order(dicom: Write) -> None:
    stored = np.linspace(-2048, 2047, 2000).astype(np.int16).reshape(40, 50)
    shown = pixels(dicom(stored, BitsStored=12, HighBit=11))
    assert np.array_equal(shown, (stored.astype(np.int32) + 2048).astype(np.uint16))


def test_a_negative_slope_turns_the_order(dicom: Write, gradient: Stored) -> None:
    shown = pixels(dicom(gradient, RescaleSlope="-1", RescaleIntercept="5"))
    assert np.array_equal(shown, 65535 - gradient)


@pytest.mark.parametrize(
    ("function", "expected"),
    [  # PS3.3 C.11.2.1.2.1 and C.11.2.1.3, from 0 to 255
        (None, {0: 0, 100: 0, 127: 70, 128: 72, 200: 255}),
        ("LINEAR_EXACT", {0: 0, 100: 0, 150: 128, 200: 255}),
        ("SIGMOID", {0: 1, 150: 128, 255: 251}),
    ],
)
def test_the_window_is_applied_by_its_function(dicom: Write, function: str | None, expected: dict[int, int]) -> None:
    stored = np.resize(np.arange(256, dtype=np.uint8), (40, 64))
    shown = pixels(dicom(stored, WindowCenter="150", WindowWidth="100", VOILUTFunction=function))
    assert {value: int(shown[stored == value][0]) for value in expected} == expected


def test_the_window_counts_in_rescaled_units(dicom: Write) -> None:
    stored = np.resize(np.arange(256, dtype=np.uint8), (40, 64))
    options = {"VOILUTFunction": "LINEAR_EXACT", "WindowWidth": "510"}
    shown = pixels(dicom(stored, RescaleSlope="2", RescaleIntercept="-1000", WindowCenter="-745", **options))
    assert np.array_equal(shown, stored)


def test_a_voi_lut_comes_before_a_window(dicom: Write) -> None:
    stored = np.resize(np.arange(256, dtype=np.uint8), (40, 64))
    inverted = lut(list(range(255, -1, -1)), first=0, bits=8)
    shown = pixels(dicom(stored, VOILUTSequence=inverted, WindowCenter="9", WindowWidth="3"))
    assert np.array_equal(shown, 255 - stored)


def test_a_modality_lut_comes_before_the_window(dicom: Write) -> None:
    stored = np.resize(np.arange(256, dtype=np.uint8), (40, 64))
    doubled = lut([value * 2 for value in range(256)], first=0, bits=16)
    window = {"WindowCenter": "255", "WindowWidth": "510", "VOILUTFunction": "LINEAR_EXACT"}
    assert np.array_equal(pixels(dicom(stored, ModalityLUTSequence=doubled, **window)), stored)


def test_a_lut_sequence_without_a_table_states_nothing(dicom: Write, gradient: Stored) -> None:
    empty = Dataset()
    empty.LUTExplanation = ""
    assert np.array_equal(pixels(dicom(gradient, ModalityLUTSequence=Sequence([empty]))), gradient)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_is_black_whatever_the_sense(dicom: Write, gradient: Stored, photometric: str) -> None:
    padded = gradient.copy()
    padded[:5] = 60000
    options = {"PixelPaddingValue": 60000, "PhotometricInterpretation": photometric}
    shown = pixels(dicom(padded, **options))
    assert (shown[:5] == 0).all()
    assert (shown[6:] > 0).all()


@pytest.mark.parametrize(
    "attributes",
    [
        {"WindowCenter": "10", "WindowWidth": "0"},
        {"WindowCenter": "10", "WindowWidth": "-1"},
        {"WindowCenter": "10", "WindowWidth": "5", "VOILUTFunction": "CUBIC"},
        {"RescaleSlope": "0", "RescaleIntercept": "0"},
        {"VOILUTSequence": lut([1, 2, 3], first=0, bits=3)},
    ],
)
def test_a_malformed_transform_is_an_error_and_not_ignored(
    dicom: Write, gradient: Stored, attributes: dict[str, object]
) -> None:
    with pytest.raises(UnreadableImage):
        pixels(dicom(gradient, **attributes))


@pytest.mark.parametrize(
    ("stored", "attributes"),
    [
        (np.zeros((120, 50), np.uint8), {"Rows": 40, "SamplesPerPixel": 3, "PhotometricInterpretation": "RGB",
                                         "PlanarConfiguration": 0}),
        (np.zeros((80, 50), np.uint8), {"Rows": 40, "NumberOfFrames": "2"}),
        (np.zeros((40, 50), np.uint32), {}),
        (np.zeros((40, 50), np.uint8), {"PhotometricInterpretation": "PALETTE COLOR"}),
        (np.zeros((40, 50), np.uint8), {"PresentationIntentType": "FOR PROCESSING"}),
    ],
    ids=["colour", "frames", "32 bits", "palette", "for processing"],
)  # fmt: skip
def test_what_is_not_one_greyscale_frame_for_presentation_is_not_scored(
    dicom: Write, stored: NDArray[np.generic], attributes: dict[str, object]
) -> None:
    with pytest.raises(UnsupportedImageKind):
        pixels(dicom(stored, **attributes))


def test_a_png_of_16_bits_keeps_them(encoded: Write, gradient: Stored) -> None:
    radiograph = decode(encoded(Image.fromarray(gradient * 30), format="png"), limits=LIMITS)
    assert radiograph.bits == 16
    assert np.array_equal(radiograph.pixels, gradient * 30)


def grey() -> Image.Image:
    return Image.fromarray(np.resize(np.arange(256, dtype=np.uint8), (40, 64)))


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "P"])
def test_grey_stays_grey_however_the_png_writes_it(encoded: Write, mode: str) -> None:
    assert np.array_equal(pixels(encoded(grey().convert(mode), format="png")), np.asarray(grey()))


def test_one_bit_becomes_black_and_white(encoded: Write) -> None:
    shown = pixels(encoded(Image.new("1", (40, 40), 1), format="png"))
    assert (shown == 255).all()


def shifted(*, by: int) -> Image.Image:
    """Grey in three channels, of which blue is larger by so much."""
    channels = np.repeat(np.asarray(grey())[..., np.newaxis] // 2, 3, axis=2)
    channels[..., 2] += np.uint8(by)
    return Image.fromarray(channels)


@pytest.mark.parametrize("quality", [20, 75, 100])
def test_grey_in_three_channels_survives_jpeg(encoded: Write, quality: int) -> None:
    one, three = (encoded(image, format="jpeg", quality=quality) for image in (grey(), grey().convert("RGB")))
    assert np.array_equal(pixels(three), pixels(one))


@pytest.mark.parametrize(("chroma", "quality"), [((129, 127), 100), ((127, 129), 90), ((129, 129), 75)])
def test_chroma_rounded_by_one_is_still_grey(encoded: Write, chroma: tuple[int, int], quality: int) -> None:
    channels = [grey(), *(Image.new("L", grey().size, value) for value in chroma)]
    shown = pixels(encoded(Image.merge("YCbCr", channels), format="jpeg", quality=quality))
    assert np.abs(shown.astype(int) - pixels(encoded(grey(), format="jpeg", quality=quality))).max() <= 2


def test_channels_that_differ_by_rounding_are_grey(encoded: Write) -> None:
    assert np.abs(pixels(encoded(shifted(by=8), format="png")).astype(int) - np.asarray(grey()) // 2).max() <= 1


@pytest.mark.parametrize(
    "image",
    [Image.new("RGB", (40, 40), (255, 0, 0)), shifted(by=9), shifted(by=40)],
    ids=["red", "hardly blue", "bluish"],
)
def test_colour_is_refused_and_not_turned_into_luminance(encoded: Write, image: Image.Image) -> None:
    with pytest.raises(UnsupportedImageKind, match="in colour"):
        pixels(encoded(image, format="png"))


def test_colour_in_jpeg_is_refused_even_where_it_is_one_mark(encoded: Write) -> None:
    marked = grey().convert("RGB")
    marked.paste((255, 0, 0), (4, 4, 12, 12))
    with pytest.raises(UnsupportedImageKind, match="in colour"):
        pixels(encoded(marked, format="jpeg"))


def test_a_palette_of_colours_is_refused(encoded: Write) -> None:
    image = Image.new("P", (40, 40), 1)
    image.putpalette([0, 0, 0, 0, 255, 0])
    with pytest.raises(UnsupportedImageKind, match="in colour"):
        pixels(encoded(image, format="png"))


def test_what_is_transparent_lies_on_black(encoded: Write) -> None:
    image = Image.new("RGBA", (40, 40), (200, 200, 200, 0))
    image.paste((200, 200, 200, 255), (0, 0, 20, 40))
    shown = pixels(encoded(image, format="png"))
    assert (shown[:, :20] == 200).all()
    assert (shown[:, 20:] == 0).all()


def test_a_jpeg_that_says_it_lies_on_its_side_is_stood_up(encoded: Write) -> None:
    image = Image.new("L", (60, 40))
    image.paste(255, (0, 0, 60, 10))  # a bright upper edge
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned right
    shown = pixels(encoded(image, format="jpeg", exif=exif))
    assert shown.shape == (60, 40)
    assert shown[:, -5:].mean() > 200


def test_an_animation_is_not_a_radiograph(encoded: Write) -> None:
    data = encoded(grey(), format="png", save_all=True, append_images=[Image.new("L", (64, 40), 9)])
    with pytest.raises(UnsupportedImageKind):
        pixels(data)


def test_a_compressed_stream_of_another_size_than_declared_is_not_decoded(dicom: Write, encoded: Write) -> None:
    stream = encoded(Image.new("L", (4000, 4000)), format="jpeg")
    data = dicom(np.zeros((40, 50), np.uint8), syntax="1.2.840.10008.1.2.4.50", frame=stream)
    with pytest.raises(UnreadableImage, match="another size"):
        pixels(data)


def test_a_jpeg_2000_stream_larger_than_declared_is_not_decoded(dicom: Write, encoded: Write) -> None:
    stream = encoded(Image.new("L", (64, 40)), format="jpeg2000", no_jp2=True)
    start = stream.index(b"\xff\x4f\xff\x51")
    bomb = stream[: start + 8] + struct.pack(">II", 2**31, 2**31) + stream[start + 16 :]
    good = dicom(np.zeros((40, 64), np.uint8), syntax="1.2.840.10008.1.2.4.90", frame=stream)
    assert pixels(good).shape == (40, 64)
    with pytest.raises(UnreadableImage):
        pixels(dicom(np.zeros((40, 64), np.uint8), syntax="1.2.840.10008.1.2.4.90", frame=bomb))


def test_a_jpeg_of_endless_scans_is_refused(encoded: Write) -> None:
    data = encoded(grey(), format="jpeg", progressive=True)
    scan = data.rindex(b"\xff\xda")
    hostile = data[:-2] + data[scan:-2] * 1000 + data[-2:]
    with pytest.raises(UnreadableImage):
        pixels(hostile)


def test_the_limits_hold_for_decoding_too(dicom: Write, gradient: Stored, encoded: Write) -> None:
    for data in (dicom(gradient), encoded(grey(), format="png"), encoded(grey(), format="jpeg")):
        with pytest.raises(ImageTooLarge):
            decode(data, limits=Limits(max_pixels=1999))


def test_memory_stays_within_a_few_times_the_image(dicom: Write, peak_kib: Callable[..., int]) -> None:
    stored = np.zeros((2000, 2000), np.uint16)
    data = dicom(stored, WindowCenter="10", WindowWidth="20", RescaleSlope="1.5", RescaleIntercept="3")

    def run() -> None:
        kept: Radiograph = decode(data, limits=LIMITS)
        assert kept.pixels.shape == (2000, 2000)

    assert peak_kib(run) < 6 * stored.nbytes // 1024
