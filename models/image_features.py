"""Statistics of one model input, for drift monitoring: no pixels and nothing that names a patient."""

import numpy as np
from numpy.typing import NDArray

from domain.drift import IMAGE_FEATURES

_GREY_LEVELS = 64
_BLOCKS = 8


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
    """Variance that remains after averaging over a grid of 8 × 8 blocks, as a share of the whole."""
    rows, columns = (side // _BLOCKS * _BLOCKS for side in image.shape)
    blocks = image[:rows, :columns].reshape(_BLOCKS, rows // _BLOCKS, _BLOCKS, columns // _BLOCKS).mean(axis=(1, 3))
    return float(blocks.var() / max(image.var(), 1e-9))
