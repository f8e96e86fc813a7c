"""Image features say what they are called, and nothing else."""

import numpy as np
import pytest

from domain.drift import IMAGE_FEATURES
from models.image_features import measure


def noise(seed: int = 0, *, size: int = 64) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(1, size, size)).astype(np.float32)


def test_the_features_are_those_monitoring_expects_in_order() -> None:
    assert tuple(measure(noise())) == IMAGE_FEATURES


@pytest.mark.parametrize("size", [32, 48, 90, 224])
def test_every_feature_is_a_finite_number_at_any_size(size: int) -> None:
    assert all(np.isfinite(value) for value in measure(noise(size=size)).values())


def test_a_flat_input_has_no_texture_and_stays_finite() -> None:
    features = measure(np.zeros((1, 64, 64), dtype=np.float32))

    assert features["entropy_bits"] == 0
    assert features["edge_energy"] == 0
    assert features["skewness"] == 0


def test_blur_lowers_edge_energy_and_raises_the_share_of_low_frequencies() -> None:
    sharp = noise()
    blurred = (sharp + np.roll(sharp, 1, axis=1) + np.roll(sharp, 1, axis=2) + np.roll(sharp, (1, 1), axis=(1, 2))) / 4

    assert measure(blurred)["edge_energy"] < measure(sharp)["edge_energy"]
    assert measure(blurred)["low_frequency_share"] > measure(sharp)["low_frequency_share"]


def test_layout_features_know_up_from_down_and_centre_from_border() -> None:
    image = np.zeros((1, 64, 64), dtype=np.float32)
    image[:, :32] = 1
    assert measure(image)["upper_minus_lower"] == 1
    assert measure(image)["left_right_asymmetry"] == 0

    image = np.zeros((1, 64, 64), dtype=np.float32)
    image[:, 16:48, 16:48] = 1
    assert measure(image)["centre_minus_border"] == 1


def test_grey_scale_features_follow_their_definition() -> None:
    features = measure(np.linspace(0, 1, 64 * 64, dtype=np.float32).reshape(1, 64, 64))

    # A uniform grey scale from 0 to 1 whose outer 2 % at each end are cut to 0 and 1.
    assert features["mean"] == pytest.approx(0.5, abs=1e-3)
    assert features["standard_deviation"] == pytest.approx(1 / np.sqrt(12), rel=0.05)
    assert features["skewness"] == pytest.approx(0, abs=1e-6)
    assert (features["p10"], features["p50"], features["p90"]) == pytest.approx((1 / 12, 0.5, 11 / 12), abs=1e-2)
    assert features["entropy_bits"] == pytest.approx(5, abs=0.02)


def test_gain_and_offset_of_the_grey_scale_change_nothing() -> None:
    film = noise(3)
    assert measure(3 * film + 2) == pytest.approx(measure(film), rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("size", [32, 48, 90, 96, 224])
def test_the_whole_image_is_measured_at_any_size(size: int) -> None:
    # At 48 pixels a grid of whole-pixel cells would leave out the lower right half of the film.
    image = np.zeros((1, size, size), dtype=np.float32)
    image[:, size // 2 :] = 1
    assert measure(image)["upper_minus_lower"] == pytest.approx(-1, abs=0.03)
    assert measure(image)["mean"] == pytest.approx(0.5, abs=0.03)
    corner = np.zeros((1, size, size), dtype=np.float32)
    corner[:, -size // 4 :, -size // 4 :] = 1
    assert measure(corner)["mean"] == pytest.approx(1 / 16, abs=0.02)


def test_pixel_noise_hardly_moves_a_feature() -> None:
    draw = np.random.default_rng(1)
    smooth = np.add.outer(np.sin(np.linspace(0, 3, 96)), np.cos(np.linspace(0, 2, 96)))[np.newaxis].astype(np.float32)
    noisy = smooth + draw.normal(0, 0.05, smooth.shape).astype(np.float32)
    assert measure(noisy)["edge_energy"] == pytest.approx(measure(smooth)["edge_energy"], rel=0.15)
    assert measure(noisy)["standard_deviation"] == pytest.approx(measure(smooth)["standard_deviation"], rel=0.02)
