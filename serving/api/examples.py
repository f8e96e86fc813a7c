"""One example of everything the facade answers or takes, built from its own types, so that none has another shape."""

from datetime import UTC, datetime, timedelta
from typing import Any

from domain import errors
from domain.acceptance import MetricValue
from domain.codes import PNEUMONIA
from domain.dataset import Split
from domain.history import (
    Answer,
    DecisionSummary,
    Period,
    ServedVersion,
    ServingRecord,
    StudyHistory,
    TaskHistory,
    VersionEvidence,
)
from domain.identifiers import PredictionId, Pseudonym, SOPInstanceUID, StudyId, sha256_of
from domain.intended_use import ImageAttributes
from domain.level import LEVELS, LevelName
from domain.prediction import InstanceScore
from domain.traffic import Challenger, Mode, Pin, Role
from evidence.lineage import LinkKind
from serving.api.examples_live import DESIGNS, LIVE, REVIEW, REVIEW_BODY, REVIEWS
from serving.api.schemas import (
    PREDICTION_EXAMPLE,
    STUDY_EXAMPLE,
    About,
    AbstainedView,
    DoneView,
    FailedView,
    InstanceView,
    Me,
    PendingView,
    Problem,
    Provenance,
    RefusedView,
    StudyView,
    TokenView,
    Worklist,
)
from serving.api.schemas_traffic import TrafficBody, TrafficHistory, TrafficView
from serving.authentication import TOKEN_LIFETIME
from serving.problems import NotPermitted, problem
from serving.trace import CheckedLink, CheckedTrace

_AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
_FILM = sha256_of(b"a film")
_INSTANCE = SOPInstanceUID("2.25.71237446120374961047220916338425171234")
_DATASET, _VERSION = "kermany_chest_xray@1a2b3c4d5e6f", "chest_xray_pneumonia@3"
_REPORT, _COMMIT, _RUN = (
    sha256_of(b"report"),
    "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
    "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
)
_COMMON: dict[str, Any] = {
    "prediction_id": PREDICTION_EXAMPLE, "study_id": STUDY_EXAMPLE, "task": "chest_xray_pneumonia", "requested_at": _AT,
}  # fmt: skip

