"""The front door: what is accepted, what is known of it, and what is refused with which code."""

import struct
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from domain.errors import (
    BadInput,
    EmptyBody,
    ImageTooLarge,
    ImageTooSmall,
    UnreadableImage,
    UnsupportedFormat,
    UnsupportedImageKind,
)
from imaging.limits import Limits
from imaging.part10 import ReceivedImage, read_upload
from imaging.transfer_syntax import TRANSFER_SYNTAXES

LIMITS = Limits()
Write = Callable[..., bytes]
Stored = NDArray[np.uint16]


def read(data: bytes, *, limits: Limits = LIMITS) -> ReceivedImage:
    return read_upload(data, limits=limits, dicom_scope="full")


def test_a_dicom_file_says_who_what_and_how_large(dicom: Write, gradient: Stored) -> None:
    received = read(dicom(gradient))
    assert received.image_format == "dicom"
    assert received.attributes.model_dump() == {
        "modality": "DX", "body_part_examined": "CHEST", "view_position": "PA", "age_years": 4.0, "sex": "F",
    }  # fmt: skip
    uids = (received.study_instance_uid, received.series_instance_uid, received.sop_instance_uid)
    assert uids == ("1.2.3", "1.2.3.1", "1.2.3.4")
    assert (received.patient_id, received.rows, received.columns) == ("P-1", 40, 50)


@pytest.mark.parametrize("image_format", ["png", "jpeg"])
def test_png_and_jpeg_state_nothing_but_their_size(encoded: Write, image_format: str) -> None:
    received = read(encoded(Image.new("L", (60, 40), 7), format=image_format))
    assert (received.image_format, received.rows, received.columns) == (image_format, 40, 60)
    assert set(received.attributes.model_dump().values()) == {None}
    assert received.study_instance_uid is received.patient_id is None


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"])
def test_a_file_without_its_meta_header_is_read(dicom: Write, gradient: Stored, syntax: str) -> None:
    received = read(dicom(gradient, syntax=syntax, bare=True))
    assert (received.study_instance_uid, received.rows) == ("1.2.3", 40)


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", EmptyBody),
        (b"hello", UnsupportedFormat),
        (b"%PDF-1.7" + bytes(500), UnsupportedFormat),
        (b"GIF89a" + bytes(500), UnsupportedFormat),
        (bytes(1000), UnsupportedFormat),
        (b"\x89PNG\r\n\x1a\n", UnreadableImage),
        (b"\xff\xd8\xff", UnreadableImage),
        (bytes(128) + b"DICM", UnreadableImage),
    ],
)
def test_what_is_no_image_is_refused(data: bytes, error: type[BadInput]) -> None:
    with pytest.raises(error):
        read(data)


@pytest.mark.parametrize("kind", ["png", "jpeg", "dicom"])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.9, 0.99])
def test_a_truncated_file_is_unreadable(
    dicom: Write, encoded: Write, gradient: Stored, kind: str, share: float
) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8))
    data = dicom(gradient) if kind == "dicom" else encoded(noise, format=kind)
    with pytest.raises(BadInput):
        read(data[: int(len(data) * share)])


@pytest.mark.parametrize("size", [(1, 1), (31, 500), (500, 31)])
def test_an_image_smaller_than_any_radiograph_is_refused(encoded: Write, dicom: Write, size: tuple[int, int]) -> None:
    with pytest.raises(ImageTooSmall):
        read(encoded(Image.new("L", size), format="png"))
    with pytest.raises(ImageTooSmall):
        read(dicom(np.zeros(size, np.uint8)))


def test_more_bytes_than_the_limit_are_refused_unread() -> None:
    with pytest.raises(ImageTooLarge):
        read(b"anything at all", limits=Limits(max_bytes=10))


