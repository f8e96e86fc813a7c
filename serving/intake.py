"""Intake: verify, keep the bytes, then put study, prediction, outbox message and audit event in one commit."""

import hashlib
import json
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from domain.access import Principal
from domain.audit import AuditAction, AuditEvent
from domain.errors import Conflict, EmptyBody, InvalidField
from domain.identifiers import (
    PredictionId,
    Pseudonym,
    SeriesInstanceUID,
    Sha256,
    SOPInstanceUID,
    StudyId,
    StudyInstanceUID,
    Tenant,
    pseudonym_of,
    sha256_of,
    uid_from,
)
from domain.intended_use import ImageAttributes
from domain.level import DicomScope
from domain.prediction import Failed, Pending, Prediction
from domain.study import Instance, Study
from imaging.limits import Limits
from imaging.part10 import ReceivedImage, read_upload
from infra.clock import now as clock_now
from infra.db.session import Database, UnitOfWork
from infra.objects import ObjectStore
from serving.demo import DEMO_TASK

TOPIC = "prediction.requested"
UNKNOWN_SITE = "unknown"


@dataclass(frozen=True)
class Declared:
    """What the sender states beside the images. Attributes of DICOM images come from their header alone."""

    attributes: ImageAttributes
    patient_id: str | None = None
    site: str | None = None


@dataclass(frozen=True)
class Receipt:
    """What became of an upload. ``created`` is False when all of it was stored already."""

    study_id: StudyId
    created: bool


@dataclass(frozen=True)
class _Verified:
    """One image that passed verification."""

    data: bytes
    sha256: Sha256
    received: ReceivedImage


@dataclass(frozen=True)
class Intake:
    """The only way in for images."""

    database: Database
    objects: ObjectStore
    limits: Limits
    dicom_scope: DicomScope
    pseudonym_key: bytes
    now: Callable[[], datetime] = clock_now
    new_id: Callable[[], uuid.UUID] = uuid.uuid4

    def receive(self, uploads: Sequence[bytes], *, declared: Declared, by: Principal) -> Receipt:
        """Store the images of one study and ask for its predictions. All images are verified before any is kept.

        Raises:
            BadInput: an image or a field cannot be used; nothing was stored.
            Conflict: a stored instance or study of that UID is another one.
        """
        images = [self._verify(data) for data in uploads]
        if not images:
            raise EmptyBody("The upload holds no image.", next_step="Send at least one file in the field 'files'.")
        study, patient_stated = self._study(images, declared=declared, tenant=by.tenant)
        for image in images:
            # Before the commit: a row never names bytes that are not on disk. Bytes without a row are found again
            # by their digest when the sender repeats the upload.
            self.objects.put(by.tenant, image.data)
        payload = {"site": (declared.site or UNKNOWN_SITE), "patient_stated": patient_stated}
        with self.database.unit_of_work(by.tenant) as work:
            return self._store(work, study, payload=payload, by=by)

    def _verify(self, data: bytes) -> _Verified:
        if not data:
            raise EmptyBody("An uploaded file holds no bytes.", next_step="Send the image itself.")
        received = read_upload(data, limits=self.limits, dicom_scope=self.dicom_scope)
        return _Verified(data, sha256_of(data), received)

    def _study(self, images: Sequence[_Verified], *, declared: Declared, tenant: Tenant) -> tuple[Study, bool]:
        patient_ids = {image.received.patient_id or declared.patient_id for image in images}
        if len(patient_ids) > 1:
            raise InvalidField("The images name different patients.", next_step="Send one study of one patient.")
        patient_id = patient_ids.pop()
        identity = patient_id or "\0".join(sorted(image.sha256 for image in images))
        patient = pseudonym_of(identity, key=self.pseudonym_key, tenant=tenant)
        instances = _distinct([_instance(image, declared=declared.attributes, patient=patient) for image in images])
        study = Study(
            study_id=StudyId(f"st_{self.new_id().hex}"),
            study_instance_uid=_study_uid(images, instances),
            patient=patient,
            received_at=self.now(),
            instances=instances,
        )
        return study, patient_id is not None

    def _store(self, work: UnitOfWork, study: Study, *, payload: dict[str, object], by: Principal) -> Receipt:
        stored = work.studies.find(study.study_instance_uid)
        if stored is None:
            work.studies.add(study)
            study_id, new = study.study_id, study.instances
        else:
            study_id, new = stored.study_id, _new_instances(study, stored)
            for instance in new:
                work.studies.add_instance(study_id, instance)
        answered = frozenset[str]() if new else _tasks_asked(work, study_id)
        tasks = [policy.task for policy in work.traffic.all_current()] or [DEMO_TASK]
        self._request_predictions(work, study_id, tasks=[t for t in tasks if t not in answered], payload=payload)
        self._audit(work, study_id, by=by)
        return Receipt(study_id, created=bool(new))

    def _request_predictions(
        self, work: UnitOfWork, study_id: StudyId, *, tasks: Sequence[str], payload: dict[str, object]
    ) -> None:
        for task in tasks:
            prediction = Prediction(
                prediction_id=PredictionId(f"pr_{self.new_id().hex}"),
                study_id=study_id,
                task=task,
                requested_at=self.now(),
                state=Pending(),
            )
            work.predictions.add(prediction)
            work.outbox.put(TOPIC, {"prediction_id": prediction.prediction_id, **payload})

    def _audit(self, work: UnitOfWork, study_id: StudyId, *, by: Principal) -> None:
        work.audit.append(
            AuditEvent(
                tenant=by.tenant,
                agent=by.name,
                action=AuditAction.STUDY_RECEIVED,
                entity=study_id,
                outcome="success",
                recorded=self.now(),
            )
        )