PENDING = PendingView(**_COMMON)
REFUSED = RefusedView(**_COMMON, reasons=("modality is not one of CR, DX", "view_position is not stated"))
FAILED = FailedView(**_COMMON, code="model-unavailable", attempts=5)
_CONCLUDED: dict[str, Any] = dict(
    **_COMMON,
    demo=False,
    finding=PNEUMONIA,
    model_version=_VERSION,
    role=Role.CHAMPION,
    policy_version=4,
    fell_back=False,
    answered_at=_AT + timedelta(seconds=1),
    trace=f"/api/v1/predictions/{PREDICTION_EXAMPLE}/trace",
    provenance=Provenance(
        title="Pneumonia on paediatric chest films",
        intended_use="Pneumonia on frontal chest films of children. Research use only.",
        variant="network-seed1",
        demo=False,
        dataset_version=_DATASET,
        dataset_digest=sha256_of(b"samples"),
        weights_sha256=sha256_of(b"weights"),
        model_sha256=sha256_of(b"model"),
        report_sha256=_REPORT,
        run_id=_RUN,
        git_commit=_COMMIT,
        git_dirty=False,
        approver="Dr. A. Name",
        performance=(
            MetricValue(
                name="auroc", value=0.957, interval=(0.94, 0.97), method="DeLong, logit", n=624, positives=390,
                split=Split.TEST, dataset_version=_DATASET, model_version=_VERSION,
            ),
        ),
    ),
)  # fmt: skip
DONE = DoneView(
    **_CONCLUDED,
    probability=0.8731,
    threshold=0.412,
    decision="finding present",
    prediction_set=("present",),
    coverage=0.9,
    instances=(InstanceScore(sop_instance_uid=_INSTANCE, object_sha256=_FILM, probability=0.8731),),
    explained_instance=_INSTANCE,
    heatmap=f"/api/v1/predictions/{PREDICTION_EXAMPLE}/heatmap",
    film=f"/api/v1/predictions/{PREDICTION_EXAMPLE}/film",
)
ABSTAINED = AbstainedView(
    **_CONCLUDED,
    reasons=("The film is unlike those the model was developed on (distance 31.2, limit 24.0).",),
)
_INSTANCE_VIEW = InstanceView(
    sop_instance_uid=_INSTANCE, image_format="png", rows=1024, columns=1024, attributes_from="declared",
    attributes=ImageAttributes(modality="DX", body_part_examined="CHEST", view_position="PA", age_years=4.0, sex="F"),
)  # fmt: skip
STUDY = StudyView(study_id=STUDY_EXAMPLE, received_at=_AT, instances=(_INSTANCE_VIEW,), predictions=(DONE,))
ACCEPTED = STUDY.model_copy(update={"predictions": (PENDING,)})
WORKLIST = Worklist(studies=(STUDY,), next=f"/api/v1/worklist?limit=1&before={STUDY_EXAMPLE}")
TRACE = CheckedTrace(
    prediction_id=PredictionId(PREDICTION_EXAMPLE), model_version=_VERSION, approver="Dr. A. Name", demo=False,
    links=(
        CheckedLink(kind=LinkKind.IMAGE, name=_INSTANCE, digest=_FILM, where="object store", status="verified"),
        CheckedLink(kind=LinkKind.REPORT, name="report.json", digest=_REPORT, where=f"run {_RUN}", status="recorded"),
        CheckedLink(kind=LinkKind.COMMIT, name=_COMMIT, digest=None, where="git", status="recorded"),
    ),
)  # fmt: skip
_EVIDENCE = VersionEvidence(
    model_version=_VERSION, variant="network-seed1", demo=False, threshold=0.412, weights_sha256=sha256_of(b"weights"),
    model_sha256=sha256_of(b"model"), report_sha256=_REPORT, dataset_version=_DATASET, approver="Dr. A. Name",
    decision=DecisionSummary(
        verdict="promote", decided_by="Dr. A. Name", decided_at=_AT - timedelta(days=8),
        why="Not inferior to the champion, and better at site north.", sha256=sha256_of(b"decision"),
    ),
    evidence_files={"report.json": _REPORT},
)  # fmt: skip
TASK_HISTORY = TaskHistory(
    task="chest_xray_pneumonia",
    asked=Period(start=_AT.replace(hour=0, minute=0), end=_AT.replace(hour=0, minute=0) + timedelta(days=1)),
    records=(
        ServingRecord(
            task="chest_xray_pneumonia", policy_version=4, since=_AT - timedelta(days=7), until=None,
            by="Dr. A. Name", why="met its task's acceptance criteria", mode=Mode.NORMAL, pinned_patients=0,
            versions=(ServedVersion(**_EVIDENCE.model_dump(), role=Role.CHAMPION, share=1.0),),
        ),
    ),
)  # fmt: skip
STUDY_HISTORY = StudyHistory(
    study_id=StudyId(STUDY_EXAMPLE),
    answers=(
        Answer(
            prediction_id=PredictionId(PREDICTION_EXAMPLE), task="chest_xray_pneumonia",
            answered_at=_AT + timedelta(seconds=1), model_version=_VERSION, role=Role.CHAMPION, fell_back=False,
            demo=False, threshold=0.412, evidence=_EVIDENCE, policy_version=4, in_force_since=_AT - timedelta(days=7),
            promoted_by="Dr. A. Name", why="met its task's acceptance criteria",
        ),
    ),
)  # fmt: skip
TRAFFIC = TrafficView(
    task="chest_xray_pneumonia", policy_version=5, champion=3, champion_share=0.8,
    challengers=(Challenger(version=4, share=0.2),), shadows=(2,),
    pins=(Pin(patient=Pseudonym("9f86d081884c7d659a2feaa0c55ad015"), version=3),), mode=Mode.NORMAL,
    since=_AT, by="engineer", why="A fifth of the patients, to compare it.",
)  # fmt: skip
TRAFFIC_HISTORY = TrafficHistory(task="chest_xray_pneumonia", policies=(TRAFFIC,))
TRAFFIC_BODY = TrafficBody(
    champion=3, challengers=(Challenger(version=4, share=0.5),), shadows=(2,), pins=TRAFFIC.pins, mode=Mode.NORMAL,
    why="Half of the patients: no worse so far.", follows=5,
)  # fmt: skip
_ENHANCED = LEVELS[LevelName.ENHANCED]
ABOUT = About(version="0.1.0", level=_ENHANCED.name, authentication="jwt", worklist=True, aims=_ENHANCED.aims)
ME = Me(name="clinician", role="clinician")
TOKEN = TokenView(access_token="eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl", expires_in=int(TOKEN_LIFETIME.total_seconds()))  # noqa: S106

