"""Every error Fiducial raises on purpose, as one tree.

    FiducialError
    ├── BadInput            what came in cannot be used            (HTTP 4xx, exit 2)
    ├── NotFound            the thing named does not exist         (HTTP 404, exit 3)
    ├── Refused             a rule says no                         (HTTP 4xx, exit 4)
    ├── DataProblem         a dataset does not meet its checks     (exit 5)
    ├── IntegrityViolation  bytes are not what was recorded        (HTTP 500, exit 6)
    └── Unavailable         a part we need does not answer         (HTTP 503, exit 7)

A message says what, where and what next, and never carries a patient's data. ``code`` is stable: it is the last part of
the ``type`` of a problem document (RFC 9457) and is listed in ``docs/errors.md``.
"""

from typing import ClassVar


class FiducialError(Exception):
    """Root of the tree. ``code`` and ``exit_code`` are part of the public contract."""

    code: ClassVar[str] = "fiducial-error"
    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, *, next_step: str = "") -> None:
        super().__init__(f"{what} {next_step}".strip())
        self.what = what
        self.next_step = next_step


class BadInput(FiducialError):
    """What came in cannot be used."""

    code = "bad-input"
    exit_code = 2


class EmptyBody(BadInput):
    """The upload holds no bytes."""

    code = "empty-body"


class UnsupportedFormat(BadInput):
    """The bytes are neither PNG, JPEG nor DICOM, or use an encoding we cannot decode."""

    code = "unsupported-format"


class UnreadableImage(BadInput):
    """The bytes begin like a known format but are truncated or corrupt."""

    code = "unreadable-image"


class ImageTooSmall(BadInput):
    """Fewer pixels than any radiograph has."""

    code = "image-too-small"


class ImageTooLarge(BadInput):
    """More pixels or bytes than the limit; refused before it is decoded."""

    code = "image-too-large"


class UnsupportedImageKind(BadInput):
    """A readable image without a single greyscale frame to score (several frames, colour, no pixels …)."""

    code = "unsupported-image-kind"


class InvalidField(BadInput):
    """A form field or argument is missing or out of range."""

    code = "invalid-field"


class InvalidSetting(BadInput):
    """A FIDUCIAL_* variable has a value it does not take."""

    code = "invalid-setting"


class InvalidPlan(BadInput):
    """A validation plan or change control plan does not keep to its schema."""

    code = "invalid-plan"


class WrongContentType(BadInput):
    """The request is not of the content type the address takes."""

    code = "wrong-content-type"


class NotFound(FiducialError):
    """The thing named does not exist."""

    code = "not-found"
    exit_code = 3


class UnknownStudy(NotFound):
    """No study of that identifier in this tenant."""

    code = "unknown-study"


class UnknownPrediction(NotFound):
    """No prediction of that identifier in this tenant."""

    code = "unknown-prediction"


class NoExplanation(NotFound):
    """The prediction exists but carries no heat map."""

    code = "no-explanation"


class UnknownTask(NotFound):
    """No task of that name: no file in ``models/tasks``, or nothing on record."""

    code = "unknown-task"


class UnknownSource(NotFound):
    """No file of that name in ``data/sources``."""

    code = "unknown-source"


class UnknownRun(NotFound):
    """No MLflow run of that identifier."""

    code = "unknown-run"


class UnknownModelVersion(NotFound):
    """No model version of that name and number."""

    code = "unknown-model-version"


class Refused(FiducialError):
    """A rule says no."""

    code = "refused"
    exit_code = 4


class NotAuthenticated(Refused):
    """Who asks is not known."""

    code = "not-authenticated"
    account: str = ""  # whose password was wrong, where there is such an account


class TooManyAttempts(Refused):
    """Too many wrong passwords in a short time."""

    code = "too-many-attempts"
    account: str = ""  # whose, where there is such an account


class Conflict(Refused):
    """Somebody else wrote the same thing at the same moment."""

    code = "conflict"


class ForbiddenByLevel(Refused):
    """The chosen FIDUCIAL_LEVEL does not allow this."""

    code = "forbidden-by-level"


class TaskSwitchedOff(Refused):
    """The task's kill switch is on: no model version answers."""

    code = "task-switched-off"


class CriteriaNotMet(Refused):
    """A model version misses an acceptance criterion of its task."""

    code = "criteria-not-met"


class PlanNotRegistered(Refused):
    """The test set may not be opened: no plan of these bytes was registered before."""

    code = "plan-not-registered"


class SignatureRefused(Refused):
    """The signer is unknown, did not authenticate, or their role may not sign so."""

    code = "signature-refused"


class ParityNotMet(Refused):
    """The exported model does not answer as the trained one."""

    code = "parity-not-met"


class DataProblem(FiducialError):
    """A dataset does not meet its checks."""

    code = "data-problem"
    exit_code = 5


class DistributionMissing(DataProblem):
    """The files of a source are neither in the mirror nor fetched."""

    code = "distribution-missing"


class QualityCheckFailed(DataProblem):
    """Samples are corrupt, of the wrong size or without a label."""

    code = "quality-check-failed"


class LeakageAcrossSplits(DataProblem):
    """The same or nearly the same image, or the same patient, stands in two splits."""

    code = "leakage-across-splits"


class OneClassOnly(DataProblem):
    """A statistic needs samples with and without the finding, and only one kind is there."""

    code = "one-class-only"


class TooFewSamples(DataProblem):
    """A statistic or a window needs more samples than there are."""

    code = "too-few-samples"


class NotEstimable(DataProblem):
    """A statistic has no value for these numbers: not finite, outside their range, or perfectly separated."""

    code = "not-estimable"


class IntegrityViolation(FiducialError):
    """Bytes are not what was recorded."""

    code = "integrity-violation"
    exit_code = 6


class DigestMismatch(IntegrityViolation):
    """A file's SHA-256 is not the recorded one."""

    code = "digest-mismatch"


class SignatureInvalid(IntegrityViolation):
    """A signature does not belong to these bytes or this signer."""

    code = "signature-invalid"


class NotReproduced(IntegrityViolation):
    """Training again gave other weights or figures than were recorded."""

    code = "not-reproduced"


class AliasMoved(IntegrityViolation):
    """An MLflow alias says another model version than the policy in force."""

    code = "alias-moved"


class Unavailable(FiducialError):
    """A part we need does not answer."""

    code = "unavailable"
    exit_code = 7


class ModelUnavailable(Unavailable):
    """No running service can answer for the model version that must."""

    code = "model-unavailable"


class Overloaded(Unavailable):
    """The queue is full; the caller should come back."""

    code = "overloaded"
