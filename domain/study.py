"""Studies as received: what is stored, under which identifiers, and where its attributes come from."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from domain.identifiers import Pseudonym, SeriesInstanceUID, Sha256, SOPInstanceUID, StudyId, StudyInstanceUID
from domain.intended_use import ImageAttributes

ImageFormat = Literal["dicom", "png", "jpeg"]


class Instance(BaseModel):
    """One stored SOP Instance; PNG and JPEG get a 2.25 UID of ours."""

    model_config = ConfigDict(frozen=True)

    sop_instance_uid: SOPInstanceUID
    series_instance_uid: SeriesInstanceUID
    object_sha256: Sha256
    image_format: ImageFormat
    attributes: ImageAttributes
    attributes_from: Literal["dicom", "declared"]
    rows: int
    columns: int


class Study(BaseModel):
    """One stored study of one patient, known inside the platform by opaque identifiers only."""

    model_config = ConfigDict(frozen=True)

    study_id: StudyId
    study_instance_uid: StudyInstanceUID
    patient: Pseudonym
    received_at: datetime
    instances: tuple[Instance, ...]
