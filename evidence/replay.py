"""What a replay comes to: how often the answer would have changed, and for better or worse where the truth is known.

Studies of one patient are alike, so every interval counts patients as clusters.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from domain.errors import NotEstimable, OneClassOnly, TooFewSamples
from domain.identifiers import StudyId
from domain.replay import OUTCOMES, Change, Outcome, ReplayedStudy
from domain.review import Review, ReviewSource
from evidence.statistics import (
    agreement,
    bland_altman,
    clustered_limits,
    clustered_mcnemar,
    clustered_mean,
    clustered_proportion,
    paired_binary,
)
from evidence.statistics.bootstrap import Resampling, cluster_bootstrap
from evidence.statistics.estimate import Estimate

LEVEL = 0.95
CHANGES: tuple[Change, ...] = ("to positive", "to negative", "now abstained", "now refused")
_RESAMPLING = Resampling(method="percentile", resamples=1000)
_HOLDING = 1.959963984540054  # standard deviations that hold 95 % of normal differences
Flags = NDArray[np.bool_]
Keys = NDArray[np.intp]


class _Frozen(BaseModel):
    """A value that never changes."""

    model_config = ConfigDict(frozen=True)


class Figure(_Frozen):
    """An estimate with its interval."""

    kind: Literal["estimate"] = "estimate"
    name: str
    value: float
    low: float
    high: float
    level: float
    method: str
    n: int
    patients: int


class NotEstimated(_Frozen):
    """A figure these studies give no value for, and why."""

    kind: Literal["not estimated"] = "not estimated"
    name: str
    why: str
    n: int
    patients: int


AnyFigure = Figure | NotEstimated


class Test(_Frozen):
    """Two-sided, against «both versions are right equally often»."""

    __test__ = False  # its name is no test's

    p_value: float
    method: str


class AgainstTruth(_Frozen):
    """Then and now against the reviews or the reference standard of the studies that have one."""

    source: ReviewSource
    studies: int
    present: int  # by that source
    figures: tuple[AnyFigure, ...]  # differences are now less then
    tests: dict[str, Test]  # by what is compared; none where the versions never differ there


class Cell(_Frozen):
    """How many studies had one outcome then and one now."""

    then: Outcome
    now: Outcome
    studies: int


class Comparison(_Frozen):
    """All figures of a replay."""

    studies: int
    patients: int
    cross_table: tuple[Cell, ...]
    figures: tuple[AnyFigure, ...]
    largest_difference: float | None  # of a study's probability, without its sign
    against: tuple[AgainstTruth, ...]


def compare(studies: Sequence[ReplayedStudy], reviews: Sequence[Review] = ()) -> Comparison:
    """The figures of replayed studies; of several statements of one source about a study, the last counts."""
    counted = [
        Cell(then=then, now=now, studies=sum((one.then.outcome, one.now.outcome) == (then, now) for one in studies))
        for then in OUTCOMES
        for now in OUTCOMES
    ]
    moved = _moves(studies)
    return Comparison(
        studies=len(studies),
        patients=len({one.patient for one in studies}),
        cross_table=tuple(counted),
        figures=(*_shares(studies), *_of_both(studies), *moved[0]),
        largest_difference=moved[1],
        against=tuple(_against(source, studies, reviews) for source in _sources(reviews)),
    )


def _shares(studies: Sequence[ReplayedStudy]) -> list[AnyFigure]:
    keys = _keys(studies)
    found = [_share("answer changed", [one.change is not None for one in studies], keys)]
    return found + [_share(f"changed {name}", [one.change == name for one in studies], keys) for name in CHANGES]


def _of_both(studies: Sequence[ReplayedStudy]) -> list[AnyFigure]:
    both = [one for one in studies if one.both_answered]
    keys, then, now = _keys(both), _present(both, "then"), _present(both, "now")
    return [
        _share("finding present, then", then, keys),
        _share("finding present, now", now, keys),
        _figure("finding present, now less then", lambda: _difference(now, then, keys), keys),
        _figure("Cohen's kappa", lambda: _kappa(then, now, keys), keys),
    ]


def _moves(studies: Sequence[ReplayedStudy]) -> tuple[list[AnyFigure], float | None]:
    """Figures of the probability's differences, now less then, and the largest of them."""
    scored = [one for one in studies if one.then.probability is not None and one.now.probability is not None]
    keys = _keys(scored)
    then = np.array([one.then.probability for one in scored], dtype=np.float64)
    now = np.array([one.now.probability for one in scored], dtype=np.float64)
    figures = [
        _figure("probability, mean difference", lambda: clustered_mean.mean(now - then, keys), keys),
        _figure("probability, lower limit of agreement", lambda: _limit(now, then, keys, -_HOLDING), keys),
        _figure("probability, upper limit of agreement", lambda: _limit(now, then, keys, _HOLDING), keys),
    ]
    return figures, float(np.abs(now - then).max()) if scored else None


def _sources(reviews: Sequence[Review]) -> tuple[ReviewSource, ...]:
    return tuple(sorted({review.source for review in reviews}))


