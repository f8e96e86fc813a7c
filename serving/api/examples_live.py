"""Examples of what the facade answers and takes about live traffic, built from its own types."""

from datetime import UTC, datetime, timedelta

from domain.experiment import AlwaysValid, Declaration, Experiment, GroupSequential, StopRule
from domain.identifiers import StudyId
from domain.live_traffic import event_of
from domain.traffic import Role
from evidence.experiment.arms import Arm, Distribution
from evidence.experiment.decision import ExperimentView
from evidence.experiment.designs import Look
from evidence.experiment.live import LiveView, RuleView
from evidence.experiment.sample_split import SampleSplit
from evidence.statistics.estimate import Estimate
from serving.api.schemas import STUDY_EXAMPLE
from serving.api.schemas_reviews import ReviewBody, ReviewView, StudyReviews

_AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
_TASK = "chest_xray_pneumonia"

REVIEW_BODY = ReviewBody(task=_TASK, source="review", finding_present=True)
REVIEW = ReviewView(
    study_id=StudyId(STUDY_EXAMPLE), task=_TASK, source="review", finding_present=True, by="clinician", at=_AT
)
REVIEWS = StudyReviews(study_id=StudyId(STUDY_EXAMPLE), reviews=(REVIEW,))


def _share(value: float, low: float, high: float, *, n: int, positives: int) -> Estimate:
    return Estimate(value=value, low=low, high=high, level=0.95, method="Wilson", n=n, positives=positives)


def _arm(version: int, role: Role, *, planned_share: float) -> Arm:
    return Arm(
        version=version, role=role, planned_share=planned_share, studies=110, patients=100,
        positives=_share(0.31, 0.23, 0.41, n=100, positives=31),
        scores=Distribution(n=100, quantiles=((0.5, 0.22),), histogram=(40, 20, 6, 3, 0, 2, 4, 5, 8, 12)),
        agreement=_share(0.9, 0.82, 0.95, n=80, positives=72), sensitivity=None, specificity=None,
        errors=_share(0.0, 0.0, 0.037, n=100, positives=0), abstentions=_share(0.02, 0.006, 0.07, n=100, positives=2),
        seconds=Distribution(n=110, quantiles=((0.5, 0.05), (0.95, 0.09), (0.99, 0.2))),
    )  # fmt: skip


DESIGNS = (AlwaysValid(), GroupSequential(looks=(0.5, 1.0)))
_DECLARATION = Declaration(
    task=_TASK, champion=3, challenger=4, endpoint="agreement", margin=0.05, max_patients=320, design=DESIGNS[1],
    guards=(StopRule(name="positives", measure="positives", low=0.1, high=0.5),),
)  # fmt: skip
_DIFFERENCE = Estimate(value=0.01, low=-0.11, high=0.13, level=0.994, method="Newcombe", n=160, positives=144)
_DECISION = ExperimentView(
    verdict="continue", line=-0.05, alpha=0.025, known=160, known_champion=80, known_challenger=80, assigned=200,
    moved=0, next_look_at=320, trustworthy=True,
    sentence="Agreement of version 4 minus version 3: +0.010 (-0.110 to +0.130, 160 patients); the interval holds "
    "-0.050: go on. The next look is at 320 patients; 160 are known.",
    looks=(
        Look(
            patients=160, information=0.5, z=2.96, champion=_share(0.895, 0.81, 0.94, n=80, positives=72),
            challenger=_share(0.905, 0.82, 0.95, n=80, positives=72), difference=_DIFFERENCE, verdict="continue",
        ),
    ),
    sample_split=SampleSplit(
        champion=100, challenger=100, expected=0.5, p_value=1.0, trustworthy=True,
        sentence="100 of 200 patients were assigned to version 4, as 0.50 was planned (p 1 at any time).",
    ),
)  # fmt: skip
LIVE = LiveView(
    task=_TASK,
    policy_version=6,
    arms=(_arm(3, Role.CHAMPION, planned_share=0.5), _arm(4, Role.CHALLENGER, planned_share=0.5)),
    rules=(
        RuleView(
            name="errors", version=4, role=Role.CHALLENGER, band=(0.0, 0.05), patients=100, count=0, share=0.0,
            interval=(0.0, 0.09), level=0.9995, acts=False,
            sentence="errors 0 of 100 patients, 0.00 (0.00-0.09 at any time), not outside 0.00-0.05",
        ),
    ),
    experiment=Experiment(
        experiment_id="ex_5d2c1b0a9f8e4d7c6b5a493827160f1e", declaration=_DECLARATION, declared_by="Dr. A. Name",
        why="Fewer missed findings at site north, if it holds on live traffic.", declared_at=_AT,
    ),
    ended=None,
    decision=_DECISION,
    events=(
        event_of(
            {"action": "share to 0", "seconds_since_first_row": 41.5}, task=_TASK, kind="stopped", version=2,
            policy_version=5, by="watch", at=_AT - timedelta(days=1),
            why="stop rule 'errors': errors 9 of 20 patients, 0.45 (0.12-0.83 at any time), outside 0.00-0.05",
        ),
    ),
)  # fmt: skip
