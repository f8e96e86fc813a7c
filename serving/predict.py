"""One study in, one outcome out: intended use, a score for each eligible instance, the decision or the abstention."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from domain import study_rule
from domain.errors import BadInput, ModelUnavailable
from domain.model_version import ModelManifest
from domain.prediction import (
    Abstained,
    Done,
    InstanceScore,
    PredictionState,
    RefusedPrediction,
    RoutedScore,
    ScoredInstance,
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
    def looked_at(self) -> ScoredInstance:
        """What an abstention keeps of it."""
        return ScoredInstance(
            sop_instance_uid=self.instance.sop_instance_uid, object_sha256=self.instance.object_sha256
        )

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
    """The prediction's state, and what was scored on the way, with the answering version's threshold."""

    state: PredictionState
    scored: tuple[Scored, ...] = ()
    explained: Scored | None = None
    threshold: float | None = None  # None: nothing was scored


def predict_study(
    study: Study,
    *,
    champion: ModelManifest,
    patient_stated: bool,
    score: Score,
    manifest_of: Callable[[str], ModelManifest],
    now: Callable[[], datetime],
) -> Outcome:
    """The outcome for a study: refused with every reason, abstained from with every reason, or the highest probability
    of its eligible instances.

    One instance that the version abstains on is enough: the study's probability is a maximum, so what cannot be
    trusted in one cannot be trusted in all, and the finding may be on that very film.

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
    return _conclusion(study, tuple(scored), manifest_of=manifest_of, now=now())


def _conclusion(
    study: Study, scored: tuple[Scored, ...], *, manifest_of: Callable[[str], ModelManifest], now: datetime
) -> Outcome:
    version = scored[0].routed.model_version
    if any(one.routed.model_version != version for one in scored):
        # The policy changed, or a challenger went out, between two instances: one study is answered by one version.
        raise ModelUnavailable("The instances of one study were answered by different model versions.")
    manifest = manifest_of(version)
    given = {
        "model_version": version,
        "role": scored[0].routed.role,
        "policy_version": scored[0].routed.policy_version,
        "fell_back": any(one.routed.fell_back for one in scored),
        "answered_at": now,
    }
    reasons = {one.instance.sop_instance_uid: (why,) for one in scored if (why := one.routed.score.abstained)}
    if reasons:
        state = Abstained(
            **given, reasons=study_rule.reasons(study, reasons), instances=tuple(one.looked_at for one in scored)
        )
        return Outcome(state, scored, threshold=manifest.operating_point.threshold)
    return _answer(scored, manifest, given=given)


def _answer(scored: tuple[Scored, ...], manifest: ModelManifest, *, given: Mapping[str, Any]) -> Outcome:
    highest = max(scored, key=lambda one: one.routed.score.probability)
    possible, instances = highest.routed.score.prediction_set, tuple(one.kept for one in scored)
    probability, threshold = study_probability(instances), manifest.operating_point.threshold
    explained = highest if highest.routed.score.activation_map is not None else None
    state = Done(
        **given,
        probability=probability,
        threshold=threshold,
        finding_present=probability >= threshold,
        demo=manifest.demo,
        instances=instances,
        explained_instance=highest.instance.sop_instance_uid if explained else None,
        prediction_set=possible,
        coverage=manifest.conformal.coverage if manifest.conformal and possible is not None else None,
    )
    return Outcome(state, scored, explained, threshold)
