"""Heat maps: the film's size, colour where the evidence is, the bare film where there is none."""

import io

import numpy as np
import pytest
from PIL import Image

from serving.results import film_png, heat_map_png

FILM = np.tile(np.linspace(0, 60000, 200, dtype=np.uint16), (100, 1))


def pixels_of(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def colourfulness(rgb: np.ndarray) -> np.ndarray:
    return rgb.max(axis=2) - rgb.min(axis=2)


def test_the_colour_lies_where_the_evidence_is() -> None:
    evidence = np.zeros((8, 8))
    evidence[1, 6] = 1.0  # upper right
    colour = colourfulness(pixels_of(heat_map_png(FILM, evidence.tolist())))
    row, column = np.unravel_index(colour.argmax(), colour.shape)
    assert row < 50 < 100 < column
    assert colour[60:, :80].max() == 0


def test_heat_map_and_film_have_the_films_size() -> None:
    assert pixels_of(heat_map_png(FILM, [[1.0, 0.0]])).shape == (100, 200, 3)
    assert pixels_of(film_png(FILM)).shape == (100, 200, 3)


@pytest.mark.parametrize("flat", [0.0, -2.5])
def test_without_evidence_for_the_finding_the_film_stays_grey(flat: float) -> None:
    rgb = pixels_of(heat_map_png(FILM, [[flat] * 7] * 7))
    assert colourfulness(rgb).max() == 0
    assert (rgb == pixels_of(film_png(FILM))).all()


def test_a_film_keeps_its_order_of_greys() -> None:
    middle = pixels_of(film_png(FILM))[50, :, 0]
    assert (np.diff(middle) >= 0).all()
    assert (middle[0], middle[-1]) == (0, 255)


def test_a_large_film_is_made_small_enough_for_a_page() -> None:
    assert (
        max(pixels_of(film_png(np.zeros((3000, 1500), dtype=np.uint8) + FILM[:1, :1].astype(np.uint8))).shape) == 1024
    )


def test_a_film_without_contrast_is_still_a_picture() -> None:
    assert pixels_of(film_png(np.full((50, 50), 7, dtype=np.uint8))).shape == (50, 50, 3)
