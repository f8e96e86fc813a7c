"""Intake of DICOM: identifiers and attributes come from the header, and what contradicts is not stored."""

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from domain.access import Principal
from domain.errors import Conflict, InvalidField, UnsupportedFormat
from domain.identifiers import DEFAULT_TENANT, pseudonym_of
from domain.prediction import Pending, Prediction
from domain.study import Study
from infra.db.session import Database
from serving.demo import DEMO_MANIFEST
from serving.intake import Declared, Intake, Receipt

Write = Callable[..., bytes]
Declare = Callable[..., Declared]
MIRROR = os.environ.get("FIDUCIAL_DATA_MIRROR")
GATE = Path(MIRROR, "nih_chest_dicom") if MIRROR else None
PIXELS = np.arange(2400, dtype=np.uint16).reshape(60, 40)


@pytest.fixture
def enhanced(intake: Intake) -> Intake:
    """Intake at the enhanced level."""
    return dataclasses.replace(intake, dicom_scope="full", limits=intake.limits.model_copy(update={"max_bytes": 2**21}))


def stored(database: Database, receipt: Receipt) -> tuple[Study, tuple[Prediction, ...]]:
    with database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
        return work.studies.get(receipt.study_id), work.predictions.of_study(receipt.study_id)


def nothing_is_stored(database: Database) -> bool:
    with database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
        return work.studies.latest(1) == ()


def test_identifiers_patient_and_attributes_come_from_the_header_whatever_is_declared(
    intake: Intake, database: Database, dicom: Write, declared: Declare, clinician: Principal
) -> None:
    said_otherwise = declared(patient_id="somebody else", modality="CT", view_position="LL", sex="M")
    study, predictions = stored(database, intake.receive([dicom(PIXELS)], declared=said_otherwise, by=clinician))
    (instance,) = study.instances
    uids = (study.study_instance_uid, instance.series_instance_uid, instance.sop_instance_uid)
    assert uids == ("1.2.3", "1.2.3.1", "1.2.3.4")
    assert study.patient == pseudonym_of("P-1", key=b"p" * 32, tenant=DEFAULT_TENANT)
    assert (instance.attributes_from, instance.attributes.modality, instance.attributes.sex) == ("dicom", "DX", "F")
    assert (instance.image_format, instance.rows, instance.columns) == ("dicom", 60, 40)
    assert [type(prediction.state) for prediction in predictions] == [Pending]


def test_a_header_without_a_patient_takes_the_declared_one(
    intake: Intake, database: Database, dicom: Write, declared: Declare, clinician: Principal
) -> None:
    nameless = dicom(PIXELS, PatientID=None)
    study, _ = stored(database, intake.receive([nameless], declared=declared(patient_id="P-7"), by=clinician))
    assert study.patient == pseudonym_of("P-7", key=b"p" * 32, tenant=DEFAULT_TENANT)


def test_a_second_instance_joins_the_stored_study_of_its_uid(
    intake: Intake, database: Database, dicom: Write, declared: Declare, clinician: Principal
) -> None:
    first = intake.receive([dicom(PIXELS)], declared=declared(), by=clinician)
    second = intake.receive([dicom(PIXELS, SOPInstanceUID="1.2.3.5")], declared=declared(), by=clinician)
    assert (second.study_id, second.created) == (first.study_id, True)
    assert [i.sop_instance_uid for i in stored(database, second)[0].instances] == ["1.2.3.4", "1.2.3.5"]


def test_a_stored_instance_uid_with_other_bytes_is_a_conflict(
    intake: Intake, database: Database, dicom: Write, declared: Declare, clinician: Principal
) -> None:
    receipt = intake.receive([dicom(PIXELS)], declared=declared(), by=clinician)
    with pytest.raises(Conflict):
        intake.receive([dicom(PIXELS + 1)], declared=declared(), by=clinician)
    study, predictions = stored(database, receipt)
    assert (len(study.instances), len(predictions)) == (1, 1)
    assert intake.objects.get(DEFAULT_TENANT, study.instances[0].object_sha256) == dicom(PIXELS)


