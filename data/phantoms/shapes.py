"""Shapes on a grid of pixels, made of + − × ÷ and comparison only.

IEEE 754 fixes the result of these to the last bit, so a film is the same on every platform; exp, sin and matrix
products differ between processors and libraries and are therefore absent.
"""

import numpy as np
import numpy.typing as npt

from data.phantoms.draw import FloatImages

ONE = np.float32(1)


def ramp(x: FloatImages, low: float, high: float) -> FloatImages:
    """0 below ``low``, 1 above ``high``, straight between; most of a film's time goes here, hence in place."""
    scale = 1 / (high - low)
    t = x * np.float32(scale)
    t -= np.float32(low * scale)
    np.maximum(t, 0, out=t)
    np.minimum(t, 1, out=t)
    return t


def bump(distance_squared: FloatImages) -> FloatImages:
    """1 where the distance is 0, falling smoothly to 0 at distance 1."""
    t = ONE - distance_squared
    np.maximum(t, 0, out=t)
    t *= t
    return t


def ellipse(x: FloatImages, y: FloatImages) -> FloatImages:
    """Squared distance from the origin."""
    squared: FloatImages = x * x + y * y
    return squared


def waves(phase: FloatImages) -> FloatImages:
    """Distance 0–0.5 to the nearest whole number: the profile of things that repeat (ribs, vertebrae)."""
    distance: FloatImages = np.abs(phase - np.rint(phase))
    return distance


def enlarged(lattice: FloatImages, size: int) -> FloatImages:
    """A coarse lattice (film × n × n) interpolated to ``size`` × ``size`` pixels."""
    n = lattice.shape[1]
    position = (np.arange(size, dtype=np.float32) * np.float32((n - 1) / size)).astype(np.float32)
    lower = position.astype(np.int64)
    part = position - lower.astype(np.float32)
    part = part * part * (3 - 2 * part)
    rows = lattice[:, lower, :] * (1 - part)[:, None] + lattice[:, lower + 1, :] * part[:, None]
    return rows[:, :, lower] * (1 - part) + rows[:, :, lower + 1] * part


def blurred(image: FloatImages, amount: npt.NDArray[np.float32]) -> FloatImages:
    """A 3 × 3 binomial blur, mixed in by ``amount`` (0 none – 1 full) per film."""
    padded = np.pad(image, ((0, 0), (1, 1), (0, 0)), mode="edge")
    rows = (padded[:, :-2] + padded[:, 2:]) * np.float32(0.25) + image * np.float32(0.5)
    padded = np.pad(rows, ((0, 0), (0, 0), (1, 1)), mode="edge")
    full = (padded[:, :, :-2] + padded[:, :, 2:]) * np.float32(0.25) + rows * np.float32(0.5)
    mixed: FloatImages = image + (full - image) * amount
    return mixed


def coarse(image: FloatImages, block: int) -> FloatImages:
    """Means of ``block`` × ``block`` pixels, added in a fixed order."""
    films, size, _ = image.shape
    rows = image.reshape(films, size // block, block, size)
    summed = rows[:, :, 0]
    for k in range(1, block):
        summed = summed + rows[:, :, k]
    columns = summed.reshape(films, size // block, size // block, block)
    total = columns[:, :, :, 0]
    for k in range(1, block):
        total = total + columns[:, :, :, k]
    return total * np.float32(1 / (block * block))