def png_bomb(columns: int, rows: int) -> bytes:
    """A true PNG of one grey value: small as a file, large as an image."""
    deflater = zlib.compressobj(1)
    idat = b"".join(deflater.compress(bytes(columns + 1) * 100) for _ in range(rows // 100)) + deflater.flush()
    chunks = ((b"IHDR", struct.pack(">IIBBBBB", columns, rows, 8, 0, 0, 0, 0)), (b"IDAT", idat), (b"IEND", b""))
    body = (struct.pack(">I", len(d)) + kind + d + struct.pack(">I", zlib.crc32(kind + d)) for kind, d in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)


def test_a_png_bomb_of_200_megapixels_is_refused_from_its_header(peak_kib: Callable[..., int]) -> None:
    bomb = png_bomb(20_000, 10_000)
    assert len(bomb) < 2**20

    def refused() -> None:
        with pytest.raises(ImageTooLarge):
            read(bomb)

    assert peak_kib(refused) < 1024


def test_a_dicom_file_that_declares_too_many_pixels_is_refused_from_its_header(
    dicom: Write, gradient: Stored, peak_kib: Callable[..., int]
) -> None:
    data = dicom(gradient, Rows=20_000, Columns=20_000)

    def refused() -> None:
        with pytest.raises(ImageTooLarge):
            read(data)

    assert peak_kib(refused) < 1024


def test_a_deflated_data_set_is_inflated_within_the_limit_only(
    dicom: Write, gradient: Stored, peak_kib: Callable[..., int]
) -> None:
    bomb = dicom(np.zeros((3000, 3000), np.uint16), syntax="1.2.840.10008.1.2.1.99")
    assert len(bomb) < 2**16
    assert read(bomb).rows == 3000

    def refused() -> None:
        with pytest.raises(ImageTooLarge):
            read(bomb, limits=Limits(max_bytes=2**17))

    assert peak_kib(refused) < 2048


def test_a_header_of_endless_elements_is_refused_early(dicom: Write, gradient: Stored) -> None:
    element = struct.pack("<HH2sH", 0x0009, 0x1000, b"CS", 0)
    data = dicom(gradient)
    start = data.index(struct.pack("<HH2s", 0x0010, 0x0010, b"PN"))
    item = struct.pack("<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF)
    sequence = struct.pack("<HH2sHL", 0x0009, 0x1010, b"SQ", 0, 0xFFFFFFFF) + item
    hostile = data[:start] + sequence + element * 1_000_000 + data[start:]
    began = time.process_time()
    with pytest.raises(BadInput):
        read(hostile)
    assert time.process_time() - began < 2


def test_sequences_nested_beyond_reason_are_refused(dicom: Write, gradient: Stored) -> None:
    data = dicom(gradient)
    start = data.index(struct.pack("<HH2s", 0x0010, 0x0010, b"PN"))
    level = struct.pack("<HH2sHL", 0x0009, 0x1010, b"SQ", 0, 0xFFFFFFFF) + struct.pack(
        "<HHL", 0xFFFE, 0xE000, 2**32 - 1
    )
    with pytest.raises(BadInput):
        read(data[:start] + level * 20_000 + data[start:])


@pytest.mark.parametrize(
    ("attributes", "error"),
    [
        ({"Rows": None}, UnreadableImage),
        ({"Rows": 0}, UnreadableImage),
        ({"Columns": 51}, UnreadableImage),
        ({"Columns": 49}, UnreadableImage),
        ({"BitsAllocated": 12}, UnreadableImage),
        ({"BitsStored": 17}, UnreadableImage),
        ({"HighBit": 11}, UnreadableImage),
        ({"SamplesPerPixel": 2}, UnreadableImage),
        ({"PhotometricInterpretation": None}, UnreadableImage),
        ({"NumberOfFrames": "0"}, UnreadableImage),
        ({"NumberOfFrames": "2"}, UnreadableImage),
    ],
)
def test_a_header_that_contradicts_itself_or_its_pixels_is_refused(
    dicom: Write, gradient: Stored, attributes: dict[str, object], error: type[BadInput]
) -> None:
    with pytest.raises(error):
        read(dicom(gradient, **attributes))


def test_a_uid_that_is_none_is_refused_and_a_missing_one_is_told(dicom: Write, gradient: Stored) -> None:
    assert read(dicom(gradient, StudyInstanceUID=None)).study_instance_uid is None
    assert read(dicom(gradient, StudyInstanceUID="")).study_instance_uid is None
    broken = dicom(gradient).replace(b"1.2.3.1\0", b"../../x\0")
    with pytest.raises(UnreadableImage, match="SeriesInstanceUID"):
        read(broken)


def test_an_element_given_twice_is_refused(dicom: Write, gradient: Stored) -> None:
    data = dicom(gradient)
    start = data.index(struct.pack("<HH2s", 0x0010, 0x0020, b"LO"))
    second = struct.pack("<HH2sH", 0x0010, 0x0020, b"LO", 4) + b"P-2 "
    with pytest.raises(UnreadableImage, match="twice"):
        read(data[:start] + second + data[start:])


def test_a_group_length_and_offset_tables_may_come_before_the_pixels(dicom: Write, gradient: Stored) -> None:
    data = dicom(gradient)
    start = data.index(struct.pack("<HH2s", 0x7FE0, 0x0010, b"OW"))
    group_length = struct.pack("<HH2sHL", 0x7FE0, 0x0000, b"UL", 4, len(data) - start)
    offsets = struct.pack("<HH2sHLQ", 0x7FE0, 0x0001, b"OV", 0, 8, 0)
    assert read(data[:start] + group_length + offsets + data[start:]).rows == 40


def test_an_object_without_pixels_is_not_an_image(dicom: Write, gradient: Stored) -> None:
    data = dicom(gradient)
    with pytest.raises(UnsupportedImageKind):
        read(data[: data.index(struct.pack("<HH2s", 0x7FE0, 0x0010, b"OW"))])


@pytest.mark.parametrize("charset", ["ISO_IR 192", "ISO_IR 100", "nonsense", "ISO 2022 IR 87"])
def test_a_broken_character_set_never_stops_the_reading(dicom: Write, gradient: Stored, charset: str) -> None:
    data = dicom(gradient, SpecificCharacterSet="ISO_IR 100", PatientID="M\xfcller", PatientName="M\xfcller")
    assert read(data).patient_id == "M\xfcller"
    declared, length = b"\x08\x00\x05\x00CS", len(charset) + len(charset) % 2
    other = declared + struct.pack("<H", length) + charset.ljust(length).encode()
    start = data.index(declared)
    assert read(data[:start] + other + data[start + 18 :]).patient_id


def test_two_patients_stay_two_even_when_their_text_cannot_be_decoded(dicom: Write, gradient: Stored) -> None:
    data = dicom(gradient, SpecificCharacterSet="ISO_IR 192", PatientID="AAA1")
    ids = {read(data.replace(b"AAA1", b"AA" + bytes([byte]) + b"1")).patient_id for byte in (0xFC, 0xFD, 0xFE)}
    assert len(ids) == 3


@pytest.mark.parametrize(
    ("attributes", "age"),
    [
        ({"PatientAge": "018M"}, 1.5),
        ({"PatientAge": "002W"}, 0.038),
        ({"PatientAge": "010D"}, 0.027),
        ({"PatientAge": None}, None),
        ({"PatientAge": None, "PatientBirthDate": "20200301", "StudyDate": "20240301"}, 4.0),
        ({"PatientAge": None, "PatientBirthDate": "20250301", "StudyDate": "20240301"}, None),
        ({"PatientAge": "999Y"}, None),
    ],
)
def test_age_is_stated_or_derived_or_not_known(
    dicom: Write, gradient: Stored, attributes: dict[str, object], age: float | None
) -> None:
    assert read(dicom(gradient, **attributes)).attributes.age_years == (None if age is None else pytest.approx(age))


def test_a_birth_date_that_is_none_gives_no_age(dicom: Write, gradient: Stored) -> None:
    data = dicom(gradient, PatientAge=None, PatientBirthDate="20201201", StudyDate="20240301")
    assert read(data).attributes.age_years == pytest.approx(3.25, abs=0.01)
    assert read(data.replace(b"20201201", b"20201399")).attributes.age_years is None


@pytest.mark.parametrize(
    ("scheme", "value", "view"),
    [("SCT", "272479007", "PA"), ("SRT", "R-10206", "AP"), ("SCT", "399173006", "LL"), ("99X", "272479007", None)],
)
def test_a_coded_view_is_used_when_the_position_is_not_stated(
    dicom: Write, gradient: Stored, scheme: str, value: str, view: str | None
) -> None:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, "a view"
    data = dicom(gradient, ViewPosition=None, ViewCodeSequence=Sequence([code]))
    assert read(data).attributes.view_position == view
    assert read(dicom(gradient, ViewCodeSequence=Sequence([code]))).attributes.view_position == "PA"


def test_the_series_description_is_never_taken_for_a_view(dicom: Write, gradient: Stored) -> None:
    data = dicom(gradient, ViewPosition=None, SeriesDescription="Chest PA")
    assert read(data).attributes.view_position is None


@pytest.mark.parametrize(
    ("stored", "options"),
    [
        (np.zeros((40, 50), np.uint16), {"syntax": "1.2.840.10008.1.2.2"}),
        (np.zeros((40, 50), np.uint16), {"syntax": "1.2.840.10008.1.2.1.99"}),
        (np.zeros((120, 50), np.uint16), {"Rows": 40, "NumberOfFrames": "3"}),
        (np.zeros((120, 50), np.uint8), {"Rows": 40, "SamplesPerPixel": 3, "PhotometricInterpretation": "RGB",
                                         "PlanarConfiguration": 0}),
    ],
    ids=["big endian", "deflated", "several frames", "colour"],
)  # fmt: skip
def test_the_starter_level_takes_basic_dicom_and_names_the_level_that_takes_more(
    dicom: Write, stored: NDArray[np.generic], options: dict[str, object]
) -> None:
    data = dicom(stored, **options)
    assert read(data).rows == 40
    with pytest.raises(UnsupportedFormat) as caught:
        read_upload(data, limits=LIMITS, dicom_scope="basic")
    assert "enhanced" in caught.value.next_step


def test_basic_dicom_is_taken_at_the_starter_level(dicom: Write, gradient: Stored) -> None:
    for syntax in ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1"):
        assert read_upload(dicom(gradient, syntax=syntax), limits=LIMITS, dicom_scope="basic").rows == 40


def test_no_refusal_quotes_the_patient(dicom: Write, gradient: Stored) -> None:
    data = dicom(gradient, PatientID="SECRET-7")
    for cut in range(140, len(data), 37):
        try:
            read(data[:cut])
        except BadInput as error:
            assert "SECRET" not in str(error)
            assert "DOE" not in str(error)


def test_the_documented_transfer_syntaxes_are_those_of_the_table() -> None:
    document = (Path(__file__).parent.parent.parent.parent / "docs/adr/0009-imaging-bounds.md").read_text()
    rows = {line.split(" | ")[0].strip("| `") for line in document.splitlines() if line.startswith("| `1.2.840")}
    assert rows == set(TRANSFER_SYNTAXES)
