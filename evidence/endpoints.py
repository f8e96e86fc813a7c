"""Each endpoint of a validation plan, and each subgroup floor, held against one model's answers to the test set.

An interval has level 1 − 2·alpha, so that each of its ends is a one-sided limit at alpha. All primary endpoints must be
met, hence none needs a share of alpha (intersection–union: Berger, Technometrics 24:295, 1982).
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Literal

from domain.acceptance import MetricValue
from domain.errors import DataProblem, NotEstimable
from evidence import planned_limits
from evidence.judgement import EndpointResult, FloorResult
from evidence.plan import Against, Bound, CalibrationBound, Endpoint, NonInferiority, SubgroupFloor, Superiority
from evidence.plan import ValidationPlan as Plan
from evidence.planned_limits import Rival
from evidence.results import metric
from evidence.reuse import deviations, reuse_cost
from evidence.scored_set import ScoredSet
from evidence.statistics.estimate import Estimate
from evidence.strata import strata

__all__ = ["Rival", "assess", "bound_text", "deviations", "floors", "holds", "reuse_cost"]

Role = Literal["primary", "secondary"]
Found = tuple[Estimate, float | None]  # the estimate and its one-sided p-value
NO_CHAMPION = "there is no champion yet"
ALIKE = "the two answer alike on every film"


def assess(
    endpoint: Endpoint,
    *,
    role: Role,
    test: ScoredSet,
    threshold: float,
    rivals: Mapping[Against, Rival],
    alpha: float,
) -> EndpointResult:
    """One endpoint at one-sided ``alpha``; each model's calls are at its own threshold.

    Without a champion, what is to be compared with it does not apply and counts as met; a missing baseline does not.
    What cannot be estimated is not met, with the reason.

    Raises:
        NotEstimable, TooFewSamples: an alpha outside (0, 0.5), scores that are no probabilities or labels other than
            0 and 1, of the model or of a rival; the place is named.
    """
    _require_alpha(endpoint.name, alpha)
    planned_limits.require_usable(test, threshold)
    if isinstance(endpoint, Bound | CalibrationBound):
        return _judged(endpoint, role, test, alpha=alpha, found=lambda: _of_one(endpoint, test, threshold, alpha))
    rival = rivals.get(endpoint.against)
    if rival is None:
        absent = endpoint.against == "champion"
        reason = NO_CHAMPION if absent else f"no {endpoint.against} was scored on this test set"
        return _result(endpoint, role, alpha=alpha, met=absent, reason=reason, applicable=not absent)
    planned_limits.require_usable(rival.scored, rival.threshold)
    return _judged(
        endpoint, role, test, alpha=alpha, found=lambda: _of_two(endpoint, test, threshold, rival, alpha)
    )  # fmt: skip


def holds(endpoint: Endpoint, interval: tuple[float, float]) -> bool:
    """Whether an interval of level 1 − 2·alpha meets the endpoint: what assessing and the gate both ask."""
    low, high = interval
    if isinstance(endpoint, NonInferiority):
        return low > -endpoint.margin
    if isinstance(endpoint, Superiority):
        return low > 0.0
    if isinstance(endpoint, CalibrationBound):
        return endpoint.low <= low and high <= endpoint.high
    if endpoint.at_least is not None:
        return low >= endpoint.at_least
    return endpoint.at_most is not None and high <= endpoint.at_most


def bound_text(endpoint: Endpoint) -> str:
    """The bound in words, as reports print it."""
    if isinstance(endpoint, NonInferiority):
        return f"lower end > −{endpoint.margin:.3f}"
    if isinstance(endpoint, Superiority):
        return "lower end > 0"
    if isinstance(endpoint, CalibrationBound):
        return f"interval within {endpoint.low:.3f} to {endpoint.high:.3f}"
    if endpoint.at_least is not None:
        return f"lower end ≥ {endpoint.at_least:.3f}"
    return f"upper end ≤ {endpoint.at_most:.3f}"


def floors(plan: Plan, test: ScoredSet, *, threshold: float, alpha: float) -> tuple[FloorResult, ...]:
    """Every stratum against every floor of the plan. A stratum with fewer than ``min_n`` samples of the class (for an
    AUROC: of the rarer class) is listed and decides nothing; a group that the test set does not know is not met.

    Raises:
        NotEstimable, TooFewSamples: as ``assess``.
    """
    planned_limits.require_usable(test, threshold)
    found: list[FloorResult] = []
    for floor in plan.subgroups:
        _require_alpha(floor.name, alpha)
        found.extend(_strata_of(floor, test, threshold=threshold, alpha=alpha))
    return tuple(found)


def _of_one(endpoint: Bound | CalibrationBound, test: ScoredSet, threshold: float, alpha: float) -> Found:
    level = 1.0 - 2.0 * alpha
    if isinstance(endpoint, CalibrationBound):
        limits = planned_limits.calibrated(endpoint.metric, test)
        return limits.interval(level), max(limits.p_above(endpoint.low), limits.p_below(endpoint.high))
    if endpoint.metric == "expected_calibration_error":
        return planned_limits.calibration_error(test, level=level), None
    limits = planned_limits.bounded(endpoint.metric, test, threshold=threshold)
    p_value = limits.p_above(endpoint.at_least) if endpoint.at_least is not None else None
    if endpoint.at_most is not None:
        p_value = limits.p_below(endpoint.at_most)
    return limits.interval(level), p_value


def _of_two(
    endpoint: NonInferiority | Superiority, test: ScoredSet, threshold: float, rival: Rival, alpha: float
) -> Found:
    level = 1.0 - 2.0 * alpha
    if planned_limits.alike(endpoint.metric, test, threshold=threshold, rival=rival):
        return Estimate(0.0, 0.0, 0.0, level, ALIKE, len(test.sample_ids), int(test.labels.sum())), None
    limits = planned_limits.difference(endpoint.metric, test, threshold=threshold, rival=rival)
    return limits.interval(level), limits.p_above(-endpoint.margin if isinstance(endpoint, NonInferiority) else 0.0)


def _judged(
    endpoint: Endpoint, role: Role, test: ScoredSet, *, alpha: float, found: Callable[[], Found]
) -> EndpointResult:
    try:
        estimate, p_value = found()
    except DataProblem as problem:
        return _result(endpoint, role, alpha=alpha, met=False, reason=f"it cannot be estimated: {problem.what}")
    name = endpoint.metric if isinstance(endpoint, Bound | CalibrationBound) else f"{endpoint.metric}_difference"
    met = holds(endpoint, (estimate.low, estimate.high))
    reason = ALIKE if estimate.method == ALIKE else _reason(estimate, bound_text(endpoint), met)
    return _result(
        endpoint, role, alpha=alpha, met=met, reason=reason, value=metric(test, name, estimate), p_value=p_value
    )  # fmt: skip


def _result(  # noqa: PLR0913 - the parts of one record
    endpoint: Endpoint, role: Role, *, alpha: float, met: bool, reason: str, value: MetricValue | None = None,
    p_value: float | None = None, applicable: bool = True,
) -> EndpointResult:  # fmt: skip
    return EndpointResult(
        name=endpoint.name, role=role, kind=endpoint.kind, value=value, bound=bound_text(endpoint), alpha=alpha,
        p_value=p_value, met=met, applicable=applicable, reason=reason,
    )  # fmt: skip


def _strata_of(floor: SubgroupFloor, test: ScoredSet, *, threshold: float, alpha: float) -> Iterator[FloorResult]:
    if floor.group not in test.subgroups:
        yield _floor(floor, "not recorded", n=0, met=False, reason=f"the test set does not say the {floor.group}")
        return
    for value, part in strata(test, floor.group):
        positives = int(part.labels.sum())
        negatives = len(part.sample_ids) - positives
        n = {"auroc": min(positives, negatives), "sensitivity": positives, "specificity": negatives}[floor.metric]
        if n < floor.min_n:
            yield _floor(floor, value, n=n, met=None, reason=f"underpowered: {n} of {floor.min_n} samples needed")
            continue
        try:
            estimate = planned_limits.bounded(floor.metric, part, threshold=threshold).interval(1.0 - 2.0 * alpha)
        except DataProblem as problem:
            yield _floor(floor, value, n=n, met=False, reason=f"it cannot be estimated: {problem.what}")
            continue
        met = estimate.low >= floor.at_least
        reason = _reason(estimate, f"lower end ≥ {floor.at_least:.3f}", met)
        measured = metric(part, floor.metric, estimate, subgroup=f"{floor.group}={value}")
        yield _floor(floor, value, n=n, met=met, reason=reason, measured=measured)


def _floor(
    floor: SubgroupFloor, value: str, *, n: int, met: bool | None, reason: str, measured: MetricValue | None = None
) -> FloorResult:
    return FloorResult(
        name=floor.name, group=floor.group, value=value, metric=measured, n=n, needed=floor.min_n,
        at_least=floor.at_least, met=met, reason=reason,
    )  # fmt: skip


def _reason(estimate: Estimate, bound: str, met: bool) -> str:
    return f"{estimate.low:.3f} to {estimate.high:.3f} {'meets' if met else 'misses'} «{bound}»"


def _require_alpha(name: str, alpha: float) -> None:
    if not 0.0 < alpha < 0.5:
        raise NotEstimable(
            f"{name}: a one-sided alpha of {alpha} cannot be used.", next_step="Choose one such as 0.025."
        )  # fmt: skip
