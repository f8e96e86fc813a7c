"""What may happen to a film between patient and model, on the grey film at the model's size; pure NumPy and Pillow.

A disturbance comes after the percentile stretch of preprocessing, which would undo part of it: these are the changes
that reach the model. What is random in one follows from the film's name.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from models.determinism import seed_of

Kind = Literal["noise", "blur", "contrast", "rotation", "window", "jpeg"]
Film = NDArray[np.uint8]  # (rows, columns)
_LEVELS = np.arange(256, dtype=np.float64)


@dataclass(frozen=True)
class Disturbance:
    """One kind at one strength."""

    kind: Kind
    amount: float
    strength: str  # in words with a unit

    def of(self, film: Film, *, name: str) -> Film:
        """The disturbed film, of the same size; ``name`` is its ``sample_id``."""
        random = np.random.default_rng(seed_of("disturbance", self.kind, self.amount, name))
        return _CHANGES[self.kind](film, self.amount, random)


def _noise(film: Film, deviation: float, random: np.random.Generator) -> Film:
    return _grey(film + random.normal(0.0, deviation, film.shape))


def _blur(film: Film, share_of_side: float, _: np.random.Generator) -> Film:
    radius = share_of_side * film.shape[1]
    return np.asarray(Image.fromarray(film).filter(ImageFilter.GaussianBlur(radius)))


def _contrast(film: Film, factor: float, _: np.random.Generator) -> Film:
    return _grey(127.5 + factor * (_LEVELS - 127.5))[film]


def _window(film: Film, levels: float, random: np.random.Generator) -> Film:
    return _grey(_LEVELS + _either(levels, random))[film]


def _rotation(film: Film, degrees: float, random: np.random.Generator) -> Film:
    """About the middle; the film is mirrored beyond its edges, so that no black wedge gives the rotation away."""
    margin = film.shape[0] // 4
    wide = Image.fromarray(np.pad(film, margin, mode="symmetric"))
    turned = np.asarray(wide.rotate(_either(degrees, random), resample=Image.Resampling.BILINEAR))
    return np.ascontiguousarray(turned[margin:-margin, margin:-margin])


def _jpeg(film: Film, quality: float, _: np.random.Generator) -> Film:
    encoded = io.BytesIO()
    Image.fromarray(film).save(encoded, "JPEG", quality=int(quality))
    return np.asarray(Image.open(encoded))


def _either(amount: float, random: np.random.Generator) -> float:
    return amount if random.random() < 0.5 else -amount


def _grey(values: NDArray[np.float64]) -> Film:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


_CHANGES: dict[Kind, Callable[[Film, float, np.random.Generator], Film]] = {
    "noise": _noise, "blur": _blur, "contrast": _contrast, "rotation": _rotation, "window": _window, "jpeg": _jpeg,
}  # fmt: skip

DISTURBANCES = (
    Disturbance("noise", 8, "σ = 8 grey levels"),
    Disturbance("noise", 16, "σ = 16 grey levels"),
    Disturbance("blur", 0.005, "σ = 0.5 % of the side"),
    Disturbance("blur", 0.015, "σ = 1.5 % of the side"),
    Disturbance("contrast", 0.8, "× 0.8 about mid-grey"),
    Disturbance("contrast", 0.6, "× 0.6 about mid-grey"),
    Disturbance("rotation", 5, "5° either way"),
    Disturbance("rotation", 10, "10° either way"),
    Disturbance("window", 12, "12 grey levels up or down"),
    Disturbance("window", 25, "25 grey levels up or down"),
    Disturbance("jpeg", 50, "quality 50"),
    Disturbance("jpeg", 20, "quality 20"),
)
