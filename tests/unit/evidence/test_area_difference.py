"""The paired difference of two areas, and what it says where there is no paired variance."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from evidence.area_difference import IDENTICAL, area_difference
from evidence.scored_set import ScoredSet
from evidence.statistics import clustered

Scorer = Callable[..., ScoredSet]


def test_two_models_are_compared_by_patient(scored: Scorer) -> None:
    new, other = scored(seed=1), scored(seed=2)

    found = area_difference(new, other.probabilities, level=0.95)

    paired = clustered.paired_difference(new.labels, new.probabilities, other.probabilities, new.patient_keys)
    assert found == paired.difference


def test_the_same_scores_twice_differ_by_nothing_and_say_so(scored: Scorer) -> None:
    new = scored()

    found = area_difference(new, new.probabilities.copy(), level=0.95)

    assert (found.value, found.low, found.high, found.method) == (0, 0, 0, IDENTICAL)


def test_two_models_without_error_are_not_proven_equal(scored: Scorer) -> None:
    made = scored()
    perfect = replace(made, probabilities=0.25 + made.labels / 2)

    found = area_difference(perfect, 0.1 + made.labels / 2 + np.arange(240) / 1e4, level=0.95)

    assert found.value == 0
    assert found.low < -0.01 and found.high > 0.01
    assert found.method == "MOVER, no paired variance"
    assert found.n == 240
