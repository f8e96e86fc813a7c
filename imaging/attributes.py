"""What a DICOM header says of the image: modality, body part, view, age, sex. Read, never guessed."""

import re
from datetime import datetime

from pydicom.dataset import Dataset

from domain.intended_use import ImageAttributes
from imaging.sequences import first_item
from imaging.values import code_of, raw

_AGE = re.compile(r"([0-9]{3})([DWMY])")  # PS3.5 6.2, AS
_DAYS = {"D": 1.0, "W": 7.0, "M": 365.25 / 12, "Y": 365.25}
_OLDEST_YEARS = 130.0

# PS3.16 CID 4010, with the SRT codes of older devices → defined terms of View Position (PS3.3 C.8.11.5.1.1).
VIEW_CODES = {
    ("SCT", "272479007"): "PA",
    ("SCT", "399348003"): "AP",
    ("SCT", "399173006"): "LL",
    ("SCT", "399198007"): "RL",
    ("SRT", "R-10214"): "PA",
    ("SRT", "R-10206"): "AP",
    ("SRT", "R-10236"): "LL",
    ("SRT", "R-10232"): "RL",
    ("SNM3", "R-10214"): "PA",
    ("SNM3", "R-10206"): "AP",
    ("SNM3", "R-10236"): "LL",
    ("SNM3", "R-10232"): "RL",
}


def attributes_of(ds: Dataset) -> ImageAttributes:
    """The attributes an intended use is checked against."""
    return ImageAttributes(
        modality=code_of(ds, "Modality"),
        body_part_examined=code_of(ds, "BodyPartExamined"),
        # Converted archives (NIH ChestX-ray14) put the projection into Patient Position, whose own terms (PS3.3
        # C.7.3.1.1.2: HFS, FFP …) never name one, so nothing else can be meant.
        view_position=code_of(ds, "ViewPosition") or _coded_view(ds) or code_of(ds, "PatientPosition"),
        age_years=_age_years(ds),
        sex=code_of(ds, "PatientSex"),
    )


def _coded_view(ds: Dataset) -> str | None:
    item = first_item(ds, "ViewCodeSequence")
    if item is None:
        return None
    return VIEW_CODES.get((code_of(item, "CodingSchemeDesignator") or "", _code_value(item)))


def _code_value(item: Dataset) -> str:
    value = raw(item, "CodeValue")
    return value.decode("latin-1").strip("\0 ") if value else ""


def _age_years(ds: Dataset) -> float | None:
    stated = raw(ds, "PatientAge")
    match = _AGE.fullmatch(stated.decode("latin-1").strip("\0 ").upper()) if stated else None
    days = int(match[1]) * _DAYS[match[2]] if match else _days_since_birth(ds)
    years = days / 365.25 if days is not None else None
    return round(years, 3) if years is not None and 0 <= years <= _OLDEST_YEARS else None


def _days_since_birth(ds: Dataset) -> float | None:
    born, studied = _date(ds, "PatientBirthDate"), _date(ds, "StudyDate")
    return float((studied - born).days) if born and studied else None


def _date(ds: Dataset, keyword: str) -> datetime | None:
    value = raw(ds, keyword)
    text = value.decode("latin-1").strip("\0 ") if value else ""
    if not re.fullmatch(r"[0-9]{8}", text):
        return None
    try:
        return datetime.strptime(text, "%Y%m%d")  # noqa: DTZ007 - a calendar day
    except ValueError:
        return None
