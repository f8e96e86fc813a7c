"""How a site's equipment turns attenuation into a film: exposure, scatter, blur, noise and the burned-in marks."""

import numpy as np
import numpy.typing as npt

from data.phantoms.anatomy import Numbers
from data.phantoms.draw import FloatImages, Ranges
from data.phantoms.shapes import blurred, coarse, enlarged

FILM: Ranges = {  # drawn anew for each film
    "shift_u": (-0.08, 0.08),
    "shift_v": (-0.09, 0.07),
    "tilt": (-0.06, 0.06),
    "inverse_scale": (0.84, 1.02),
    "breath": (-0.06, 0.03),
    "exposure": (-0.05, 0.05),
    "gain": (0.92, 1.12),
    "curve": (-0.25, 0.25),
    "scatter": (0.05, 0.25),
    "blur": (0.1, 0.8),
    "noise": (0.012, 0.035),
}

# 3 × 5 letters, row by row from the top; enough for the two marks.
LETTERS = {
    "S": "111100111001111", "Y": "101101010010010", "N": "101111111111101", "T": "111010010010010",
    "H": "101101111101101", "E": "111100110100111", "I": "111010010010111", "C": "111100100100111",
    "R": "110101110101101",
}  # fmt: skip
MARK = "SYNTHETIC"


def expose(attenuation: FloatImages, settings: Numbers, *, grain: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Grey levels 0–255, dense structures bright. ``grain`` is uniform bytes, film × row × column × 4."""
    size = attenuation.shape[-1]
    spread = enlarged(np.pad(coarse(attenuation, 8), ((0, 0), (0, 1), (0, 1)), mode="edge"), size)
    light = attenuation + (spread - attenuation) * settings["scatter"]
    light = blurred(light, settings["blur"])
    # The sum of four uniform bytes: close to normal, and exact; dense parts let fewer quanta through.
    noise = (grain.sum(axis=-1, dtype=np.int32) - 510).astype(np.float32) * np.float32(1 / 148)
    light = light + noise * settings["noise"] * (np.float32(0.6) + np.float32(0.8) * np.clip(light, 0, 1))
    light = blurred(light, settings["blur"] * np.float32(0.4))
    x = np.clip((light * settings["gain"] + settings["exposure"]) * np.float32(1.05), 0, 1)
    toned = x * (1 + settings["curve"]) / (1 + settings["curve"] * x)
    levels: npt.NDArray[np.uint8] = np.rint(toned * 255).astype(np.uint8)
    return levels


def mark(film: npt.NDArray[np.uint8]) -> None:
    """Burn in the side letter and, unmissable, that the film is synthetic."""
    size = film.shape[0]
    _write(film, "R", row=5, column=6, scale=2)
    _write(film, MARK, row=size - 7, column=size - 4 * len(MARK) - 1, scale=1)


def _write(film: npt.NDArray[np.uint8], text: str, *, row: int, column: int, scale: int) -> None:
    width, height = 4 * len(text) * scale, 5 * scale
    film[row - 1 : row + height + 1, column - 1 : column + width] = 0
    for letter in text:
        pixels = np.array([int(bit) for bit in LETTERS[letter]], dtype=np.uint8).reshape(5, 3) * 255
        film[row : row + height, column : column + 3 * scale] = pixels.repeat(scale, axis=0).repeat(scale, axis=1)
        column += 4 * scale
