"""How a report names and writes things: metrics, endpoints, numbers, times."""

from datetime import UTC, datetime

from domain.acceptance import MetricValue
from domain.intended_use import IntendedUse
from evidence.judgement import EndpointResult, FloorResult
from evidence.plan import Bound, CalibrationBound, Endpoint, NonInferiority, SubgroupFloor
from evidence.record import SetResults, SubgroupResults
from evidence.uncertainty_record import SetUncertainty

NAMES = {
    "auroc": "AUROC",
    "auroc_difference": "Difference of AUROC",
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "ppv": "Positive predictive value",
    "npv": "Negative predictive value",
    "average_precision": "Average precision",
    "likelihood_ratio_positive": "Positive likelihood ratio",
    "likelihood_ratio_negative": "Negative likelihood ratio",
    "brier": "Brier score",
    "expected_calibration_error": "Expected calibration error",
    "calibration_slope": "Calibration slope",
    "calibration_intercept": "Calibration intercept",
    "calibration_in_the_large": "Calibration in the large",
    "conformal_coverage_present": "Sets that hold “present”, of films with the finding",
    "conformal_coverage_absent": "Sets that hold “absent”, of films without",
    "sets_of_one": "Sets of one finding: the model can tell",
    "sets_of_both": "Sets of both: the model cannot tell",
    "sets_of_neither": "Empty sets: the film fits neither",
    "abstention_share": "Films abstained on",
    "pointing_game": "Peak of the activation map in a known opacity",
}
IDEAL = {
    "brier": "0",
    "expected_calibration_error": "0",
    "calibration_slope": "1",
    "calibration_intercept": "0",
    "calibration_in_the_large": "0",
}
HEADLINE = ("auroc", "sensitivity", "specificity", "ppv", "npv")
SECONDARY = ("average_precision", "likelihood_ratio_positive", "likelihood_ratio_negative")
EXTERNAL_ROWS = (*HEADLINE, *SECONDARY, "brier", "calibration_slope", "calibration_in_the_large")
UNCERTAINTY_ROWS = (
    *((name, "all") for name in ("conformal_coverage_present", "conformal_coverage_absent", "sets_of_one",
                                 "sets_of_both", "sets_of_neither", "abstention_share")),
    *((name, "films not abstained on") for name in ("auroc", "sensitivity", "specificity")),
)  # fmt: skip
SPLITS = {"train": "Training", "tune": "Tuning", "test": "Test"}


def number(value: float) -> str:
    """Three decimals and a true minus sign."""
    return f"{value:.3f}".replace("-", "−")


def interval(value: MetricValue) -> str:
    """Both ends of the interval of a value, as ``ends``."""
    return ends(value.interval)


def ends(limits: tuple[float, float]) -> str:
    """``0.931–0.968``, or with words where an end is negative."""
    low, high = limits
    joint = " to " if low < 0 else "–"
    return f"{number(low)}{joint}{number(high)}"


def level(value: MetricValue) -> str:
    """``95 %``: how sure the interval is."""
    return f"{100 * value.level:g} %"


def thousands(count: int) -> str:
    """``12 345``, which does not break."""
    return f"{count:,}".replace(",", "\N{NO-BREAK SPACE}")


def p_value(p: float) -> str:
    """``p = 0.012`` or ``p < 0.001``."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def moment(at: datetime) -> str:
    """``2026-03-01 09:30 UTC``."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def metric_name(name: str) -> str:
    """A metric as people write it; one unknown here keeps its own name, without underscores."""
    return NAMES.get(name, name.replace("_", " "))


def endpoint_name(name: str) -> str:
    """``AUROC not inferior to champion`` for ``auroc_not_inferior_to_champion``; a bound is named in its own column."""
    for metric in sorted(NAMES, key=len, reverse=True):
        if name.startswith(f"{metric}_"):
            rest = name[len(metric) + 1 :]
            return (
                NAMES[metric]
                if rest in ("at_least", "at_most", "within")
                else f"{NAMES[metric]} {rest.replace('_', ' ')}"
            )
    return metric_name(name)


def planned_bound(endpoint: Endpoint) -> str:
    """What an endpoint of the plan demands."""
    name = metric_name(endpoint.metric)
    if isinstance(endpoint, Bound):
        if endpoint.at_least is not None:
            return f"lower end of {name} ≥ {number(endpoint.at_least)}"
        return f"upper end of {name} ≤ {number(endpoint.at_most or 0.0)}"
    if isinstance(endpoint, CalibrationBound):
        return f"interval of {name} within {number(endpoint.low)} to {number(endpoint.high)}"
    if isinstance(endpoint, NonInferiority):
        return f"{name} less than {number(endpoint.margin)} below the {endpoint.against}’s, paired"
    return f"{name} above the {endpoint.against}’s, paired"


def planned_floor(floor: SubgroupFloor) -> str:
    """What a floor of the plan demands of each stratum."""
    return (
        f"lower end of {metric_name(floor.metric)} ≥ {number(floor.at_least)} in each stratum by {floor.group} "
        f"with at least {floor.min_n} films"
    )


def verdict(result: EndpointResult | FloorResult) -> str:
    """``met``, ``missed`` or ``decides nothing``."""
    if result.met is None or not getattr(result, "applicable", True):
        return "decides nothing"
    return "met" if result.met else "missed"


def ages(intended_use: IntendedUse) -> str:
    """The age limits as words, empty when there are none."""
    lower, upper = intended_use.min_age_years, intended_use.max_age_years
    if lower is None and upper is None:
        return ""
    if lower is None:
        return f" · up to {upper:g} years"
    return f" · {lower:g} years and over" if upper is None else f" · {lower:g} to {upper:g} years"


def named(results: SetResults | SubgroupResults | SetUncertainty) -> dict[str, MetricValue]:
    """The metrics of a set or subgroup by name."""
    return {value.name: value for value in results.metrics}
