"""Does the activation map point at the finding? The pointing game (Zhang et al., IJCV 2018), with an interval."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
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


@dataclass(frozen=True)
class PointingGame:
    """How often the peak of a film's map lies in an opacity of that film, and (chance) in one of another film."""

    hits: Estimate
    chance: float

    @property
    def beats_chance(self) -> bool:
        """True when the whole interval lies above chance."""
        return self.hits.low > self.chance


def peak_px(activation_map: ArrayLike, *, rows: int, columns: int) -> tuple[float, float]:
    """Where (x, y) the map, enlarged to the film, is largest."""
    enlarged = enlarge(activation_map, rows=rows, columns=columns)
    y, x = np.unravel_index(int(enlarged.argmax()), enlarged.shape)
    return float(x), float(y)


def enlarge(activation_map: ArrayLike, *, rows: int, columns: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """The map on the film's grid, interpolated."""
    small = Image.fromarray(np.asarray(activation_map, dtype=np.float32))
    return np.asarray(small.resize((columns, rows), Image.Resampling.BICUBIC))


def pointing_game(peaks: Mapping[str, tuple[float, float]], opacities: Mapping[str, Sequence[Opacity]]) -> PointingGame:
    """Play for every film (by ``sample_id``) that has both a peak and opacities.

    Chance is a map that knows where opacities usually lie, not which film it looks at: each film's peak in turn on
    every other film.

    Raises:
        DataProblem: fewer than two films can be played.
    """
    films = sorted(peaks.keys() & opacities.keys())
    if len(films) < 2:
        raise DataProblem("The pointing game needs two films with known opacities.")
    met = np.array([[any(o.holds(peaks[a]) for o in opacities[b]) for b in films] for a in films])
    n, hits = len(films), int(np.trace(met))
    return PointingGame(hits=wilson(hits, n), chance=float((met.sum() - hits) / (n * (n - 1))))
