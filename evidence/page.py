"""The validation report as one self-contained, printable page, drawn from the record alone."""

import base64
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from jinja2 import DictLoader, Environment, StrictUndefined, Template

from domain.acceptance import MetricValue
from domain.identifiers import Sha256
from domain.intended_use import IntendedUse
from evidence import figures
from evidence.record import SetResults, SubgroupResults, ValidationReport

NAMES = {
    "auroc": "AUROC",
    "auroc_difference": "Difference of AUROC",
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "ppv": "Positive predictive value",
    "npv": "Negative predictive value",
    "brier": "Brier score",
    "expected_calibration_error": "Expected calibration error",
    "calibration_slope": "Calibration slope",
    "calibration_intercept": "Calibration intercept",
    "calibration_in_the_large": "Calibration in the large",
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
EXTERNAL_ROWS = (*HEADLINE, "brier", "calibration_slope", "calibration_in_the_large")


def render(report: ValidationReport, *, report_sha256: Sha256, gallery: Mapping[str, bytes]) -> str:
    """The page as HTML. ``gallery`` maps sample ids to PNG bytes."""
    threshold = report.model.operating_point.threshold
    return _template().render(
        report=report,
        report_sha256=report_sha256,
        roc=figures.roc_figure(report),
        calibration=figures.calibration_figure(report.test),
        distribution=figures.distribution_figure(report.test, threshold=threshold),
        pictures={sample_id: base64.b64encode(png).decode() for sample_id, png in gallery.items()},
    )


def interval(value: MetricValue) -> str:
    """``0.931–0.968``, or with words where an end is negative."""
    low, high = value.interval
    joint = " to " if low < 0 else "–"
    return f"{number(low)}{joint}{number(high)}"


def number(value: float) -> str:
    """Three decimals and a true minus sign."""
    return f"{value:.3f}".replace("-", "−")


def ages(intended_use: IntendedUse) -> str:
    """The age limits as words, empty when there are none."""
    lower, upper = intended_use.min_age_years, intended_use.max_age_years
    if lower is None and upper is None:
        return ""
    if lower is None:
        return f" · up to {upper:g} years"
    return f" · {lower:g} years and over" if upper is None else f" · {lower:g} to {upper:g} years"


def p_value(p: float) -> str:
    """``p = 0.012`` or ``p < 0.001``."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def named(results: SetResults | SubgroupResults) -> dict[str, MetricValue]:
    """The metrics of a set or subgroup by name."""
    return {value.name: value for value in results.metrics}


@cache
def _template() -> Template:
    source = (files("evidence") / "templates" / "report.html.j2").read_text(encoding="utf-8")
    environment = Environment(
        loader=DictLoader({"report": source}),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(ages=ages, interval=interval, number=number, p_value=p_value, named=named)
    environment.globals.update(
        names=NAMES, ideal=IDEAL, headline=HEADLINE, external_rows=EXTERNAL_ROWS, bar=figures.interval_bar
    )
    return environment.get_template("report")
