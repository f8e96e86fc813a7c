"""Which instances of a study a model version may be asked about: the one rule of serving and of replay."""

from collections.abc import Mapping

from domain.identifiers import SOPInstanceUID
from domain.intended_use import IntendedUse
from domain.study import Study

PATIENT_NOT_STATED = "patient_id is not stated"
Refusals = dict[SOPInstanceUID, tuple[str, ...]]


def refusals(study: Study, intended_use: IntendedUse, *, patient_stated: bool) -> Refusals:
    """Why each instance may not be scored; empty where it may."""
    unknown_patient = () if patient_stated else (PATIENT_NOT_STATED,)
    return {
        instance.sop_instance_uid: unknown_patient + intended_use.refusals(instance.attributes)
        for instance in study.instances
    }


def reasons(study: Study, found: Mapping[SOPInstanceUID, tuple[str, ...]]) -> tuple[str, ...]:
    """Reasons about instances as reasons of the study, each with its instance where there are several."""
    if len(study.instances) == 1:
        return found[study.instances[0].sop_instance_uid]
    return tuple(
        f"instance {number}: {reason}"
        for number, instance in enumerate(study.instances, start=1)
        for reason in found.get(instance.sop_instance_uid, ())
    )


def patient_was_stated(refusal_reasons: tuple[str, ...]) -> bool:
    """Whether a study refused for these reasons named its patient."""
    return not any(reason.endswith(PATIENT_NOT_STATED) for reason in refusal_reasons)