def _against(source: ReviewSource, studies: Sequence[ReplayedStudy], reviews: Sequence[Review]) -> AgainstTruth:
    said: dict[StudyId, bool] = {}
    for review in sorted((one for one in reviews if one.source == source), key=lambda one: one.at):
        said[review.study_id] = review.finding_present
    known = [one for one in studies if one.both_answered and one.study_id in said]
    truth = np.array([said[one.study_id] for one in known], dtype=np.bool_)
    then, now = _present(known, "then") == truth, _present(known, "now") == truth
    every = np.ones(len(known), dtype=np.bool_)
    figures: list[AnyFigure] = []
    tests: dict[str, Test] = {}
    for name, among in (("agreement", every), ("sensitivity", truth), ("specificity", ~truth)):
        keys = _keys(known)[among]
        figures += _then_and_now(name, then[among], now[among], keys)
        if (then[among] != now[among]).any() and len(set(keys)) > 1:
            tests[name] = _test(now[among], then[among], keys)
    return AgainstTruth(
        source=source, studies=len(known), present=int(truth.sum()), figures=tuple(figures), tests=tests
    )


def _then_and_now(name: str, then: Flags, now: Flags, keys: Keys) -> list[AnyFigure]:
    return [
        _share(f"{name}, then", then, keys),
        _share(f"{name}, now", now, keys),
        _figure(f"{name}, now less then", lambda: _difference(now, then, keys), keys),
    ]


def _share(name: str, flags: Sequence[bool] | Flags, keys: Keys) -> AnyFigure:
    return _figure(name, lambda: clustered_proportion.share(np.asarray(flags, dtype=np.bool_), keys), keys)


def _difference(first: Flags, second: Flags, keys: Keys) -> Estimate:
    if not _repeat(keys):
        return paired_binary.difference(paired_binary.paired_table(first, second))
    counts = clustered_mcnemar.count_pairs(first, second, keys)
    return clustered_limits.share_difference(counts, positives=0).interval(LEVEL)


def _test(first: Flags, second: Flags, keys: Keys) -> Test:
    """McNemar's mid-p, or where patients repeat the score test of the same difference at its design effect."""
    if not _repeat(keys):
        found = paired_binary.mcnemar(paired_binary.paired_table(first, second))
        return Test(p_value=found.mid_p, method="McNemar, mid-p")
    clustered = clustered_limits.share_difference(clustered_mcnemar.count_pairs(first, second, keys), positives=0)
    p_value = min(2.0 * min(clustered.p_above(0.0), clustered.p_below(0.0)), 1.0)
    return Test(p_value=p_value, method=f"McNemar: {clustered.method}")


def _repeat(keys: Keys) -> bool:
    """Whether a patient has several of these studies."""
    return len(set(keys)) < len(keys)


def _kappa(then: Flags, now: Flags, keys: Keys) -> Estimate:
    """Fleiss, Cohen and Everitt's interval for patients of one study each, else resampled patients."""

    def of(rows: NDArray[np.intp]) -> float:
        return agreement.cohen_kappa(_table(then[rows], now[rows])).kappa.value

    if not _repeat(keys):
        return agreement.cohen_kappa(_table(then, now)).kappa
    if (then == now).all():  # resampling cannot tell how sure full agreement is; one study a patient can
        first = np.unique(keys, return_index=True)[1]
        found = agreement.cohen_kappa(_table(then[first], now[first])).kappa
        return replace(found, method=f"{found.method}, first study of each patient")
    return cluster_bootstrap(keys, of, resampling=_RESAMPLING)


def _table(then: Flags, now: Flags) -> NDArray[np.int64]:
    return np.bincount(2 * then.astype(np.int64) + now, minlength=4).reshape(2, 2)


def _limit(now: NDArray[np.float64], then: NDArray[np.float64], keys: Keys, multiplier: float) -> Estimate:
    """One of Bland and Altman's limits; where patients repeat, its interval is that of resampled patients."""
    if not _repeat(keys):
        found = bland_altman.limits_of_agreement(now, then)
        return found.lower if multiplier < 0 else found.upper
    moved = now - then

    def of(rows: NDArray[np.intp]) -> float:
        return float(moved[rows].mean() + multiplier * moved[rows].std(ddof=1))

    return cluster_bootstrap(keys, of, resampling=_RESAMPLING)


def _figure(name: str, estimate: Callable[[], Estimate], keys: Keys) -> AnyFigure:
    patients = len(set(keys))
    try:
        found = estimate()
    except (NotEstimable, TooFewSamples, OneClassOnly) as error:
        return NotEstimated(name=name, why=error.what, n=len(keys), patients=patients)
    return Figure(
        name=name, value=found.value, low=found.low, high=found.high, level=found.level, method=found.method,
        n=found.n, patients=patients,
    )  # fmt: skip


def _keys(studies: Sequence[ReplayedStudy]) -> Keys:
    return np.array([one.patient for one in studies], dtype=np.intp)


def _present(studies: Sequence[ReplayedStudy], when: Literal["then", "now"]) -> Flags:
    return np.array([getattr(one, when).outcome == "present" for one in studies], dtype=np.bool_)
