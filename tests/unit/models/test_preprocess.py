"""The same film gives the same bits, everywhere and for ever (RC: silent change of preprocessing)."""

from typing import Any

import numpy as np
import pytest
from PIL import Image

from domain.errors import UnsupportedImageKind
from domain.identifiers import sha256_of
from domain.preprocessing import Preprocessing
from models import preprocess

SPEC = Preprocessing(size_px=48)


def film(rows: int = 150, columns: int = 130, *, largest: int = 255) -> np.ndarray:
    """A film made by integer arithmetic alone."""
    y, x = np.mgrid[0:rows, 0:columns]
    values = (7 * x + 5 * y + (x * y) % 97 + 3 * ((x // 9) * (y // 7) % 11)) % (largest + 1)
    return values.astype(np.uint8 if largest < 256 else np.uint16)


# Golden vectors: a change of a single bit here needs a new `Preprocessing.version`, since models in service rely on it.
GOLDEN = {
    (48, 255): "0deb357b265dd84be3faa868dad0b8f032d92ea1b9388ff3d73d81fb39ec3e04",
    (96, 255): "543391f812632464fa4899895ffae3ab9c3963e14264dc98ea1f2265ef532b7f",
    (96, 4095): "4abba0ab457246d9f624dad9053dcb36b1b7284799320124b0693535b48bf3d9",
    (96, 65535): "4abba0ab457246d9f624dad9053dcb36b1b7284799320124b0693535b48bf3d9",
}


@pytest.mark.parametrize(("size_px", "largest"), GOLDEN)
def test_golden_vectors_are_met_bit_by_bit(size_px: int, largest: int) -> None:
    model_input = preprocess.apply(film(largest=largest), Preprocessing(size_px=size_px))

    assert model_input.dtype == np.float32
    assert model_input.shape == (1, size_px, size_px)
    assert sha256_of(model_input.astype("<f4").tobytes()) == GOLDEN[size_px, largest]


def test_training_and_serving_take_the_same_path() -> None:
    one_by_one = [preprocess.apply(film(rows), SPEC) for rows in (100, 150)]
    as_training_does = np.stack([preprocess.to_grey_8bit(film(rows), SPEC) for rows in (100, 150)])[:, np.newaxis]

    assert np.array_equal(np.stack(one_by_one), preprocess.normalise(as_training_does, SPEC))


def test_the_grey_scale_of_the_machine_does_not_matter() -> None:
    eight_bits = film(largest=255)
    sixteen_bits = eight_bits.astype(np.uint16) * 257

    assert np.array_equal(preprocess.apply(eight_bits, SPEC), preprocess.apply(sixteen_bits, SPEC))


def test_a_brighter_exposure_of_the_same_film_gives_nearly_the_same_input() -> None:
    dim = film(largest=127)

    assert np.abs(preprocess.apply(dim, SPEC) - preprocess.apply(dim + 100, SPEC)).max() == 0


def test_burned_in_white_marks_hardly_change_the_grey_scale() -> None:
    marked = film(largest=199)
    marked[:8, :8] = 255

    rest = (slice(None), slice(8, None), slice(8, None))
    unmarked = preprocess.apply(film(largest=199), SPEC)
    assert np.abs(preprocess.apply(marked, SPEC)[rest] - unmarked[rest]).max() < 0.05


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((64, 64), dtype=np.uint8),
        np.zeros((64, 64, 3), dtype=np.uint8),
        np.zeros((64, 64), dtype=np.float32),
        np.zeros((0, 64), dtype=np.uint8),
    ],
    ids=["without contrast", "colour", "not grey levels", "empty"],
)
def test_what_is_no_radiograph_is_refused(pixels: np.ndarray) -> None:
    with pytest.raises(UnsupportedImageKind):
        preprocess.apply(pixels, SPEC)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("order", ["C", "F"])
def test_both_ways_to_count_and_look_up_give_the_percentiles_stretched(dtype: type, order: Any) -> None:
    """The definition, written out: nearest-rank percentiles of the grey levels mapped to 0 and 255."""
    random = np.random.default_rng(3)
    pixels = np.asarray(
        random.gamma(4.0, np.iinfo(dtype).max / 24, (97, 131)).clip(0, np.iinfo(dtype).max), dtype, order
    )
    lower, upper = np.quantile(pixels, [0.01, 0.99], method="inverted_cdf").astype(np.float64)
    stretched = np.clip(np.rint((pixels - lower) * (255.0 / (upper - lower))), 0, 255).astype(np.uint8)
    expected = Image.fromarray(stretched).resize((64, 64), Image.Resampling.BILINEAR)
    assert np.array_equal(preprocess.to_grey_8bit(pixels, Preprocessing(size_px=64)), np.asarray(expected))
