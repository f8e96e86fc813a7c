"""The front door: raw bytes of an upload become one frozen receipt, or a BadInput that says why not."""

from collections.abc import Callable
from typing import TypeVar

from pydantic import BaseModel, ConfigDict

from domain.errors import EmptyBody, UnsupportedFormat
from domain.identifiers import SeriesInstanceUID, SOPInstanceUID, StudyInstanceUID
from domain.intended_use import ImageAttributes
from domain.level import DicomScope
from domain.study import ImageFormat
from imaging.attributes import attributes_of
from imaging.boundary import foreign_decoder
from imaging.dataset import looks_like_dicom, parse
from imaging.header import pixel_header
from imaging.limits import Limits
from imaging.pixel_data import check_pixel_data
from imaging.raster import JPEG_SIGNATURE, PNG_SIGNATURE, read_raster
from imaging.values import text_of, uid_of

Uid = TypeVar("Uid", StudyInstanceUID, SeriesInstanceUID, SOPInstanceUID)


class ReceivedImage(BaseModel):
    """What is known of an upload that can be stored. PNG and JPEG state nothing but their size."""

    model_config = ConfigDict(frozen=True)

    image_format: ImageFormat
    attributes: ImageAttributes
    study_instance_uid: StudyInstanceUID | None
    series_instance_uid: SeriesInstanceUID | None
    sop_instance_uid: SOPInstanceUID | None
    patient_id: str | None
    rows: int
    columns: int


def format_of(data: bytes) -> ImageFormat:
    """Told by the bytes, never by a name or a content type.

    Raises:
        EmptyBody: there are no bytes.
        UnsupportedFormat: none of the three formats.
    """
    if not data:
        raise EmptyBody("The upload is empty.", next_step="Send a PNG, JPEG or DICOM image.")
    if data.startswith(PNG_SIGNATURE):
        return "png"
    if data.startswith(JPEG_SIGNATURE):
        return "jpeg"
    if looks_like_dicom(data):
        return "dicom"
    raise UnsupportedFormat("The bytes are neither PNG, JPEG nor DICOM.", next_step="Send one of these.")


def read_upload(data: bytes, *, limits: Limits, dicom_scope: DicomScope) -> ReceivedImage:
    """Verifies an upload as far as storing needs. No compressed DICOM pixels are decoded here.

    Raises:
        BadInput: empty, of no known format, too large, too small, truncated, corrupt, or beyond ``dicom_scope``.
    """
    limits.check_bytes(len(data))
    image_format = format_of(data)
    if image_format == "dicom":
        return _read_dicom(data, limits=limits, scope=dicom_scope)
    rows, columns = read_raster(data, image_format=image_format, limits=limits).shape
    return ReceivedImage(
        image_format=image_format,
        attributes=ImageAttributes(),
        study_instance_uid=None,
        series_instance_uid=None,
        sop_instance_uid=None,
        patient_id=None,
        rows=rows,
        columns=columns,
    )


def _read_dicom(data: bytes, *, limits: Limits, scope: DicomScope) -> ReceivedImage:
    parsed = parse(data, limits=limits)
    with foreign_decoder("DICOM header"):
        header = pixel_header(parsed.ds, limits=limits)
        if scope == "basic" and not (parsed.transfer_syntax.basic and header.frames == header.samples_per_pixel == 1):
            raise _beyond_basic(parsed.transfer_syntax.name)
        check_pixel_data(parsed, header)
        return ReceivedImage(
            image_format="dicom",
            attributes=attributes_of(parsed.ds),
            study_instance_uid=_typed(uid_of(parsed.ds, "StudyInstanceUID"), StudyInstanceUID),
            series_instance_uid=_typed(uid_of(parsed.ds, "SeriesInstanceUID"), SeriesInstanceUID),
            sop_instance_uid=_typed(uid_of(parsed.ds, "SOPInstanceUID"), SOPInstanceUID),
            patient_id=text_of(parsed.ds, "PatientID"),
            rows=header.rows,
            columns=header.columns,
        )


def _typed(uid: str | None, kind: Callable[[str], Uid]) -> Uid | None:
    return kind(uid) if uid else None


def _beyond_basic(transfer_syntax: str) -> UnsupportedFormat:
    return UnsupportedFormat(
        f"At this level DICOM is one uncompressed greyscale frame; this is {transfer_syntax}.",
        next_step="The level `enhanced` takes it: set FIDUCIAL_LEVEL=enhanced.",
    )
