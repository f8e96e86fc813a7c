"""The pointing game tells a map that looks from one that guesses."""

from pathlib import Path

import numpy as np
import pytest

from domain.errors import DataProblem
from models.explanation import Opacity, PointingGame, known_opacities, peak_px, pointing_game

Peaks = dict[str, tuple[float, float]]
SIDE_PX = 160


def films(n: int) -> tuple[Peaks, dict[str, list[Opacity]]]:
    random = np.random.default_rng(5)
    centres = {f"film-{i}": tuple(random.uniform(20, 140, 2)) for i in range(n)}
    opacities = {name: [Opacity(x, y, 15, 12)] for name, (x, y) in centres.items()}
    return centres, opacities


def play(peaks: Peaks, opacities: dict[str, list[Opacity]]) -> PointingGame:
    return pointing_game(peaks, opacities, sizes=dict.fromkeys(opacities, (SIDE_PX, SIDE_PX)))


def test_a_map_that_points_at_the_opacity_beats_chance() -> None:
    game = play(*films(60))

    assert (game.hits, game.share.n, game.share.value) == (60, 60, 1)
    assert game.share.low > 0.9
    assert game.chance_elsewhere < 0.2
    assert game.chance_area < 0.2


def test_a_map_that_always_points_to_the_same_place_does_not_beat_chance() -> None:
    _, opacities = films(60)

    game = play(dict.fromkeys(opacities, (80.0, 80.0)), opacities)

    assert game.share.value == pytest.approx(game.chance_elsewhere)
    assert game.share.low < game.chance_elsewhere


def test_the_chance_of_any_point_is_the_mean_share_of_a_film_that_its_opacities_cover() -> None:
    once, twice = Opacity(80, 80, 20, 10), Opacity(80, 80, 20, 10)
    peaks, apart = dict.fromkeys(("a", "b"), (0.0, 0.0)), Opacity(30, 30, 20, 10)
    ellipse = np.pi * 20 * 10 / SIDE_PX**2

    assert play(peaks, {"a": [once], "b": [once, twice]}).chance_area == pytest.approx(ellipse, rel=0.01)
    assert play(peaks, {"a": [once], "b": [once, apart]}).chance_area == pytest.approx(1.5 * ellipse, rel=0.01)


def test_films_without_a_known_opacity_do_not_play() -> None:
    centres, opacities = films(10)

    assert play({**centres, "healthy": (1.0, 1.0)}, opacities).share.n == 10


def test_one_film_is_no_game() -> None:
    with pytest.raises(DataProblem):
        play(*films(1))


def test_a_source_that_does_not_say_where_findings_lie_has_no_known_opacities(tmp_path: Path) -> None:
    assert known_opacities(tmp_path) == {}


def test_the_peak_lies_in_the_middle_of_its_cell_of_the_film() -> None:
    activation_map = np.zeros((4, 5))
    activation_map[1, 3] = 1

    assert peak_px(activation_map, rows=80, columns=100) == pytest.approx((69.5, 29.5), abs=1)


@pytest.mark.parametrize(
    ("point", "inside"), [((50, 50), True), ((59, 50), True), ((50, 59), False), ((61, 50), False)]
)
def test_an_opacity_is_an_ellipse(point: tuple[float, float], inside: bool) -> None:
    assert Opacity(x_px=50, y_px=50, radius_x_px=10, radius_y_px=5).holds(point) is inside
