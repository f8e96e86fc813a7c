"""The difference of two estimates by their own intervals: a published value, direction, refusal."""

import pytest

from domain.errors import NotEstimable
from evidence.statistics.independent_difference import difference
from evidence.statistics.proportion import wilson


def test_two_wilson_intervals_give_newcombes_published_interval() -> None:
    # Newcombe, Stat Med 17:873 (1998), table II, example (a), method 10.
    found = difference(wilson(56, 70), wilson(48, 80))

    assert found.value == pytest.approx(0.2)
    assert (round(found.low, 4), round(found.high, 4)) == (0.0524, 0.3339)
    assert found.n == 70


def test_turned_round_it_is_the_same_interval_with_the_other_sign() -> None:
    there, back = difference(wilson(56, 70), wilson(48, 80)), difference(wilson(48, 80), wilson(56, 70))

    assert (back.low, back.high) == pytest.approx((-there.high, -there.low))


def test_two_certain_looking_values_are_not_proof_of_equality() -> None:
    found = difference(wilson(40, 40), wilson(40, 40))

    assert found.low < -0.05 and found.high > 0.05


def test_intervals_of_two_levels_are_refused() -> None:
    with pytest.raises(NotEstimable):
        difference(wilson(5, 10), wilson(5, 10, level=0.9))
