"""Studies and their instances."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKeyConstraint, Index, String, UniqueConstraint, tuple_
from sqlalchemy.orm import Mapped, mapped_column, relationship

from domain.errors import UnknownStudy
from domain.identifiers import Pseudonym, StudyId, StudyInstanceUID
from domain.study import Instance, Study
from infra.db.base import OPAQUE, Repository, TenantRow


class StudyRow(TenantRow):
    """One study."""

    __tablename__ = "studies"
    __table_args__ = (
        UniqueConstraint("tenant", "study_instance_uid"),
        Index(None, "tenant", "received_at", "study_id"),
    )

    study_id: Mapped[str] = mapped_column(String(OPAQUE), primary_key=True)
    study_instance_uid: Mapped[str] = mapped_column(String(OPAQUE))
    patient: Mapped[str] = mapped_column(String(OPAQUE))
    received_at: Mapped[datetime]
    instances: Mapped[list["InstanceRow"]] = relationship(order_by="InstanceRow.position", lazy="selectin")


class InstanceRow(TenantRow):
    """One instance, in the order of arrival within its study."""

    __tablename__ = "instances"
    __table_args__ = (ForeignKeyConstraint(["tenant", "study_id"], ["studies.tenant", "studies.study_id"]),)

    study_id: Mapped[str] = mapped_column(String(OPAQUE), primary_key=True)
    sop_instance_uid: Mapped[str] = mapped_column(String(OPAQUE), primary_key=True)
    position: Mapped[int]
    object_sha256: Mapped[str] = mapped_column(String(OPAQUE))
    content: Mapped[dict[str, Any]] = mapped_column(JSON)


class Studies(Repository):
    """Studies of one tenant."""

    def add(self, study: Study) -> None:
        """Stores a new study with its instances."""
        self._insert(
            StudyRow(
                tenant=self._tenant,
                study_id=study.study_id,
                study_instance_uid=study.study_instance_uid,
                patient=study.patient,
                received_at=study.received_at,
            )
        )
        for position, instance in enumerate(study.instances):
            self._insert(self._instance_row(study.study_id, instance, position=position))

    def get(self, study_id: StudyId) -> Study:
        """The study of that opaque identifier.

        Raises:
            UnknownStudy: this tenant has none.
        """
        return _study(self._row(study_id))

    def find(self, study_instance_uid: StudyInstanceUID) -> Study | None:
        """The study of that UID, if stored. In a writing unit of work nobody else can add it until that unit ends."""
        if self._writing:
            self._reserve(f"study {study_instance_uid}")
        row = self._one(self._select(StudyRow, StudyRow.study_instance_uid == study_instance_uid))
        return _study(row) if row else None

    def add_instance(self, study_id: StudyId, instance: Instance) -> None:
        """Adds one instance to a stored study.

        Raises:
            UnknownStudy: this tenant has none of that identifier.
        """
        row = self._row(study_id)
        self._insert(self._instance_row(study_id, instance, position=len(row.instances)))
        self._session.expire(row)

    def latest(self, limit: int, *, before: StudyId | None = None) -> tuple[Study, ...]:
        """The newest studies first; ``before`` continues after the last study of the page before."""
        query = self._select(StudyRow)
        if before is not None:
            last = self._row(before)
            query = query.where(
                tuple_(StudyRow.received_at, StudyRow.study_id) < tuple_(last.received_at, last.study_id)
            )
        query = query.order_by(StudyRow.received_at.desc(), StudyRow.study_id.desc()).limit(limit)
        return tuple(_study(row) for row in self._all(query))

    def _row(self, study_id: StudyId) -> StudyRow:
        row = self._one(self._select(StudyRow, StudyRow.study_id == study_id))
        if row is None:
            raise UnknownStudy(f"No study {study_id!r} here.", next_step="Check the identifier.")
        return row

    def _instance_row(self, study_id: StudyId, instance: Instance, *, position: int) -> InstanceRow:
        return InstanceRow(
            tenant=self._tenant,
            study_id=study_id,
            sop_instance_uid=instance.sop_instance_uid,
            position=position,
            object_sha256=instance.object_sha256,
            content=instance.model_dump(mode="json"),
        )


def _study(row: StudyRow) -> Study:
    return Study(
        study_id=StudyId(row.study_id),
        study_instance_uid=StudyInstanceUID(row.study_instance_uid),
        patient=Pseudonym(row.patient),
        received_at=row.received_at,
        instances=tuple(Instance.model_validate(instance.content) for instance in row.instances),
    )
