"""The curves of a report: ROC, precision–recall, calibration, decision curve, and how the probabilities lie."""

from collections.abc import Sequence

from domain.acceptance import MetricValue
from evidence.plot import BLUE, GREEN, INK, MUTED, SKY, VERMILLION, Legend, Plot, Point, clipped
from evidence.record import ReliabilityPoint, SetResults, ValidationReport

TICKS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
MODEL, BASELINE, CHAMPION, OUTSIDE = (BLUE, ""), (MUTED, "9 4"), (GREEN, "10 3 2 3"), VERMILLION
OUTSIDE_DASHES = ("5 3", "2 3", "8 3 2 3 2 3")
PRESENT, ABSENT = VERMILLION, SKY


def roc_figure(report: ValidationReport) -> str:
    """ROC of the test set with the operating point; external sets, baseline and champion beside it."""
    plot = Plot("ROC curve", "1 − specificity", "sensitivity")
    plot.line([(0, 0), (1, 1)], colour=MUTED, width=1, dash="1 4")
    legend = [("test set", *MODEL)]
    for outside, dash in _outside(report):
        plot.line(outside.roc, colour=OUTSIDE, width=1.8, dash=dash)
        legend.append((f"external: {outside.dataset_version.source}", OUTSIDE, dash))
    for name, rival, (colour, dash) in (
        ("baseline, test set", report.comparison, BASELINE),
        ("champion, test set", report.champion, CHAMPION),
    ):
        if rival is not None:
            plot.line(rival.baseline_roc, colour=colour, width=1.8, dash=dash)
            legend.append((name, colour, dash))
    plot.line(report.test.roc, colour=BLUE, width=2.5)
    found = {m.name: m for m in report.test.metrics}
    if "sensitivity" in found and "specificity" in found:
        _cross(plot, found["specificity"], found["sensitivity"])
        legend.append(("cross: operating point, 95 % intervals", INK, ""))
    legend.append(("chance", MUTED, "1 4"))
    return plot.svg(x_ticks=TICKS, y_ticks=TICKS, legend=legend)


def precision_recall_figure(report: ValidationReport) -> str:
    """Precision against recall on the test set and the external ones; chance is each set's prevalence."""
    plot = Plot("Precision–recall curve", "recall (sensitivity)", "precision (positive predictive value)")
    prevalence = report.test.positives / report.test.n
    plot.line([(0, prevalence), (1, prevalence)], colour=MUTED, width=1, dash="1 4")
    legend: list[tuple[str, str, str]] = [("test set", *MODEL)]
    for outside, dash in _outside(report):
        plot.line(outside.precision_recall, colour=OUTSIDE, width=1.8, dash=dash)
        legend.append((f"external: {outside.dataset_version.source}", OUTSIDE, dash))
    plot.line(report.test.precision_recall, colour=BLUE, width=2.5)
    found = {m.name: m for m in report.test.metrics}
    if "sensitivity" in found and "ppv" in found:
        plot.dot((found["sensitivity"].value, found["ppv"].value), colour=INK, radius=4.5)
        legend.append(("point: operating point", INK, ""))
    legend.append((f"chance: prevalence of the test set, {prevalence:.3f}", MUTED, "1 4"))
    return plot.svg(x_ticks=TICKS, y_ticks=TICKS, legend=legend)


def decision_figure(results: SetResults, *, threshold: float) -> str:
    """Net benefit of the model with its interval, beside treating all and treating none."""
    points = results.decision_curve
    best = max(results.positives / results.n, *(point.interval[1] for point in points))
    floor = -0.15 * best
    plot = Plot("Decision curve", "threshold probability", "net benefit per patient", y_range=(floor, 1.1 * best))
    band = [*((p.threshold, p.interval[1]) for p in points), *((p.threshold, p.interval[0]) for p in points[::-1])]
    plot.area([(x, max(y, floor)) for x, y in band], colour=BLUE, opacity=0.14)
    plot.line([(0, 0), (1, 0)], colour=INK, width=1.4, dash="2 3")
    plot.line(clipped([(p.threshold, p.treat_all) for p in points], floor=floor), colour=VERMILLION, dash="7 4")
    plot.line(clipped([(p.threshold, p.net_benefit) for p in points], floor=floor), colour=BLUE, width=2.5)
    plot.line([(threshold, floor), (threshold, 1.1 * best)], colour=INK, width=1, dash="6 3 1 3")
    legend: Legend = (
        ("calling by the model, 95 % band", *MODEL),
        ("calling all present", VERMILLION, "7 4"),
        ("calling none present", INK, "2 3"),
        (f"operating threshold {threshold:.3f}", INK, "6 3 1 3"),
    )
    step = next(s for s in (0.02, 0.05, 0.1, 0.2, 0.5) if 1.1 * best / s <= 6)
    ticks = [round(step * k, 2) for k in range(int(1.1 * best / step) + 1)]
    return plot.svg(x_ticks=TICKS, y_ticks=ticks, legend=legend)


