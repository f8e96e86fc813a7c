"""The figures of a report as inline SVG: no script, no font file, no address, sharp in print."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

from domain.acceptance import MetricValue
from evidence.record import Comparison, ReliabilityPoint, SetResults, ValidationReport

INK, MUTED, GRID = "#1b2733", "#667788", "#e3e8ee"
MODEL, OTHER, OUTSIDE, PRESENT, ABSENT = "#0b6aa8", "#8a97a5", "#b4561a", "#b4561a", "#3f7cac"
OUTSIDE_DASHES = ("6 3", "2 3", "8 3 2 3")


@dataclass
class Plot:
    """A square or wide plot whose data run from 0 to 1 on both axes, unless limits say otherwise."""

    title: str
    x_label: str
    y_label: str
    width: int = 420
    height: int = 390
    x_range: tuple[float, float] = (0.0, 1.0)
    y_range: tuple[float, float] = (0.0, 1.0)
    parts: list[str] = field(default_factory=list)
    left: int = 52
    top: int = 12
    bottom: int = 46
    right: int = 14

    def x(self, value: float) -> float:
        """Data to pixels."""
        low, high = self.x_range
        return self.left + (value - low) / (high - low) * (self.width - self.left - self.right)

    def y(self, value: float) -> float:
        """Data to pixels; up is up."""
        low, high = self.y_range
        return self.height - self.bottom - (value - low) / (high - low) * (self.height - self.top - self.bottom)

    def line(self, points: Sequence[tuple[float, float]], *, colour: str, width: float = 2, dash: str = "") -> None:
        """A polyline through data points."""
        path = " ".join(f"{self.x(a):.1f},{self.y(b):.1f}" for a, b in points)
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        self.parts.append(
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width}" '
            f'stroke-linejoin="round"{dashed}/>'
        )

    def dot(self, at: tuple[float, float], *, colour: str, radius: float = 4) -> None:
        """A filled point with a white rim."""
        self.parts.append(
            f'<circle cx="{self.x(at[0]):.1f}" cy="{self.y(at[1]):.1f}" r="{radius}" fill="{colour}" '
            'stroke="#fff" stroke-width="1.5"/>'
        )

    def box(self, low: tuple[float, float], high: tuple[float, float], *, colour: str, opacity: float) -> None:
        """A filled rectangle between two data points."""
        width, height = self.x(high[0]) - self.x(low[0]), self.y(low[1]) - self.y(high[1])
        self.parts.append(
            f'<rect x="{self.x(low[0]):.1f}" y="{self.y(high[1]):.1f}" width="{width:.1f}" height="{height:.1f}" '
            f'fill="{colour}" fill-opacity="{opacity}"/>'
        )

    def text(self, at: tuple[float, float], words: str, *, colour: str = MUTED, anchor: str = "start") -> None:
        """Words at a pixel position."""
        self.parts.append(
            f'<text x="{at[0]:.1f}" y="{at[1]:.1f}" fill="{colour}" text-anchor="{anchor}">{escape(words)}</text>'
        )

    def svg(
        self, *, x_ticks: Sequence[float], y_ticks: Sequence[float], legend: Sequence[tuple[str, str, str]] = ()
    ) -> str:
        """The finished figure; legend entries are (words, colour, dash)."""
        frame: list[str] = []
        marks, self.parts = self.parts, frame
        for tick in x_ticks:
            self.line([(tick, self.y_range[0]), (tick, self.y_range[1])], colour=GRID, width=1)
            self.text((self.x(tick), self.height - self.bottom + 17), f"{tick:g}", anchor="middle")
        for tick in y_ticks:
            self.line([(self.x_range[0], tick), (self.x_range[1], tick)], colour=GRID, width=1)
            self.text((self.left - 8, self.y(tick) + 4), f"{tick:g}", anchor="end")
        middle_x, middle_y = (self.x(sum(self.x_range) / 2), self.y(sum(self.y_range) / 2))
        self.text((middle_x, self.height - 8), self.x_label, colour=INK, anchor="middle")
        frame.append(
            f'<text transform="translate(13 {middle_y:.0f}) rotate(-90)" fill="{INK}" '
            f'text-anchor="middle">{escape(self.y_label)}</text>'
        )
        self.parts = [*frame, *marks]
        self._legend(legend)
        return (
            f'<svg viewBox="0 0 {self.width} {self.height}" role="img" aria-label="{escape(self.title)}" '
            f'xmlns="http://www.w3.org/2000/svg">{"".join(self.parts)}</svg>'
        )

    def _legend(self, entries: Sequence[tuple[str, str, str]]) -> None:
        right, bottom = self.width - self.right - 10, self.height - self.bottom - 12
        for place, (words, colour, dash) in enumerate(reversed(entries)):
            y = bottom - 19 * place
            self.text((right - 30, y), words, colour=INK, anchor="end")
            dashed = f' stroke-dasharray="{dash}"' if dash else ""
            self.parts.append(
                f'<line x1="{right - 22}" x2="{right}" y1="{y - 4}" y2="{y - 4}" stroke="{colour}" '
                f'stroke-width="2.5"{dashed}/>'
            )


TICKS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


def roc_figure(report: ValidationReport) -> str:
    """ROC of the test set with the operating point; baseline and external sets beside it."""
    plot = Plot("ROC curve", "1 − specificity", "sensitivity")
    plot.line([(0, 0), (1, 1)], colour=OTHER, width=1, dash="3 4")
    legend = [("test set", MODEL, "")]
    for place, outside in enumerate(r for r in report.external if r.roc):
        dash = OUTSIDE_DASHES[place % len(OUTSIDE_DASHES)]
        plot.line(outside.roc, colour=OUTSIDE, width=1.8, dash=dash)
        legend.append((f"external: {outside.dataset_version.source}", OUTSIDE, dash))
    if report.comparison:
        _baseline(plot, report.comparison)
        legend.append(("baseline, test set", OTHER, ""))
    plot.line(report.test.roc, colour=MODEL, width=2.5)
    found = {m.name: m for m in report.test.metrics}
    if "sensitivity" in found and "specificity" in found:
        _cross(plot, found["specificity"], found["sensitivity"])
        legend.append(("operating point, 95 % CI", INK, ""))
    return plot.svg(x_ticks=TICKS, y_ticks=TICKS, legend=legend)


def calibration_figure(results: SetResults) -> str:
    """Share with the finding against mean probability, with Wilson intervals; the diagonal is perfect."""
    plot = Plot("Calibration curve", "mean predicted probability", "share with the finding", top=22, height=400)
    plot.line([(0, 0), (1, 1)], colour=OTHER, width=1, dash="3 4")
    plot.line([(p.mean_probability, p.observed) for p in results.reliability], colour=MODEL, width=1.5)
    for point in results.reliability:
        _interval(plot, point)
        plot.dot((point.mean_probability, point.observed), colour=MODEL)
    for point in results.reliability:
        above = max(plot.y(point.interval[1]) - 6, plot.top - 2)
        plot.text((plot.x(point.mean_probability), above), f"{point.n}", anchor="middle")
    return plot.svg(x_ticks=TICKS, y_ticks=TICKS)


def distribution_figure(results: SetResults, *, threshold: float) -> str:
    """How the probabilities of films with and without the finding lie around the threshold, as class shares."""
    plot = Plot("Distribution of probabilities", "predicted probability", "share of the class", width=860, height=250)
    shares = [_shares(results.histogram_present), _shares(results.histogram_absent)]
    peak = max((s for column in shares for s in column), default=0.0) or 1.0
    plot.y_range = (0.0, peak * 1.12)
    bins = len(results.histogram_present)
    for column, colour, side in ((shares[1], ABSENT, 0.0), (shares[0], PRESENT, 0.46)):
        for k, share in enumerate(column):
            left = (k + 0.04 + side) / bins
            plot.box((left, 0.0), (left + 0.44 / bins, share), colour=colour, opacity=0.85)
    plot.line([(threshold, 0.0), (threshold, plot.y_range[1])], colour=INK, width=1.5, dash="4 3")
    right = threshold < 0.8
    plot.text(
        (plot.x(threshold) + (6 if right else -6), plot.top + 12), f"threshold {threshold:.3f}",
        colour=INK, anchor="start" if right else "end",
    )  # fmt: skip
    step = 0.1 if peak < 0.5 else 0.25
    ticks = [step * k for k in range(int(plot.y_range[1] / step) + 1)]
    return plot.svg(x_ticks=TICKS, y_ticks=[round(t, 2) for t in ticks])


def interval_bar(value: MetricValue, *, reference: float | None = None) -> str:
    """One estimate on a 0–1 line as a small figure for a table cell; the thin mark is the whole set's value."""
    low, high = (min(max(end, 0.0), 1.0) for end in value.interval)
    at = min(max(value.value, 0.0), 1.0)
    mark = (
        f'<line x1="{4 + 112 * reference:.1f}" x2="{4 + 112 * reference:.1f}" y1="1" y2="15" stroke="{OTHER}" '
        'stroke-dasharray="2 2"/>'
        if reference is not None
        else ""
    )
    return (
        '<svg class="bar" viewBox="0 0 120 16" aria-hidden="true">'
        f'<line x1="4" x2="116" y1="8" y2="8" stroke="{GRID}"/>{mark}'
        f'<line x1="{4 + 112 * low:.1f}" x2="{4 + 112 * high:.1f}" y1="8" y2="8" stroke="{MODEL}" stroke-width="4.5" '
        f'stroke-opacity=".35"/><circle cx="{4 + 112 * at:.1f}" cy="8" r="2.8" fill="{MODEL}"/></svg>'
    )


def _baseline(plot: Plot, comparison: Comparison) -> None:
    plot.line(comparison.baseline_roc, colour=OTHER, width=1.6)


def _cross(plot: Plot, specificity: MetricValue, sensitivity: MetricValue) -> None:
    x, y = 1 - specificity.value, sensitivity.value
    plot.line([(1 - specificity.interval[0], y), (1 - specificity.interval[1], y)], colour=INK, width=1.5)
    plot.line([(x, sensitivity.interval[0]), (x, sensitivity.interval[1])], colour=INK, width=1.5)
    plot.dot((x, y), colour=INK, radius=4.5)


def _interval(plot: Plot, point: ReliabilityPoint) -> None:
    x = point.mean_probability
    plot.line([(x, point.interval[0]), (x, point.interval[1])], colour=MODEL, width=1.5)
    for end in point.interval:
        plot.line([(x - 0.008, end), (x + 0.008, end)], colour=MODEL, width=1.5)


def _shares(counts: Sequence[int]) -> list[float]:
    total = sum(counts)
    return [count / total for count in counts] if total else [0.0 for _ in counts]
