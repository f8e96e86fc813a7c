"""Statistics of one model input, for drift monitoring: no pixels and nothing that names a patient.

They are taken from the means of 32 × 32 cells, stretched to 0–1 between the cells' own percentiles. On the pixels, and
on the grey scale of the pixels, a film's noise and so its compression and resampling move them by up to a whole
standard deviation; on the cells by a tenth (docs/adr/0007-drift-test.md). Patients and scanners stay visible.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from domain.drift import IMAGE_FEATURES

_GREY_LEVELS = 32
_COARSE, _FINE = 8, 32  # cells along one side
_BLACK, _WHITE = 2.0, 98.0  # percentiles of the cells


def measure(model_input: NDArray[np.float32]) -> dict[str, float]:
    """The features named in ``domain.drift.IMAGE_FEATURES`` of an input of shape (1, rows, columns)."""
    cells = _stretched(_cell_means(model_input[0].astype(np.float64), _FINE))
    values = (*_grey_scale(cells), *_texture(cells), *_layout(cells), _low_frequency_share(cells))
    return dict(zip(IMAGE_FEATURES, (float(value) for value in values), strict=True))


def _stretched(cells: NDArray[np.float64]) -> NDArray[np.float64]:
    black, white = np.percentile(cells, [_BLACK, _WHITE])
    stretched: NDArray[np.float64] = np.clip((cells - black) / max(white - black, 1e-9), 0.0, 1.0)
    return stretched


def _grey_scale(image: NDArray[np.float64]) -> tuple[float, ...]:
    mean, deviation = image.mean(), image.std()
    skewness = ((image - mean) ** 3).mean() / max(deviation, 1e-9) ** 3
    return (mean, deviation, skewness, *np.percentile(image, [10, 50, 90]))


def _texture(image: NDArray[np.float64]) -> tuple[float, float]:
    counts, _ = np.histogram(image, bins=_GREY_LEVELS)
    share = counts[counts > 0] / image.size
    entropy_bits = -(share * np.log2(share)).sum()
    edge_energy = np.abs(np.diff(image, axis=0)).mean() + np.abs(np.diff(image, axis=1)).mean()
    return entropy_bits, edge_energy


def _layout(image: NDArray[np.float64]) -> tuple[float, float, float]:
    rows, columns = image.shape
    centre = np.zeros(image.shape, dtype=bool)
    centre[rows // 4 : rows - rows // 4, columns // 4 : columns - columns // 4] = True
    left_right_asymmetry = np.abs(image - image[:, ::-1]).mean()
    centre_minus_border = image[centre].mean() - image[~centre].mean()
    upper_minus_lower = image[: rows // 2].mean() - image[rows // 2 :].mean()
    return left_right_asymmetry, centre_minus_border, upper_minus_lower


def _low_frequency_share(image: NDArray[np.float64]) -> float:
    """Variance that remains after averaging over a grid of 8 × 8 cells, as a share of the whole."""
    return float(_cell_means(image, _COARSE).var() / max(image.var(), 1e-9))


def _cell_means(image: NDArray[np.float64], cells: int) -> NDArray[np.float64]:
    """Means over a grid of at most ``cells`` × ``cells`` equal cells that cover the whole image, sharing pixels."""
    rows, columns = (_shares(side, min(cells, side)) for side in image.shape)
    means: NDArray[np.float64] = rows @ image @ columns.T
    return means


@cache
def _shares(side: int, cells: int) -> NDArray[np.float64]:
    """The weight (cells, side) of each pixel in the mean of each cell: the part of the cell it covers."""
    borders = np.linspace(0.0, side, cells + 1)
    first, last = borders[:-1, np.newaxis], borders[1:, np.newaxis]
    pixel = np.arange(side)
    covered = np.clip(np.minimum(last, pixel + 1) - np.maximum(first, pixel), 0.0, None)
    shares: NDArray[np.float64] = covered / (last - first)
    return shares