def _tasks_asked(work: UnitOfWork, study_id: StudyId) -> frozenset[str]:
    """Tasks that need not be asked again: what failed is, and what was promoted since the study came."""
    predictions = work.predictions.of_study(study_id)
    return frozenset(prediction.task for prediction in predictions if not isinstance(prediction.state, Failed))


def _instance(image: _Verified, *, declared: ImageAttributes, patient: Pseudonym) -> Instance:
    received = image.received
    is_dicom = received.image_format == "dicom"
    attributes = received.attributes if is_dicom else declared
    own = _derived_uid("instance", patient, image.sha256, _canonical(attributes))
    return Instance(
        sop_instance_uid=received.sop_instance_uid or SOPInstanceUID(own),
        series_instance_uid=received.series_instance_uid or SeriesInstanceUID(_derived_uid("series", own)),
        object_sha256=image.sha256,
        image_format=received.image_format,
        attributes=attributes,
        attributes_from="dicom" if is_dicom else "declared",
        rows=received.rows,
        columns=received.columns,
    )


def _distinct(instances: Sequence[Instance]) -> tuple[Instance, ...]:
    kept: dict[SOPInstanceUID, Instance] = {}
    for instance in instances:
        if kept.setdefault(instance.sop_instance_uid, instance).object_sha256 != instance.object_sha256:
            raise Conflict("Two uploaded instances have one UID and different bytes.", next_step="Give them own UIDs.")
    return tuple(kept.values())


def _study_uid(images: Sequence[_Verified], instances: Sequence[Instance]) -> StudyInstanceUID:
    stated = {image.received.study_instance_uid for image in images}
    if len(stated) > 1:
        raise InvalidField("The images belong to different studies.", next_step="Send one study at a time.")
    uid = stated.pop()
    return uid or StudyInstanceUID(_derived_uid("study", *sorted(i.sop_instance_uid for i in instances)))


def _new_instances(study: Study, stored: Study) -> tuple[Instance, ...]:
    if stored.patient != study.patient:
        raise Conflict("The stored study of that UID belongs to another patient.", next_step="Check the identifiers.")
    known = {instance.sop_instance_uid: instance.object_sha256 for instance in stored.instances}
    for instance in study.instances:
        if known.get(instance.sop_instance_uid, instance.object_sha256) != instance.object_sha256:
            raise Conflict("The stored instance of that UID has other bytes.", next_step="Give it a new UID.")
    return tuple(instance for instance in study.instances if instance.sop_instance_uid not in known)


def _derived_uid(kind: str, *parts: str) -> str:
    """A 2.25 UID that the same bytes with the same declarations of the same patient always get again."""
    digest = hashlib.sha256("\0".join((kind, *parts)).encode()).digest()
    return uid_from(uuid.UUID(bytes=digest[:16], version=5))  # RFC 9562 5.5: a name-based UUID


def _canonical(attributes: ImageAttributes) -> str:
    return json.dumps(attributes.model_dump(mode="json"), sort_keys=True)