ANSWERS = (
    PENDING, REFUSED, FAILED, DONE, ABSTAINED, STUDY, WORKLIST, TRACE, TASK_HISTORY, STUDY_HISTORY, TRAFFIC,
    TRAFFIC_HISTORY, LIVE, REVIEW, REVIEWS, ABOUT, ME, TOKEN,
)  # fmt: skip
BODIES = (TRAFFIC_BODY, REVIEW_BODY, *DESIGNS)
TEXTS = {"/healthz": "ok\n", "/readyz": "ready\n", "/metrics": "fiducial_predictions_waiting 0.0\n"}
PARAMETERS: dict[str, Any] = {
    "study_id": STUDY_EXAMPLE, "prediction_id": PREDICTION_EXAMPLE, "before": STUDY_EXAMPLE, "limit": 25, "wait": 10.0,
    "task": "chest_xray_pneumonia", "at": "2026-03-02",
}  # fmt: skip
REQUESTS: dict[str, dict[str, Any]] = {
    "/api/v1/studies": {
        "files": ["(the bytes of film.png)"], "patient_id": "P-4711", "modality": "DX", "body_part_examined": "CHEST",
        "view_position": "PA", "age_years": 4, "sex": "F", "site": "north",
    },
    "/api/v1/studies/{study_id}/reviews": REVIEW_BODY.model_dump(mode="json"),
    "/api/v1/tasks/{task}/traffic": TRAFFIC_BODY.model_dump(mode="json"),
    "/api/v1/token": {"username": "clinician", "password": "(as printed once at the first start)"},
}  # fmt: skip

_ERRORS: dict[int, tuple[errors.FiducialError, ...]] = {
    400: (errors.EmptyBody("The request has no body.", next_step="Send at least one file in the field 'files'."),),
    401: (errors.NotAuthenticated("A bearer token is needed.", next_step="Ask POST /api/v1/token for one."),),
    403: (
        NotPermitted("The role engineer may not read study."),
        errors.ForbiddenByLevel("This level has no worklist.", next_step="Set FIDUCIAL_LEVEL=enhanced."),
    ),
    404: (
        errors.UnknownStudy(f"No study '{STUDY_EXAMPLE}' here.", next_step="Check the identifier."),
        errors.UnknownTask(
            "No model version of a task 'absent' was ever put into service here.",
            next_step="Known: chest_xray_pneumonia.",
        ),
        errors.UnknownPrediction(f"No prediction '{PREDICTION_EXAMPLE}' here.", next_step="Check the identifier."),
    ),
    409: (
        errors.Conflict("What was decided on has changed meanwhile.", next_step="Read it again and decide again."),
        errors.CriteriaNotMet(
            "chest_xray_pneumonia@5 has never answered for a patient, and the gate has not promoted it.",
            next_step="`fiducial promote` takes new versions.",
        ),
    ),
    413: (errors.ImageTooLarge("The upload is larger than the limit.", next_step="Send fewer images at a time."),),
    415: (
        errors.UnsupportedFormat("The bytes are neither PNG, JPEG nor DICOM.", next_step="Send one of these."),
        errors.WrongContentType("Studies are sent as multipart/form-data.", next_step="See /docs."),
    ),
    422: (
        errors.InvalidField("Not valid: body.age_years.", next_step="Correct these fields and send again."),
        errors.UnreadableImage("The PNG cannot be read.", next_step="Export the image again and send the new file."),
        errors.UnsupportedImageKind("The image is in colour.", next_step="Send a grey-scale image."),
    ),
    429: (errors.TooManyAttempts("Too many wrong passwords.", next_step="Wait 60 seconds."),),
    500: (
        errors.DigestMismatch(
            "model.onnx is not the model of chest_xray_pneumonia@4.", next_step="Restore it, or name another version."
        ),
    ),
    503: (
        errors.Overloaded("Too many uploads at once.", next_step="Send it again in a few seconds."),
        errors.ModelUnavailable(
            "The Bento of chest_xray_pneumonia@4 is not there.", next_step="Restore it, or name another version."
        ),
    ),
}  # fmt: skip


# Where a code can come from; what is not named here can come from everywhere.
_ONLY_AT = {
    "unknown-study": {"studies", "worklist"}, "unknown-prediction": {"predictions"}, "unknown-task": {"tasks"},
    "not-permitted": {"studies", "predictions", "worklist", "tasks"},
    "forbidden-by-level": {"token", "worklist", "traffic"}, "criteria-not-met": {"traffic"},
    "model-unavailable": {"traffic"}, "unreadable-image": {"studies"}, "unsupported-image-kind": {"studies"},
}  # fmt: skip
_FIELDS = {"invalid-field": {"errors": [{"field": "body.age_years", "rule": "Input should be a valid number"}]}}


def problems_of(status: int, *, path: str) -> dict[str, Problem]:
    """Problem documents of a status by their code, made as those that are sent."""
    here = set(path.split("/"))
    return {
        error.code: Problem.model_validate(problem(error, **_FIELDS.get(error.code, {})))
        for error in _ERRORS[status]
        if here & _ONLY_AT.get(error.code, here)
    }
