"""Disturbances change what they say, by as much as they say, the same way for the same film."""

import numpy as np
import pytest

from models.disturbances import DISTURBANCES, Disturbance

SIDE_PX = 64
BY_KIND = {kind: [d for d in DISTURBANCES if d.kind == kind] for kind in dict.fromkeys(d.kind for d in DISTURBANCES)}


@pytest.fixture(scope="module")
def grey() -> np.ndarray:
    y, x = np.mgrid[0:SIDE_PX, 0:SIDE_PX]
    film = 120 + 60 * np.sin(x / 5) * np.cos(y / 7) + np.random.default_rng(1).normal(0, 5, (SIDE_PX, SIDE_PX))
    return np.clip(film, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("disturbance", DISTURBANCES, ids=lambda d: f"{d.kind}-{d.amount}")
def test_a_film_keeps_its_size_and_changes_the_same_way_each_time(disturbance: Disturbance, grey: np.ndarray) -> None:
    before = grey.copy()
    once, twice = disturbance.of(grey, name="s1"), disturbance.of(grey, name="s1")

    assert once.shape == grey.shape
    assert once.dtype == np.uint8
    assert np.array_equal(once, twice)
    assert not np.array_equal(once, grey)
    assert np.array_equal(grey, before)


@pytest.mark.parametrize("kind", BY_KIND)
def test_each_kind_has_two_strengths_and_the_second_is_the_stronger(kind: str, grey: np.ndarray) -> None:
    weak, strong = (
        np.mean([np.abs(d.of(grey, name=f"s{i}") - grey.astype(float)).mean() for i in range(5)]) for d in BY_KIND[kind]
    )
    assert weak < strong


def test_the_kinds_are_those_of_the_report() -> None:
    assert list(BY_KIND) == ["noise", "blur", "contrast", "rotation", "window", "jpeg"]
    assert len({(d.kind, d.strength) for d in DISTURBANCES}) == 12


def test_two_films_get_different_noise(grey: np.ndarray) -> None:
    noise = DISTURBANCES[0]
    assert not np.array_equal(noise.of(grey, name="s1"), noise.of(grey, name="s2"))


def test_noise_has_the_stated_deviation(grey: np.ndarray) -> None:
    assert (DISTURBANCES[0].of(grey, name="s1") - grey.astype(float)).std() == pytest.approx(8, rel=0.05)


def test_a_window_shift_goes_up_on_some_films_and_down_on_others_and_saturates(grey: np.ndarray) -> None:
    shift = Disturbance("window", 25, "")
    shifts = {int(np.median(shift.of(grey, name=f"s{i}") - grey.astype(int))) for i in range(12)}

    assert shifts == {25, -25}
    assert shift.of(np.full((8, 8), 250, dtype=np.uint8), name="s1").max() in (225, 255)


def test_a_turned_film_has_no_black_wedge() -> None:
    bright = np.full((SIDE_PX, SIDE_PX), 200, dtype=np.uint8)

    assert Disturbance("rotation", 10, "").of(bright, name="s1").min() == 200


def test_a_film_is_turned_about_its_middle(grey: np.ndarray) -> None:
    spot = np.zeros((SIDE_PX, SIDE_PX), dtype=np.uint8)
    spot[4:8, 30:34] = 255
    y, x = np.argwhere(Disturbance("rotation", 10, "").of(spot, name="s1") > 100).mean(axis=0) - (SIDE_PX - 1) / 2

    assert np.degrees(np.arctan2(abs(x), -y)) == pytest.approx(10, abs=1.5)
    assert np.hypot(x, y) == pytest.approx(26, abs=1)


@pytest.mark.parametrize("side", [7, 48, 97])
def test_films_of_any_size_keep_it(side: int) -> None:
    film = np.arange(side * side, dtype=np.uint32).reshape(side, side).astype(np.uint8)
    assert {d.of(film, name="s1").shape for d in DISTURBANCES} == {(side, side)}
