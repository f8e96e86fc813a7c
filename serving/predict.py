"""One study in, one outcome out: intended use, a score for each eligible instance, the study's decision."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from domain import study_rule
from domain.errors import BadInput, ModelUnavailable
from domain.model_version import ModelManifest
from domain.prediction import (
    Done,
    InstanceScore,
    PredictionState,
    RefusedPrediction,
    RoutedScore,
    study_probability,
)
from domain.study import Instance, Study

Score = Callable[[Instance], RoutedScore]


@dataclass(frozen=True)
class Scored:
    """One instance with the answer it got."""

    instance: Instance
    routed: RoutedScore

    @property
    def kept(self) -> InstanceScore:
        """What the prediction keeps of it."""
        return InstanceScore(
            sop_instance_uid=self.instance.sop_instance_uid,
            object_sha256=self.instance.object_sha256,
            probability=self.routed.score.probability,
        )


@dataclass(frozen=True)
class Outcome:
    """The prediction's state, and what was scored on the way."""

    state: PredictionState
    scored: tuple[Scored, ...] = ()
    explained: Scored | None = None


def predict_study(
    study: Study,
    *,
    champion: ModelManifest,
    patient_stated: bool,
    score: Score,
    manifest_of: Callable[[str], ModelManifest],
    now: Callable[[], datetime],
) -> Outcome:
    """The outcome for a study: refused with every reason, or the highest probability of its eligible instances.

    Raises:
        Unavailable: a part that must answer does not; try again later.
    """
    refusals = study_rule.refusals(study, champion.intended_use, patient_stated=patient_stated)
    eligible = [instance for instance in study.instances if not refusals[instance.sop_instance_uid]]
    scored: list[Scored] = []
    for instance in eligible:
        try:
            scored.append(Scored(instance, score(instance)))
        except BadInput as error:
            refusals[instance.sop_instance_uid] = (error.what,)
    if not scored:
        return Outcome(RefusedPrediction(reasons=study_rule.reasons(study, refusals)))
    return _answer(tuple(scored), manifest_of=manifest_of, now=now())


def _answer(scored: tuple[Scored, ...], *, manifest_of: Callable[[str], ModelManifest], now: datetime) -> Outcome:
    first = scored[0].routed
    if any(one.routed.model_version != first.model_version for one in scored):
        # The policy changed, or a challenger went out, between two instances: one study is answered by one version.
        raise ModelUnavailable("The instances of one study were answered by different model versions.")
    highest = max(scored, key=lambda one: one.routed.score.probability)
    manifest = manifest_of(first.model_version)
    instances = tuple(one.kept for one in scored)
    probability = study_probability(instances)
    explained = highest if highest.routed.score.activation_map is not None else None
    state = Done(
        probability=probability,
        threshold=manifest.operating_point.threshold,
        finding_present=probability >= manifest.operating_point.threshold,
        model_version=first.model_version,
        role=first.role,
        policy_version=first.policy_version,
        fell_back=any(one.routed.fell_back for one in scored),
        demo=manifest.demo,
        instances=instances,
        explained_instance=highest.instance.sop_instance_uid if explained else None,
        answered_at=now,
    )
    return Outcome(state, scored, explained)