def calibration_figure(results: SetResults) -> str:
    """Share with the finding against mean probability, with Wilson intervals; the diagonal is perfect."""
    plot = Plot("Calibration curve", "mean predicted probability", "share with the finding", top=22, height=400)
    plot.line([(0, 0), (1, 1)], colour=MUTED, width=1, dash="1 4")
    plot.line([(p.mean_probability, p.observed) for p in results.reliability], colour=BLUE, width=1.5)
    for point in results.reliability:
        _interval(plot, point)
        plot.dot((point.mean_probability, point.observed), colour=BLUE)
    for point in results.reliability:
        above = max(plot.y(point.interval[1]) - 6, plot.top - 2)
        plot.text((plot.x(point.mean_probability), above), f"{point.n}", anchor="middle")
    legend: Legend = (("test set, 95 % intervals; films above each", *MODEL), ("perfect", MUTED, "1 4"))
    return plot.svg(x_ticks=TICKS, y_ticks=TICKS, legend=legend)


def distribution_figure(results: SetResults, *, threshold: float) -> str:
    """How the probabilities of films with and without the finding lie around the threshold, as class shares.

    Films with the finding are filled, those without are a rim around a light wash: told apart in grey as well.
    """
    plot = Plot("Distribution of probabilities", "predicted probability", "share of the class", width=860, height=250)
    shares = [_shares(results.histogram_present), _shares(results.histogram_absent)]
    peak = max((s for column in shares for s in column), default=0.0) or 1.0
    plot.y_range = (0.0, peak * 1.12)
    bins = len(results.histogram_present)
    for column, colour, side in ((shares[1], ABSENT, 0.0), (shares[0], PRESENT, 0.46)):
        for k, share in enumerate(column):
            left = (k + 0.04 + side) / bins
            plot.box((left, 0.0), (left + 0.44 / bins, share), colour=colour, filled=colour == PRESENT)
    plot.line([(threshold, 0.0), (threshold, plot.y_range[1])], colour=INK, width=1.5, dash="4 3")
    right = threshold < 0.8
    plot.text(
        (plot.x(threshold) + (6 if right else -6), plot.top + 12), f"threshold {threshold:.3f}",
        colour=INK, anchor="start" if right else "end",
    )  # fmt: skip
    step = 0.1 if peak < 0.5 else 0.25
    ticks = [step * k for k in range(int(plot.y_range[1] / step) + 1)]
    return plot.svg(x_ticks=TICKS, y_ticks=[round(t, 2) for t in ticks])


def _outside(report: ValidationReport) -> list[tuple[SetResults, str]]:
    """External sets that have curves, each with its dashes."""
    drawn = [results for results in report.external if results.roc]
    return [(results, OUTSIDE_DASHES[place % len(OUTSIDE_DASHES)]) for place, results in enumerate(drawn)]


def _cross(plot: Plot, specificity: MetricValue, sensitivity: MetricValue) -> None:
    x, y = 1 - specificity.value, sensitivity.value
    plot.line([(1 - specificity.interval[0], y), (1 - specificity.interval[1], y)], colour=INK, width=1.5)
    plot.line([(x, sensitivity.interval[0]), (x, sensitivity.interval[1])], colour=INK, width=1.5)
    plot.dot((x, y), colour=INK, radius=4.5)


def _interval(plot: Plot, point: ReliabilityPoint) -> None:
    x = point.mean_probability
    ends: list[list[Point]] = [[(x - 0.008, end), (x + 0.008, end)] for end in point.interval]
    for line in ([(x, point.interval[0]), (x, point.interval[1])], *ends):
        plot.line(line, colour=BLUE, width=1.5)


def _shares(counts: Sequence[int]) -> list[float]:
    total = sum(counts)
    return [count / total for count in counts] if total else [0.0 for _ in counts]
