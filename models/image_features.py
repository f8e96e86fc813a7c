"""Statistics of one model input, for drift monitoring: no pixels and nothing that names a patient."""

import numpy as np
from numpy.typing import NDArray

from domain.drift import IMAGE_FEATURES

_GREY_LEVELS = 64
_COARSE, _FINE = 8, 32  # cells along one side of the grids on which texture is measured


def measure(model_input: NDArray[np.float32]) -> dict[str, float]:
    """The features named in ``domain.drift.IMAGE_FEATURES`` of an input of shape (1, rows, columns)."""
    image = model_input[0].astype(np.float64)
    values = (*_grey_scale(image), *_texture(image), *_layout(image), _low_frequency_share(image))
    return dict(zip(IMAGE_FEATURES, (float(value) for value in values), strict=True))


def _grey_scale(image: NDArray[np.float64]) -> tuple[float, ...]:
    mean, deviation = image.mean(), image.std()
    skewness = ((image - mean) ** 3).mean() / max(deviation, 1e-9) ** 3
    return (mean, deviation, skewness, *np.percentile(image, [10, 50, 90]))


def _texture(image: NDArray[np.float64]) -> tuple[float, float]:
    counts, _ = np.histogram(image, bins=_GREY_LEVELS)
    share = counts[counts > 0] / image.size
    entropy_bits = -(share * np.log2(share)).sum()
    # On 32 × 32 cell means: at full resolution, JPEG quality 50 or halving the film once moves it by a whole deviation.
    cells = _cell_means(image, _FINE)
    edge_energy = np.abs(np.diff(cells, axis=0)).mean() + np.abs(np.diff(cells, axis=1)).mean()
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
    """Means over a grid of at most ``cells`` × ``cells`` equal cells; what is left over at the end is dropped."""
    down, across = (min(cells, side) for side in image.shape)
    height, width = image.shape[0] // down, image.shape[1] // across
    kept = image[: down * height, : across * width]
    means: NDArray[np.float64] = kept.reshape(down, height, across, width).mean(axis=(1, 3))
    return means
