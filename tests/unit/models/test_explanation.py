"""The pointing game tells a map that looks from one that guesses."""

import numpy as np
import pytest

from domain.errors import DataProblem
from models.explanation import Opacity, peak_px, pointing_game


def films(n: int) -> tuple[dict[str, tuple[float, float]], dict[str, list[Opacity]]]:
    random = np.random.default_rng(5)
    centres = {f"film-{i}": tuple(random.uniform(20, 140, 2)) for i in range(n)}
    opacities = {name: [Opacity(x, y, 15, 12)] for name, (x, y) in centres.items()}
    return centres, opacities


def test_a_map_that_points_at_the_opacity_beats_chance() -> None:
    centres, opacities = films(60)

    game = pointing_game(centres, opacities)

    assert game.hits.value == 1
    assert game.chance < 0.2
    assert game.beats_chance


def test_a_map_that_always_points_to_the_same_place_does_not_beat_chance() -> None:
    _, opacities = films(60)

    game = pointing_game(dict.fromkeys(opacities, (80.0, 80.0)), opacities)

    assert game.hits.value == pytest.approx(game.chance)
    assert not game.beats_chance


def test_films_without_a_known_opacity_do_not_play() -> None:
    centres, opacities = films(10)
    healthy = {**centres, "healthy": (1.0, 1.0)}

    assert pointing_game(healthy, opacities).hits.n == 10


def test_one_film_is_no_game() -> None:
    with pytest.raises(DataProblem):
        pointing_game(*films(1))


def test_the_peak_lies_in_the_middle_of_its_cell_of_the_film() -> None:
    activation_map = np.zeros((4, 5))
    activation_map[1, 3] = 1

    assert peak_px(activation_map, rows=80, columns=100) == pytest.approx((69.5, 29.5), abs=1)


@pytest.mark.parametrize(
    ("point", "inside"), [((50, 50), True), ((59, 50), True), ((50, 59), False), ((61, 50), False)]
)
def test_an_opacity_is_an_ellipse(point: tuple[float, float], inside: bool) -> None:
    assert Opacity(x_px=50, y_px=50, radius_x_px=10, radius_y_px=5).holds(point) is inside
