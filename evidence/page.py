"""The validation report as one self-contained, printable page, drawn from the record alone."""

import base64
from collections.abc import Mapping, Sequence
from functools import cache
from hashlib import sha256
from importlib.resources import files

from jinja2 import DictLoader, Environment, StrictUndefined, select_autoescape
from markupsafe import Markup

from domain.electronic_signature import ElectronicSignature
from domain.identifiers import Sha256
from evidence import figures, small_figures, wording
from evidence.limitations import SAME_MAP, faithful, limitations
from evidence.record import ValidationReport


def render(
    report: ValidationReport,
    *,
    report_sha256: Sha256,
    gallery: Mapping[str, bytes],
    signatures: Sequence[ElectronicSignature] = (),
) -> str:
    """The page as HTML without script or address. ``gallery`` maps sample ids to PNG bytes.

    ``signatures`` stand beside the record, since they sign its bytes; they are shown, not verified. The page forbids
    itself by a Content-Security-Policy everything but its own style and pictures.
    """
    environment = _environment()
    style = environment.get_template("style.css.j2").render() + environment.get_template("print.css.j2").render()
    return environment.get_template("report.html.j2").render(
        report=report,
        report_sha256=report_sha256,
        signatures=signatures,
        limitations=limitations(report),
        pictures={sample_id: base64.b64encode(png).decode() for sample_id, png in gallery.items()},
        drawn=_drawn(report),
        style=Markup(style),  # noqa: S704 - our own file
        style_digest=base64.b64encode(sha256(style.encode()).digest()).decode(),
    )


def _drawn(report: ValidationReport) -> dict[str, Markup]:
    """Every figure by name; one that has no data is missing, and the page says so."""
    threshold = report.model.operating_point.threshold
    drawn = {
        "roc": figures.roc_figure(report),
        "precision_recall": figures.precision_recall_figure(report),
        "calibration": figures.calibration_figure(report.test),
        "distribution": figures.distribution_figure(report.test, threshold=threshold),
        "flow": small_figures.flow_figure(report.test.dataset_version),
    }
    if report.test.decision_curve:
        drawn["decision"] = figures.decision_figure(report.test, threshold=threshold)
    if report.robustness:
        drawn["robustness"] = small_figures.robustness_figure(report.robustness)
    # Each figure escapes the words it is given.
    return {name: Markup(figure) for name, figure in drawn.items()}  # noqa: S704


@cache
def _environment() -> Environment:
    folder = files("evidence") / "templates"
    environment = Environment(
        loader=DictLoader({part.name: part.read_text(encoding="utf-8") for part in folder.iterdir()}),
        autoescape=select_autoescape(("html.j2",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    spoken = ("ages", "ends", "endpoint_name", "interval", "level", "metric_name", "moment", "named", "number",
              "p_value", "planned_bound", "planned_floor", "thousands", "verdict")  # fmt: skip
    told = ("NAMES", "IDEAL", "HEADLINE", "SECONDARY", "EXTERNAL_ROWS", "SPLITS", "UNCERTAINTY_ROWS")
    environment.filters.update({name: getattr(wording, name) for name in spoken})
    environment.globals.update(
        {name.lower(): getattr(wording, name) for name in told},
        bar=lambda value, reference=None: Markup(small_figures.interval_bar(value, reference=reference)),  # noqa: S704
        faithful=faithful,
        same_map=SAME_MAP,
    )
    return environment
