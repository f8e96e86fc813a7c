"""Prediction sets and abstention, measured where neither was fitted: on test data, and on each external set."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from domain.acceptance import MetricValue
from domain.errors import DataProblem
from domain.model_version import ConformalSets, OutOfDistribution
from domain.prediction import ImageScore
from evidence.results import area, metric
from evidence.scored_set import ScoredSet
from evidence.statistics import clustered_proportion
from evidence.statistics.estimate import Estimate
from evidence.strata import part
from evidence.uncertainty_record import SetUncertainty, UncertaintyResults

ANSWERED = "films not abstained on"
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class JudgedSet:
    """A scored set with the scores as the version judged them, row by row."""

    scored: ScoredSet
    scores: Sequence[ImageScore]

    @property
    def abstained(self) -> Flags:
        """True where the version would not answer."""
        return np.array([score.abstained is not None for score in self.scores], dtype=bool)

    def possible(self, finding: str) -> Flags:
        """True where the prediction set holds the finding."""
        return np.array([finding in (score.prediction_set or ()) for score in self.scores], dtype=bool)


def uncertainty_of(
    sets: Sequence[JudgedSet], *, conformal: ConformalSets | None, out_of_distribution: OutOfDistribution | None,
    not_fitted: tuple[str, ...], threshold: float, level: float,
) -> UncertaintyResults:  # fmt: skip
    """The whole section; intervals as everywhere in the report: patients are independent, films are not."""
    results = []
    for judged in sets:
        wanted: dict[tuple[str, str], Callable[[], Estimate]] = {}
        if conformal is not None:
            wanted |= _of_sets(judged, level=level)
        if out_of_distribution is not None:
            wanted |= _of_abstention(judged, threshold=threshold, level=level)
        results.append(_measured(judged, wanted))
    return UncertaintyResults(
        conformal=conformal, out_of_distribution=out_of_distribution, not_fitted=not_fitted, sets=tuple(results)
    )


def _of_sets(judged: JudgedSet, *, level: float) -> dict[tuple[str, str], Callable[[], Estimate]]:
    everything = np.ones(len(judged.scores), dtype=bool)
    with_finding = judged.scored.labels.astype(bool)
    present, absent = judged.possible("present"), judged.possible("absent")

    def share(of: Flags, among: Flags) -> Callable[[], Estimate]:
        return lambda: _share(judged.scored, of, among=among, level=level)

    return {
        ("conformal_coverage_present", "all"): share(present, with_finding),
        ("conformal_coverage_absent", "all"): share(absent, ~with_finding),
        ("sets_of_one", "all"): share(present ^ absent, everything),
        ("sets_of_both", "all"): share(present & absent, everything),
        ("sets_of_neither", "all"): share(~present & ~absent, everything),
    }


def _of_abstention(
    judged: JudgedSet, *, threshold: float, level: float
) -> dict[tuple[str, str], Callable[[], Estimate]]:
    scored, answered = judged.scored, ~judged.abstained
    present, called = scored.labels.astype(bool), scored.probabilities >= threshold

    def share(of: Flags, among: Flags) -> Callable[[], Estimate]:
        return lambda: _share(scored, of, among=among, level=level)

    return {
        ("abstention_share", "all"): share(~answered, np.ones(len(answered), dtype=bool)),
        ("auroc", ANSWERED): lambda: area(part(scored, answered), level=level),
        ("sensitivity", ANSWERED): share(called, present & answered),
        ("specificity", ANSWERED): share(~called, ~present & answered),
    }


def _measured(judged: JudgedSet, wanted: dict[tuple[str, str], Callable[[], Estimate]]) -> SetUncertainty:
    found: list[MetricValue] = []
    refused: dict[str, str] = {}
    for (name, subgroup), estimate in wanted.items():
        try:
            found.append(metric(judged.scored, name, estimate(), subgroup=subgroup))
        except DataProblem as problem:
            refused[name] = problem.what
    return SetUncertainty(
        source=judged.scored.dataset_version.source,
        split=judged.scored.split,
        n=len(judged.scores),
        abstained=int(judged.abstained.sum()),
        metrics=tuple(found),
        not_estimated=refused,
    )


def _share(scored: ScoredSet, successes: Flags, *, among: Flags, level: float) -> Estimate:
    patients = np.array(scored.patient_keys)
    positives = int(scored.labels[among].sum())
    return clustered_proportion.share(successes[among], patients[among], level=level, positives=positives)
