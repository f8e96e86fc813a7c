"""The worker: claims requested predictions from the outbox under a lease and answers each exactly once."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from domain.audit import AuditAction, AuditEvent
from domain.drift import FeatureRow
from domain.errors import FiducialError, Unavailable
from domain.identifiers import PredictionId, Pseudonym, Tenant
from domain.model_version import ModelManifest
from domain.prediction import Concluded, Failed, Prediction, PredictionState, RoutedScore
from domain.study import Instance, Study
from imaging.limits import Limits
from imaging.radiograph import decode
from infra import logs
from infra.clock import now as clock_now
from infra.db.outbox import Message
from infra.db.session import Database
from infra.objects import ObjectStore
from serving import arm_records, promoted
from serving.gateway_client import GatewayClient
from serving.intake import TOPIC
from serving.predict import Outcome, predict_study

log = logs.get(__name__)
AGENT = "worker"
_ACTIONS = {
    "done": AuditAction.PREDICTION_ANSWERED,
    "abstained": AuditAction.PREDICTION_ABSTAINED,
    "refused": AuditAction.PREDICTION_REFUSED,
    "failed": AuditAction.PREDICTION_FAILED,
}


@dataclass(frozen=True)
class Pace:
    """How the worker claims and repeats."""

    threads: int = 4
    lease_s: float = 60.0
    poll_s: float = 0.05
    max_attempts: int = 5
    first_pause_s: float = 1.0
    growth: float = 2.5  # 1, 2.5, 6 and 16 s: longer together than a service needs to start again

    def pause_after(self, attempts: int) -> timedelta:
        """How long to wait after so many attempts."""
        return timedelta(seconds=self.first_pause_s * self.growth ** (attempts - 1))


@dataclass
class Worker:
    """Answers predictions of one tenant. Studies are independent: each has a thread, the slow ones hold up nobody."""

    tenant: Tenant
    database: Database
    objects: ObjectStore
    gateway: GatewayClient
    limits: Limits
    pace: Pace = field(default_factory=Pace)
    now: Callable[[], datetime] = clock_now
    heartbeat: Callable[[], None] = lambda: None  # called each round: the loop turns

    def run(self, stop: threading.Event) -> None:
        """Claim and answer until told to stop; what is being answered then is finished first."""
        with ThreadPoolExecutor(self.pace.threads, thread_name_prefix="answer") as pool:
            busy: set[Future[None]] = set()
            while not stop.is_set():
                self.heartbeat()
                busy = {future for future in busy if not future.done()}
                messages = self._claim(self.pace.threads - len(busy))
                busy |= {pool.submit(self.handle, message) for message in messages}
                if not messages:
                    stop.wait(self.pace.poll_s)

    def _claim(self, limit: int) -> tuple[Message, ...]:
        if limit < 1 or not self._depth():
            return ()
        with self.database.unit_of_work(self.tenant) as work:
            return work.outbox.claim(TOPIC, now=self.now(), lease_s=self.pace.lease_s, limit=limit)

    def _depth(self) -> int:
        # Asked read-only, so that an idle worker never holds the writer's lock.
        with self.database.unit_of_work(self.tenant, read_only=True) as work:
            return work.outbox.depth(TOPIC)

    def handle(self, message: Message) -> None:
        """Answer one message; on failure give it back, or record that it failed."""
        try:
            self._answer(message)
        except Unavailable as error:
            self._retry_or_fail(message, error)
        except FiducialError as error:
            self._fail(message, error)
        except Exception:  # the worker's edge: one bad study must not end the others
            log.exception("prediction.defect", prediction_id=message.payload["prediction_id"])
            self._retry_or_fail(message, FiducialError("The prediction failed."))

    def _answer(self, message: Message) -> None:
        if message.attempts > self.pace.max_attempts:
            # Claimed too often without an outcome: whatever is in it ends the process that touches it.
            raise FiducialError("The prediction was begun too often without an end.")
        with self.database.unit_of_work(self.tenant, read_only=True) as work:
            prediction = work.predictions.get(PredictionId(message.payload["prediction_id"]))
            study = work.studies.get(prediction.study_id)
            champion = promoted.champion(work, prediction.task)
        outcome = predict_study(
            study,
            champion=champion,
            patient_stated=bool(message.payload["patient_stated"]),
            score=lambda instance: self._score(instance, study=study, prediction=prediction),
            manifest_of=self._manifest_of,
            now=self.now,
        )
        self._record(message, prediction, outcome, patient=study.patient)

    def _score(self, instance: Instance, *, study: Study, prediction: Prediction) -> RoutedScore:
        film = decode(self.objects.get(self.tenant, instance.object_sha256), limits=self.limits)
        return self.gateway.score(
            film.pixels,
            task=prediction.task,
            tenant=self.tenant,
            patient=study.patient,
            prediction_id=prediction.prediction_id,
        )

    def _manifest_of(self, model_version: str) -> ModelManifest:
        with self.database.unit_of_work(self.tenant, read_only=True) as work:
            return promoted.manifest_of(work, model_version)

    def _record(self, message: Message, prediction: Prediction, outcome: Outcome, *, patient: Pseudonym) -> None:
        """Everything that belongs to the answer, in one commit, and only if nobody else answered meanwhile."""
        with self.database.unit_of_work(self.tenant) as work:
            if work.predictions.set_state(prediction.prediction_id, outcome.state):
                if outcome.explained is not None:
                    work.predictions.set_explanation(
                        prediction.prediction_id, outcome.explained.routed.score.activation_map or ()
                    )
                for row in self._feature_rows(message, prediction, outcome):
                    work.feature_rows.add(row)
                work.audit.append(self._event(prediction.prediction_id, outcome.state))
                arm_records.record_answer(work, prediction, outcome, patient=patient)
            work.outbox.done(message.message_id)

    def _feature_rows(self, message: Message, prediction: Prediction, outcome: Outcome) -> tuple[FeatureRow, ...]:
        """One for each scored film, abstentions included: monitoring must see just these."""
        state, threshold = outcome.state, outcome.threshold
        if not isinstance(state, Concluded) or threshold is None:
            return ()
        return tuple(
            FeatureRow(
                prediction_id=prediction.prediction_id,
                recorded_at=state.answered_at,
                task=prediction.task,
                model_version=state.model_version,
                site=str(message.payload["site"]),
                probability=scored.routed.score.probability,
                finding_present=scored.routed.score.probability >= threshold,
                image_features=scored.routed.score.image_features,
                embedding=scored.routed.score.embedding,
            )
            for scored in outcome.scored
        )

    def _retry_or_fail(self, message: Message, error: FiducialError) -> None:
        if message.attempts >= self.pace.max_attempts:
            self._fail(message, error)
            return
        log.warning("prediction.retry", code=error.code, attempts=message.attempts)
        with self.database.unit_of_work(self.tenant) as work:
            not_before = self.now() + self.pace.pause_after(message.attempts)
            work.outbox.retry(message.message_id, not_before=not_before)

    def _fail(self, message: Message, error: FiducialError) -> None:
        log.error("prediction.failed", code=error.code, attempts=message.attempts)
        prediction_id = PredictionId(message.payload["prediction_id"])
        state = Failed(code=error.code, attempts=message.attempts)
        with self.database.unit_of_work(self.tenant) as work:
            if work.predictions.set_state(prediction_id, state):
                work.audit.append(self._event(prediction_id, state))
                arm_records.record_failure(work, work.predictions.get(prediction_id), state, at=self.now())
            work.outbox.done(message.message_id)

    def _event(self, prediction_id: PredictionId, state: PredictionState) -> AuditEvent:
        return AuditEvent(
            tenant=self.tenant,
            agent=AGENT,
            action=_ACTIONS[state.kind],
            entity=prediction_id,
            outcome="failure" if isinstance(state, Failed) else "success",
            recorded=self.now(),
        )
