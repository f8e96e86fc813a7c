"""Does the activation map point at the finding? The pointing game (Zhang et al., IJCV 2018), with an interval."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import ArrayLike
from PIL import Image

from domain.errors import DataProblem
from evidence.statistics.estimate import Estimate
from evidence.statistics.operating_point import wilson


@dataclass(frozen=True)
class Opacity:
    """An ellipse in pixels of the original film in which the finding is known to lie."""

    x_px: float
    y_px: float
    radius_x_px: float
    radius_y_px: float

    def holds(self, point: tuple[float, float]) -> bool:
        """True when the point (x, y) lies inside."""
        x, y = point
        return ((x - self.x_px) / self.radius_x_px) ** 2 + ((y - self.y_px) / self.radius_y_px) ** 2 <= 1


Size = tuple[int, int]  # rows, columns


@dataclass(frozen=True)
class PointingGame:
    """How often the peak of a film's map lies in an opacity of that film, and how often it would without looking."""

    hits: int
    share: Estimate
    chance_elsewhere: float  # each peak on every other film: a map that knows only where opacities usually lie
    chance_area: float  # a point anywhere on the film: the mean share of it that opacities cover


def peak_px(activation_map: ArrayLike, *, rows: int, columns: int) -> tuple[float, float]:
    """Where (x, y) the map, enlarged to the film, is largest."""
    enlarged = enlarge(activation_map, rows=rows, columns=columns)
    y, x = np.unravel_index(int(enlarged.argmax()), enlarged.shape)
    return float(x), float(y)


def enlarge(activation_map: ArrayLike, *, rows: int, columns: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """The map on the film's grid, interpolated."""
    small = Image.fromarray(np.asarray(activation_map, dtype=np.float32))
    return np.asarray(small.resize((columns, rows), Image.Resampling.BICUBIC))


def known_opacities(prepared: Path) -> dict[str, tuple[Opacity, ...]]:
    """The opacities of each film (by ``sample_id``) of a prepared source; empty where the source does not know them."""
    file = prepared / "opacities.parquet"
    rows = pq.read_table(file).to_pylist() if file.is_file() else []
    found: dict[str, tuple[Opacity, ...]] = {}
    for row in rows:
        sample_id = row.pop("sample_id")
        found[sample_id] = (*found.get(sample_id, ()), Opacity(**row))
    return found


def pointing_game(
    peaks: Mapping[str, tuple[float, float]],
    opacities: Mapping[str, Sequence[Opacity]],
    *,
    sizes: Mapping[str, Size],
) -> PointingGame:
    """Play for every film (by ``sample_id``) that has both a peak and opacities; both chances are of the same films.

    Raises:
        DataProblem: fewer than two films can be played.
    """
    films = sorted(peaks.keys() & opacities.keys())
    if len(films) < 2:
        raise DataProblem("The pointing game needs two films with known opacities.")
    met = np.array([[any(o.holds(peaks[a]) for o in opacities[b]) for b in films] for a in films])
    n, hits = len(films), int(np.trace(met))
    return PointingGame(
        hits=hits,
        share=wilson(hits, n, positives=n),
        chance_elsewhere=float((met.sum() - hits) / (n * (n - 1))),
        chance_area=float(np.mean([_covered(opacities[film], sizes[film]) for film in films])),
    )


def _covered(opacities: Sequence[Opacity], size: Size) -> float:
    y, x = np.mgrid[0 : size[0], 0 : size[1]]
    inside = [((x - o.x_px) / o.radius_x_px) ** 2 + ((y - o.y_px) / o.radius_y_px) ** 2 <= 1 for o in opacities]
    return float(np.any(inside, axis=0).mean())
