"""Opacities of known place and size, and the harmless shadows that look like them."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from data.phantoms.draw import Draw
from data.phantoms.shapes import bump, ellipse, enlarged, ramp
from data.source import Opacity

KINDS = ("lobar", "round", "patchy")
KIND_WEIGHTS = (0.40, 0.25, 0.35)
RADII_PX = {"lobar": (0.115, 0.25), "round": (0.06, 0.115), "patchy": (0.06, 0.125)}  # parts of the film's width

Image = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Finding:
    """What is drawn: places in pixels, and the strength of each."""

    kind: str
    places: tuple[Opacity, ...]
    strengths: tuple[float, ...]


def draw_finding(draw: Draw, *, lungs: Image, contrast: tuple[float, float]) -> Finding:
    """One finding inside the lungs: a lobar or round opacity, or two to four patches."""
    kind = KINDS[draw.weighted(KIND_WEIGHTS)]
    count = 2 + draw.index(3) if kind == "patchy" else 1
    low, high = RADII_PX[kind]
    places = tuple(_place(draw, lungs=lungs, low=low, high=high) for _ in range(count))
    base = draw.between(*contrast)
    strengths = tuple(base * draw.between(0.8, 1.2) * (0.8 if kind == "patchy" else 1.0) for _ in places)
    return Finding(kind=kind, places=places, strengths=strengths)


def _place(draw: Draw, *, lungs: Image, low: float, high: float) -> Opacity:
    size = lungs.shape[0]
    rows, columns = np.nonzero(lungs > np.float32(0.55))
    at = draw.index(len(rows))
    radius = draw.between(low, high) * size
    stretch = draw.between(0.75, 1.3)
    return Opacity(
        x_px=round(float(columns[at]), 1), y_px=round(float(rows[at]), 1),
        radius_x_px=round(radius * stretch, 1), radius_y_px=round(radius / stretch, 1),
    )  # fmt: skip


def add_finding(film: Image, finding: Finding, *, lungs: Image, draw: Draw) -> None:
    """Draw the finding into the film's attenuation, in place. It fills air, so it shows only where lung lies."""
    for place, strength in zip(finding.places, finding.strengths, strict=True):
        _add_blob(film, place, strength=strength, mask=lungs, lattice=draw.octets(1, 7, 7))


def _add_blob(
    film: Image, place: Opacity, *, strength: float, mask: Image, lattice: npt.NDArray[np.uint8], core: float = 1.0
) -> None:
    rows, columns, r2 = _window(film.shape[0], place)
    if r2.size == 0:
        return
    side = max(r2.shape)
    cloud = enlarged(lattice.astype(np.float32) * np.float32(1 / 255), side)[0, : r2.shape[0], : r2.shape[1]]
    ragged = r2 * (np.float32(0.6) + np.float32(0.9) * cloud)
    shape = ramp(1 - ragged, 0.0, core) * (np.float32(0.65) + np.float32(0.7) * cloud)
    film[rows, columns] += np.float32(strength) * shape * mask[rows, columns]


def _window(size: int, place: Opacity) -> tuple[slice, slice, Image]:
    reach = 1.35
    top, bottom = (max(0, min(size, round(place.y_px + k * reach * place.radius_y_px))) for k in (-1, 1))
    left, right = (max(0, min(size, round(place.x_px + k * reach * place.radius_x_px))) for k in (-1, 1))
    y = (np.arange(top, bottom, dtype=np.float32) - np.float32(place.y_px)) * np.float32(1 / place.radius_y_px)
    x = (np.arange(left, right, dtype=np.float32) - np.float32(place.x_px)) * np.float32(1 / place.radius_x_px)
    return slice(top, bottom), slice(left, right), ellipse(x[None, :], y[:, None])


def add_look_alikes(film: Image, *, lungs: Image, draw: Draw) -> None:
    """Shadows without a finding, in films of both labels: skin folds, nipples, scars, granulomas, electrodes."""
    size = film.shape[0]
    everywhere = np.ones_like(film)
    calm = np.full((1, 7, 7), 128, dtype=np.uint8)
    if draw.happens(0.4):
        strength = draw.between(0.02, 0.09)
        for side in (-1, 1):
            fold = Opacity(
                x_px=size * (0.5 + side * draw.between(0.19, 0.23)), y_px=size * draw.between(0.62, 0.70),
                radius_x_px=size * draw.between(0.15, 0.19), radius_y_px=size * draw.between(0.12, 0.16),
            )  # fmt: skip
            _add_blob(film, fold, strength=strength, mask=everywhere, lattice=calm, core=0.8)
    if draw.happens(0.25):
        strength = draw.between(0.04, 0.10)
        for side in (-1, 1):
            x = size * (0.5 + side * draw.between(0.20, 0.26))
            nipple = Opacity(x_px=x, y_px=size * draw.between(0.60, 0.68), radius_x_px=3.0, radius_y_px=3.0)
            _add_blob(film, nipple, strength=strength, mask=everywhere, lattice=calm, core=0.5)
    for _ in range(draw.index(3)):
        _add_scar(film, lungs=lungs, draw=draw)
    if draw.happens(0.2):
        spot = _place(draw, lungs=lungs, low=0.008, high=0.014)
        _add_blob(film, spot, strength=0.25, mask=lungs, lattice=calm, core=0.5)
    if draw.happens(0.12):
        _add_electrodes(film, draw=draw)


def _add_scar(film: Image, *, lungs: Image, draw: Draw) -> None:
    # A thin oblique band (plate atelectasis, fissure): long in one direction, one or two pixels in the other.
    middle = _place(draw, lungs=lungs, low=0.06, high=0.14)
    rows, columns, _ = _window(film.shape[0], middle.model_copy(update={"radius_y_px": middle.radius_x_px}))
    y = (np.arange(rows.start, rows.stop, dtype=np.float32) - np.float32(middle.y_px))[:, None]
    x = (np.arange(columns.start, columns.stop, dtype=np.float32) - np.float32(middle.x_px))[None, :]
    slope, width = draw.between(-0.7, 0.7), draw.between(0.7, 1.5)
    along = x * np.float32(1 / middle.radius_x_px)
    across = (y - np.float32(slope) * x) * np.float32(1 / width)
    line = bump(along * along) * bump(across * across * np.float32(0.4))
    film[rows, columns] += np.float32(draw.between(0.04, 0.12)) * line * lungs[rows, columns]


def _add_electrodes(film: Image, *, draw: Draw) -> None:
    size = film.shape[0]
    axis = np.arange(size, dtype=np.float32)
    for _ in range(1 + draw.index(3)):
        x0, y0 = size * draw.between(0.2, 0.8), size * draw.between(0.2, 0.7)
        bend, slope = draw.between(-0.004, 0.004), draw.between(-0.8, 0.8)
        path = (
            np.float32(x0)
            + np.float32(slope) * (axis - np.float32(y0))
            + np.float32(bend) * (axis - np.float32(y0)) * (axis - np.float32(y0))
        )
        distance = axis[None, :] - path[:, None]
        wire = bump(distance * distance * np.float32(0.8)) * ramp(axis, y0, y0 + 1)[:, None]
        disc = bump(ellipse((axis - np.float32(x0))[None, :], (axis - np.float32(y0))[:, None]) * np.float32(1 / 14))
        film += np.float32(0.13) * wire + np.float32(0.25) * disc
