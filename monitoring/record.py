"""What a comparison of windows found, as it is kept: ``finding.json``, and in words above Evidently's report."""

import json
from html import escape
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

from domain.drift import DriftedFeature, DriftFinding
from evidence.statistics.estimate import Estimate
from monitoring import evidently_report

FILE = "finding.json"


class DriftRecord(BaseModel):
    """One comparison of windows for one model version, with all that is needed to judge it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    recorded_at: AwareDatetime
    model_version: str
    dataset_version: str  # its test set is the reference window
    sites: tuple[str, ...]  # of the current window; empty: all
    data: DriftFinding
    predictions: DriftFinding
    false_alarms: Estimate  # on windows of the same size from the reference itself

    def canonical(self) -> str:
        """The record as JSON, the same bytes for the same record."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, indent=1, ensure_ascii=False) + "\n"


def write(record: DriftRecord, *, out: Path) -> None:
    """Write ``finding.json`` beside Evidently's report in ``out``, and say on its page what was found."""
    (out / FILE).write_text(record.canonical(), encoding="utf-8")
    evidently_report.introduce(out / evidently_report.PAGE, _section(record))


def _section(record: DriftRecord) -> str:
    data, alarms = record.data, record.false_alarms
    where = ", ".join(record.sites) or "all sites"  # a site's name comes with an upload: escaped below
    rows = "".join(map(_row, (*data.features, *record.predictions.features)))
    drifted = sum(feature.drifted for feature in data.features)
    facts = (
        f"Data drift {_outcome(data)}: {drifted} of {len(data.features)} features. "
        f"Prediction drift {_outcome(record.predictions)}.",
        f"{data.n_current} films now against {data.n_reference} of the test set of {record.dataset_version}, "
        f"{record.model_version}; {data.test}, α = {data.alpha:g} over all features together.",
        f"Such a comparison calls {alarms.value:.1%} of windows of one distribution drifted "
        f"({alarms.level:.0%} CI {alarms.low:.1%}–{alarms.high:.1%}, {alarms.n} resamples).",
        f"Recorded {record.recorded_at:%Y-%m-%d %H:%M:%S %Z}.",
    )
    said = "".join(f"<p>{escape(fact)}</p>" for fact in facts)
    return (
        f'<section id="finding" style="{_STYLE}"><h1>{escape(where)}: data drift {_outcome(data)}</h1>{said}'
        f'<p>All of it as data: <a href="{FILE}">{FILE}</a>. Evidently’s charts of the same windows follow.</p>'
        '<table style="text-align:left"><tr><th>feature</th><th>D</th><th>p</th><th>adjusted p</th><th></th></tr>'
        f"{rows}</table></section>"
    )


_STYLE = (
    "background:#fff;color:#1a1a1a;font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:0 auto;padding:1.5rem 2rem"
)


def _outcome(finding: DriftFinding) -> str:
    return "found" if finding.drifted else "not found"


def _row(feature: DriftedFeature) -> str:
    numbers = (f"{feature.statistic:.3f}", f"{feature.p_value:.2g}", f"{feature.adjusted_p_value:.2g}")
    cells = (feature.feature, *numbers, "drifted" if feature.drifted else "")
    return "<tr>" + "".join(f'<td style="padding-right:2rem">{escape(cell)}</td>' for cell in cells) + "</tr>"
