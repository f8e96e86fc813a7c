"""A plot as inline SVG: no script, no font file, no address, sharp in print.

Colours are Okabe and Ito's (2008, jfly.uni-koeln.de/color), told apart by colour-blind readers; no line is told from
another by colour alone: each has its own dashes, and points their own marks.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

INK, MUTED, GRID, PAPER = "#1b2733", "#5a6b7b", "#e3e8ee", "#ffffff"
BLUE, VERMILLION, GREEN, PURPLE, SKY, ORANGE = "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00"
# Written into the SVG itself: a PDF renderer does not apply the page's style to it.
FONT = 'font-family="system-ui, Segoe UI, Noto Sans, DejaVu Sans, sans-serif" font-size="12"'
LONGEST_LEGEND = 44  # characters; longer names are cut, the text beside the figure has them whole
Point = tuple[float, float]
Legend = Sequence[tuple[str, str, str]]


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

    def line(self, points: Sequence[Point], *, colour: str, width: float = 2, dash: str = "") -> None:
        """A polyline through data points."""
        path = " ".join(f"{self.x(a):.1f},{self.y(b):.1f}" for a, b in points)
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        self.parts.append(
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width}" '
            f'stroke-linejoin="round"{dashed}/>'
        )

    def dot(self, at: Point, *, colour: str, radius: float = 4) -> None:
        """A filled point with a white rim."""
        self.parts.append(
            f'<circle cx="{self.x(at[0]):.1f}" cy="{self.y(at[1]):.1f}" r="{radius}" fill="{colour}" '
            f'stroke="{PAPER}" stroke-width="1.5"/>'
        )

    def area(self, corners: Sequence[Point], *, colour: str, opacity: float) -> None:
        """A filled shape without a rim."""
        path = " ".join(f"{self.x(a):.1f},{self.y(b):.1f}" for a, b in corners)
        self.parts.append(f'<polygon points="{path}" fill="{colour}" fill-opacity="{opacity}"/>')

    def box(self, low: Point, high: Point, *, colour: str, filled: bool = True) -> None:
        """A rectangle between two data points, filled, or a rim around a light wash."""
        width, height = self.x(high[0]) - self.x(low[0]), self.y(low[1]) - self.y(high[1])
        rim = "" if filled else f' fill-opacity="0.35" stroke="{BLUE}" stroke-width="1"'
        self.parts.append(
            f'<rect x="{self.x(low[0]):.1f}" y="{self.y(high[1]):.1f}" width="{width:.1f}" height="{height:.1f}" '
            f'fill="{colour}"{rim}/>'
        )

    def text(self, at: Point, words: str, *, colour: str = MUTED, anchor: str = "start") -> None:
        """Words at a pixel position."""
        self.parts.append(
            f'<text x="{at[0]:.1f}" y="{at[1]:.1f}" fill="{colour}" text-anchor="{anchor}">{escape(words)}</text>'
        )

    def svg(self, *, x_ticks: Sequence[float], y_ticks: Sequence[float], legend: Legend = ()) -> str:
        """The finished figure; legend entries are (words, colour, dash), one to a line below the axes."""
        marks, self.parts = self.parts, []
        for tick in x_ticks:
            self.line([(tick, self.y_range[0]), (tick, self.y_range[1])], colour=GRID, width=1)
            self.text((self.x(tick), self.height - self.bottom + 17), minus(f"{tick:g}"), anchor="middle")
        for tick in y_ticks:
            self.line([(self.x_range[0], tick), (self.x_range[1], tick)], colour=GRID, width=1)
            self.text((self.left - 8, self.y(tick) + 4), minus(f"{tick:g}"), anchor="end")
        middle_x, middle_y = (self.x(sum(self.x_range) / 2), self.y(sum(self.y_range) / 2))
        self.text((middle_x, self.height - 8), self.x_label, colour=INK, anchor="middle")
        self.parts.append(
            f'<text transform="translate(13 {middle_y:.0f}) rotate(-90)" fill="{INK}" '
            f'text-anchor="middle">{escape(self.y_label)}</text>'
        )
        self.parts += marks
        for place, entry in enumerate(legend):
            self._legend_line(*entry, y=self.height + 14 + 19 * place)
        return drawing("".join(self.parts), title=self.title, size=(self.width, self.height + 19 * len(legend)))

    def _legend_line(self, words: str, colour: str, dash: str, *, y: float) -> None:
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        self.parts.append(
            f'<line x1="{self.left}" x2="{self.left + 34}" y1="{y - 4}" y2="{y - 4}" stroke="{colour}" '
            f'stroke-width="2.5"{dashed}/>'
        )
        self.text((self.left + 44, y), short(words), colour=INK)


def drawing(inside: str, *, title: str, size: tuple[float, float]) -> str:
    """An SVG element of that size in pixels around its parts."""
    return (
        f'<svg viewBox="0 0 {size[0]:g} {size[1]:g}" role="img" aria-label="{escape(title)}" {FONT} '
        f'xmlns="http://www.w3.org/2000/svg">{inside}</svg>'
    )


def clipped(points: Sequence[Point], *, floor: float) -> list[Point]:
    """The part of a line at or above ``floor``, cut where it crosses."""
    kept: list[Point] = []
    for before, point in zip([None, *points[:-1]], points, strict=True):
        if before is not None and (before[1] < floor) != (point[1] < floor):
            share = (floor - before[1]) / (point[1] - before[1])
            kept.append((before[0] + share * (point[0] - before[0]), floor))
        if point[1] >= floor:
            kept.append(point)
    return kept


def short(words: str, *, at_most: int = LONGEST_LEGEND) -> str:
    """Words that fit beside a line."""
    return words if len(words) <= at_most else f"{words[: at_most - 1]}…"


def minus(number: str) -> str:
    """A number with a true minus sign."""
    return number.replace("-", "−")
