"""Coded concepts (PS3.3 8.1): the few terms our tasks state, with their scheme and meaning."""

from pydantic import BaseModel, ConfigDict


class CodedConcept(BaseModel):
    """A term of a coding scheme: SNOMED CT (SCT), DICOM (DCM), UCUM …"""

    model_config = ConfigDict(frozen=True)

    value: str
    scheme_designator: str
    meaning: str


CHEST = CodedConcept(value="51185008", scheme_designator="SCT", meaning="Thorax")
PNEUMONIA = CodedConcept(value="233604007", scheme_designator="SCT", meaning="Pneumonia")
