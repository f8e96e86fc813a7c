"""The drawings of a report that are not curves: flow of inclusion, bars in table cells, rows of differences."""

from collections.abc import Sequence
from html import escape
from textwrap import wrap

from domain.acceptance import MetricValue
from domain.dataset import DatasetVersion
from evidence.plot import BLUE, GRID, INK, MUTED, PAPER, VERMILLION, Plot, drawing, short
from evidence.record import RobustnessResult
from evidence.wording import thousands

SPLITS = {"train": "Training", "tune": "Tuning", "test": "Test"}
WIDTH, BOX_WIDTH, LINE = 720, 212, 16
MIDDLE = WIDTH / 2


def flow_figure(version: DatasetVersion) -> str:
    """Inclusion from the source to the splits (as STARD 2015 asks): what was left out, why, and what stayed."""
    left_out = sum(version.excluded.values())
    kept = sum(counts.get("samples", 0) for counts in version.counts.values())
    first, parts = _box(_count(kept + left_out, "film", "of the source"), at=(MIDDLE, 8)), []
    parts.append(first[0])
    y = first[1]
    for reason, count in version.excluded.items():
        side, below = _box(
            [f"left out: {thousands(count)}", reason.replace("_", " ")], at=(WIDTH - BOX_WIDTH / 2 - 6, y + 12)
        )
        middle = (y + 12 + below) / 2
        parts += [side, _arrow([(MIDDLE, middle), (WIDTH - BOX_WIDTH - 6, middle)])]
        y = below
    included, bottom = _box(_count(kept, "film", "included"), at=(MIDDLE, y + 30))
    parts += [_arrow([(MIDDLE, first[1]), (MIDDLE, y + 30)]), included]
    columns = {name: version.counts[name] for name in (*SPLITS, *sorted(version.counts.keys() - SPLITS.keys()))
               if name in version.counts}  # fmt: skip
    floor = bottom
    for place, (name, counts) in enumerate(columns.items()):
        x = MIDDLE + (place - (len(columns) - 1) / 2) * (BOX_WIDTH + 22)
        drawn, floor = _box(_split_lines(name, counts), at=(x, bottom + 44))
        parts += [drawn, _arrow([(MIDDLE, bottom), (MIDDLE, bottom + 20), (x, bottom + 20), (x, bottom + 44)])]
    return drawing("".join(parts), title=f"Flow of inclusion, {version.source}", size=(WIDTH, floor + 8))


def robustness_figure(results: Sequence[RobustnessResult]) -> str:
    """The change of AUROC under each disturbance with its interval; the line at 0 is the undisturbed film."""
    ends = [end for result in results for end in result.auroc_difference.interval]
    low, high = min(*ends, 0.0), max(*ends, 0.0)
    room = 0.08 * (high - low or 1.0)
    step = next(s for s in (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5) if (high - low + 2 * room) / s <= 9)
    plot = Plot(
        "Change of AUROC under disturbance", "AUROC disturbed minus undisturbed", "", width=860,
        height=58 + 24 * len(results), left=260, x_range=(low - room, high + room), y_range=(len(results), 0.0),
    )  # fmt: skip
    plot.line([(0, 0), (0, len(results))], colour=INK, width=1.2, dash="4 3")
    for row, result in enumerate(results):
        value, y = result.auroc_difference, row + 0.5
        plot.line([(value.interval[0], y), (value.interval[1], y)], colour=BLUE, width=2)
        for end in value.interval:
            plot.line([(end, y - 0.16), (end, y + 0.16)], colour=BLUE, width=2)
        plot.dot((value.value, y), colour=BLUE if value.interval[1] >= 0 else VERMILLION, radius=4.5)
        plot.text((plot.left - 10, plot.y(y) + 4), short(f"{result.disturbance}, {result.strength}", at_most=38),
                  colour=INK, anchor="end")  # fmt: skip
    first, last = int((low - room) / step), int((high + room) / step)
    return plot.svg(x_ticks=[round(step * k, 3) for k in range(first, last + 1)], y_ticks=())


def interval_bar(value: MetricValue, *, reference: float | None = None) -> str:
    """One estimate on a 0–1 line as a small figure for a table cell; the thin mark is the whole set's value."""
    low, high = (min(max(end, 0.0), 1.0) for end in value.interval)
    at = min(max(value.value, 0.0), 1.0)
    mark = (
        f'<line x1="{4 + 112 * reference:.1f}" x2="{4 + 112 * reference:.1f}" y1="1" y2="15" stroke="{MUTED}" '
        'stroke-dasharray="2 2"/>'
        if reference is not None
        else ""
    )
    return (
        '<svg class="bar" viewBox="0 0 120 16" width="120" height="16" aria-hidden="true">'
        f'<line x1="4" x2="116" y1="8" y2="8" stroke="{GRID}"/>{mark}'
        f'<line x1="{4 + 112 * low:.1f}" x2="{4 + 112 * high:.1f}" y1="8" y2="8" stroke="{BLUE}" stroke-width="4.5" '
        f'stroke-opacity=".35"/><circle cx="{4 + 112 * at:.1f}" cy="8" r="2.8" fill="{BLUE}"/></svg>'
    )


def _count(count: int, noun: str, words: str) -> list[str]:
    return [f"{thousands(count)} {noun}{'' if count == 1 else 's'} {words}"]


def _split_lines(name: str, counts: dict[str, int]) -> list[str]:
    lines = [f"{SPLITS.get(name, name.capitalize())}: {thousands(counts.get('samples', 0))} films"]
    if "patients" in counts:
        lines.append(f"of {thousands(counts['patients'])} patients")
    return [*lines, f"{thousands(counts['positives'])} with the finding"] if "positives" in counts else lines


def _box(lines: Sequence[str], *, at: tuple[float, float]) -> tuple[str, float]:
    """A box whose top edge is centred at a pixel position, and where it ends; the first line is bold."""
    wrapped = [(piece, place == 0) for place, line in enumerate(lines) for piece in wrap(line, 30)]
    x, top = at
    height = LINE * len(wrapped) + 14
    words = "".join(
        f'<text x="{x:.1f}" y="{top + 19 + LINE * row:.1f}" text-anchor="middle" fill="{INK if bold else MUTED}"'
        f"{' font-weight=' + chr(34) + '600' + chr(34) if bold else ''}>{escape(piece)}</text>"
        for row, (piece, bold) in enumerate(wrapped)
    )
    frame = (
        f'<rect x="{x - BOX_WIDTH / 2:.1f}" y="{top:.1f}" width="{BOX_WIDTH}" height="{height}" rx="5" fill="{PAPER}" '
        f'stroke="{MUTED}"/>'
    )
    return frame + words, top + height


def _arrow(points: Sequence[tuple[float, float]]) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    (x0, y0), (x, y) = points[-2], points[-1]
    head = f"{x - 4},{y - 7} {x + 4},{y - 7}" if x0 == x and y0 != y else f"{x - 7},{y - 4} {x - 7},{y + 4}"
    return (
        f'<polyline points="{path}" fill="none" stroke="{MUTED}" stroke-width="1.3"/>'
        f'<polygon points="{x},{y} {head}" fill="{MUTED}"/>'
    )
