"""Shares of samples that come in clusters."""

import numpy as np
import pytest
from numpy.typing import NDArray

from domain.errors import NotEstimable, TooFewSamples
from evidence.statistics.clustered_proportion import design_effect, share
from evidence.statistics.proportion import wilson

CALLED = np.array([1, 1, 1, 0, 1, 0, 0, 1, 1, 1, 1, 0])


def drawn(seed: int, *, patients: int, films: int, alike: float) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """Films of patients of whom each has a rate of its own around 0.9."""
    dice = np.random.default_rng(seed)
    rate = dice.beta(0.9 * alike, 0.1 * alike, size=patients)
    keys = np.repeat(np.arange(patients), films)
    return (dice.random(keys.size) < rate[keys]).astype(int), keys


def test_one_sample_a_patient_gives_wilsons_interval() -> None:
    found, plain = share(CALLED, np.arange(12)), wilson(8, 12)
    assert (found.value, found.method) == (plain.value, plain.method)
    assert (found.low, found.high) == pytest.approx((plain.low, plain.high), rel=1e-12)


def test_copies_of_every_sample_add_nothing() -> None:
    copies = share(np.repeat(CALLED, 3), np.repeat(np.arange(12), 3))
    assert copies.n == 36
    assert design_effect(np.repeat(CALLED, 3), np.repeat(np.arange(12), 3)) == pytest.approx(3 * 35 / 33)
    assert copies.low < wilson(24, 36).low
    assert copies.high > wilson(24, 36).high


def test_nothing_missed_counts_each_patient_once() -> None:
    found, plain = share(np.ones(30), np.repeat(np.arange(10), 3)), wilson(10, 10)
    assert (found.low, found.high) == pytest.approx((plain.low, 1.0))


def test_the_interval_holds_the_rate_as_often_as_it_says_where_films_of_a_patient_are_alike() -> None:
    held = plain_held = 0
    for seed in range(400):
        called, keys = drawn(seed, patients=120, films=4, alike=1.0)
        found, plain = share(called, keys), wilson(int(called.sum()), called.size)
        held += found.low <= 0.9 <= found.high
        plain_held += plain.low <= 0.9 <= plain.high
    assert held / 400 >= 0.92
    assert plain_held / 400 < 0.85  # the control: films taken as independent


def test_independent_films_cost_little() -> None:
    called, keys = drawn(1, patients=200, films=3, alike=1e6)
    assert design_effect(called, keys) < 1.3


def test_what_cannot_be_a_share_is_refused() -> None:
    with pytest.raises(TooFewSamples):
        share([], [])
    with pytest.raises(NotEstimable, match="neither 0 nor 1"):
        share([0, 2], ["a", "b"])
    with pytest.raises(NotEstimable, match="no cluster"):
        share([0, 1], ["a", ""])
