"""Pictures of a result: the film as stored, and the film with the activation map over it, as PNG."""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

MAX_SIDE_PX = 1024
_OPACITY = 0.6
# Dark violet → magenta → orange → yellow: rises in lightness, so that it also reads in grey and for the colour-blind.
_COLOURS = np.array([[13, 8, 135], [126, 3, 168], [204, 71, 120], [248, 149, 64], [240, 249, 33]], dtype=np.float64)


def film_png(pixels: NDArray[Any]) -> bytes:
    """A radiograph as 8-bit grey-scale PNG, at most 1024 pixels wide or high."""
    return _png(Image.fromarray(_grey(pixels)))


def heat_map_png(pixels: NDArray[Any], activation_map: Sequence[Sequence[float]]) -> bytes:
    """The film with the evidence for the finding over it. What speaks against the finding stays uncoloured."""
    grey = _grey(pixels)
    strength = _strength(activation_map, rows=grey.shape[0], columns=grey.shape[1])[..., np.newaxis]
    opacity = _OPACITY * strength
    film = np.repeat(grey[..., np.newaxis], 3, axis=2).astype(np.float64)
    blended = film * (1.0 - opacity) + _coloured(strength[..., 0]) * opacity
    return _png(Image.fromarray(np.rint(blended).astype(np.uint8)))


def _grey(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    lower, upper = np.percentile(pixels[:: _step(pixels), :: _step(pixels)], [0.5, 99.5])
    scaled = (pixels.astype(np.float32) - lower) * (255.0 / max(upper - lower, 1.0))
    image = Image.fromarray(np.clip(np.rint(scaled), 0, 255).astype(np.uint8))
    image.thumbnail((MAX_SIDE_PX, MAX_SIDE_PX), Image.Resampling.BILINEAR)
    return np.asarray(image)


def _step(pixels: NDArray[Any]) -> int:
    return max(1, int(max(pixels.shape)) // MAX_SIDE_PX)


def _strength(activation_map: Sequence[Sequence[float]], *, rows: int, columns: int) -> NDArray[np.float64]:
    evidence = np.clip(np.asarray(activation_map, dtype=np.float32), 0.0, None)
    image = Image.fromarray(evidence / max(float(evidence.max()), 1e-9))
    # The model sees the whole film stretched to a square, so the map's corners are the film's corners.
    return np.clip(np.asarray(image.resize((columns, rows), Image.Resampling.BICUBIC), dtype=np.float64), 0.0, 1.0)


def _coloured(strength: NDArray[np.float64]) -> NDArray[np.float64]:
    positions = np.linspace(0.0, 1.0, len(_COLOURS))
    return np.stack([np.interp(strength, positions, _COLOURS[:, channel]) for channel in range(3)], axis=-1)


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", compress_level=3)
    return buffer.getvalue()