def test_one_instance_uid_twice_in_an_upload_with_other_bytes_is_a_conflict(
    intake: Intake, database: Database, dicom: Write, declared: Declare, clinician: Principal
) -> None:
    with pytest.raises(Conflict):
        intake.receive([dicom(PIXELS), dicom(PIXELS + 1)], declared=declared(), by=clinician)
    assert nothing_is_stored(database)


@pytest.mark.parametrize(
    "other",
    [{"PatientID": "P-2"}, {"StudyInstanceUID": "1.2.9"}, {"PatientID": None}],
    ids=["patient", "study", "a patient and none"],
)
def test_images_that_belong_to_different_patients_or_studies_are_not_one_upload(
    other: dict[str, str | None], intake: Intake, database: Database, dicom: Write, declared: Declare,
    clinician: Principal,
) -> None:  # fmt: skip
    images = [dicom(PIXELS), dicom(PIXELS, SOPInstanceUID="1.2.3.5", **other)]
    with pytest.raises(InvalidField, match="different"):
        intake.receive(images, declared=declared(patient_id=None), by=clinician)
    assert nothing_is_stored(database)


def test_a_stored_study_uid_of_another_patient_is_a_conflict(
    intake: Intake, dicom: Write, declared: Declare, clinician: Principal
) -> None:
    intake.receive([dicom(PIXELS)], declared=declared(), by=clinician)
    with pytest.raises(Conflict, match="another patient"):
        intake.receive([dicom(PIXELS, PatientID="P-2", SOPInstanceUID="1.2.3.5")], declared=declared(), by=clinician)


def test_starter_refuses_compressed_dicom_and_says_which_level_takes_it(
    intake: Intake, database: Database, compressed_dicom: Write, declared: Declare, clinician: Principal
) -> None:
    with pytest.raises(UnsupportedFormat, match=r"JPEG-LS.*FIDUCIAL_LEVEL=enhanced"):
        intake.receive([compressed_dicom(PIXELS)], declared=declared(), by=clinician)
    assert nothing_is_stored(database)


def test_enhanced_takes_compressed_dicom(
    enhanced: Intake, database: Database, compressed_dicom: Write, declared: Declare, clinician: Principal
) -> None:
    study, _ = stored(database, enhanced.receive([compressed_dicom(PIXELS)], declared=declared(), by=clinician))
    assert study.instances[0].sop_instance_uid == "1.2.3.4"


# Six films of the NIH archive as DICOM; the headers of the last three are wrong on purpose. Their ages have no unit
# (PS3.5 6.2), so none is stated.
REASONS = {
    "test1.dcm": (), "test2.dcm": (), "test3.dcm": (),
    "test4.dcm": ("body_part_examined is not one of CHEST",),
    "test5.dcm": ("modality is not one of CR, DX",),
    "test6.dcm": ("view_position is not one of AP, PA",),
}  # fmt: skip


def gate_file(name: str, dicom: Write) -> bytes:
    """The real file where the mirror is, else a file of ours with the same header."""
    if GATE is not None and GATE.is_dir():
        return (GATE / name).read_bytes()
    wrong = {"test4.dcm": {"BodyPartExamined": "RIBCAGE"}, "test5.dcm": {"Modality": "CT"}}
    position = {"ViewPosition": None, "PatientPosition": "XX" if name == "test6.dcm" else "PA", "PatientAge": None}
    attributes = {**position, **wrong.get(name, {})}
    return dicom(np.resize(np.arange(251, dtype=np.uint8), (1024, 1024)), **attributes)


@pytest.mark.parametrize("scope", ["starter", "enhanced"])
@pytest.mark.parametrize("name", REASONS)
def test_films_with_wrong_headers_are_stored_with_the_reason_why_they_are_not_predicted(
    name: str, scope: str, intake: Intake, enhanced: Intake, database: Database, dicom: Write, declared: Declare,
    clinician: Principal,
) -> None:  # fmt: skip
    level = enhanced if scope == "enhanced" else dataclasses.replace(enhanced, dicom_scope="basic")
    level = dataclasses.replace(level, limits=level.limits.model_copy(update={"max_pixels": 2**21}))
    study, _ = stored(database, level.receive([gate_file(name, dicom)], declared=declared(), by=clinician))
    (instance,) = study.instances
    assert instance.attributes.age_years is None
    assert DEMO_MANIFEST.intended_use.refusals(instance.attributes) == REASONS[name]
