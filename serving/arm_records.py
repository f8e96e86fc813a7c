"""What the comparison and the stop rules see of a prediction: the arm row that belongs to its outcome."""

from datetime import datetime

from domain.errors import DigestMismatch, IntegrityViolation, TaskSwitchedOff, Unavailable
from domain.experiment import ArmRow
from domain.identifiers import Pseudonym
from domain.prediction import Concluded, Done, Failed, Prediction
from domain.traffic import Role, TrafficPolicy
from infra.db.session import UnitOfWork
from serving.predict import Outcome

# No version's fault: the gateway itself or the database was out, somebody switched the task off, the stored film is not
# the one received. Counted, an outage of ours would roll a sound champion back.
_NOBODYS_FAULT = frozenset({one.code for one in (Unavailable, TaskSwitchedOff, IntegrityViolation, DigestMismatch)})


def record_answer(work: UnitOfWork, prediction: Prediction, outcome: Outcome, *, patient: Pseudonym) -> None:
    """Keep the row of an answer or an abstention; none of the demo classifier or of a study that was refused."""
    state = outcome.state
    if not isinstance(state, Concluded) or not outcome.scored:
        return
    first = outcome.scored[0].routed
    if first.assigned is None or first.assigned_role is None:
        return
    measured = [one.routed.seconds for one in outcome.scored if one.routed.seconds is not None]
    done = state if isinstance(state, Done) else None
    work.arm_rows.add(
        ArmRow(
            task=prediction.task,
            prediction_id=prediction.prediction_id,
            study_id=prediction.study_id,
            patient=patient,
            assigned=first.assigned,
            answered=int(state.model_version.rpartition("@")[2]),
            role=first.assigned_role,
            policy_version=state.policy_version,
            outcome="done" if done else "abstained",
            probability=done.probability if done else None,
            finding_present=done.finding_present if done else None,
            seconds=max(measured, default=None),  # what the patient's study waited for
            recorded_at=state.answered_at,
        )
    )


def record_failure(work: UnitOfWork, prediction: Prediction, state: Failed, *, at: datetime) -> None:
    """Keep the row of a prediction that nobody answered, unless no version is to blame.

    It counts against the champion, whoever was assigned: a challenger's patients fall to the champion.
    """
    policy = work.traffic.current(prediction.task)
    if policy is None or state.code in _NOBODYS_FAULT:
        return
    work.arm_rows.add(_failure(prediction, policy, patient=work.studies.get(prediction.study_id).patient, at=at))


def _failure(prediction: Prediction, policy: TrafficPolicy, *, patient: Pseudonym, at: datetime) -> ArmRow:
    return ArmRow(
        task=prediction.task,
        prediction_id=prediction.prediction_id,
        study_id=prediction.study_id,
        patient=patient,
        assigned=policy.champion,
        answered=None,
        role=Role.CHAMPION,
        policy_version=policy.policy_version,
        outcome="failed",
        probability=None,
        finding_present=None,
        seconds=None,
        recorded_at=at,
    )
