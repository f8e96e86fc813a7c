"""Likelihood ratios by patient: Simel's where nobody repeats, wider where films of a patient agree, and covering."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from domain.errors import NotEstimable, OneClassOnly, TooFewSamples
from evidence.statistics import likelihood_ratio as simple
from evidence.statistics.clustered_ratio import negative_likelihood_ratio, positive_likelihood_ratio
from evidence.statistics.estimate import Estimate
from evidence.statistics.operating_point import confusion

PAIRS = [
    (positive_likelihood_ratio, simple.positive_likelihood_ratio),
    (negative_likelihood_ratio, simple.negative_likelihood_ratio),
]


@pytest.mark.parametrize(("clustered", "simel"), PAIRS)
def test_it_is_simels_where_each_patient_has_one_film(
    clustered: Callable[..., Estimate], simel: Callable[..., Estimate]
) -> None:
    draw = np.random.default_rng(0)
    labels = np.arange(400) % 2
    called = draw.random(400) < np.where(labels, 0.8, 0.2)
    found = clustered(labels, called, np.arange(400))
    expected = simel(confusion(labels, called.astype(float), threshold=0.5))
    assert found.value == pytest.approx(expected.value)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=3e-3)


@pytest.mark.parametrize(("clustered", "simel"), PAIRS)
def test_films_that_repeat_one_another_count_once(
    clustered: Callable[..., Estimate], simel: Callable[..., Estimate]
) -> None:
    draw = np.random.default_rng(1)
    labels = np.arange(300) % 2
    called = draw.random(300) < np.where(labels, 0.8, 0.2)
    once = clustered(labels, called, np.arange(300))
    thrice = clustered(np.repeat(labels, 3), np.repeat(called, 3), np.repeat(np.arange(300), 3))
    assert (thrice.low, thrice.high) == pytest.approx((once.low, once.high))


@pytest.mark.slow
def test_the_interval_covers_where_films_of_a_patient_depend() -> None:
    draw = np.random.default_rng(2)
    hits = np.zeros(2)
    for _ in range(1000):
        labels = np.repeat(np.arange(120) % 2, 3)
        own = draw.random(120)  # each film repeats its patient's answer with probability 0.6
        chance = np.where(draw.random(360) < 0.6, np.repeat(own, 3), draw.random(360))
        called = chance < np.where(labels, 0.8, 0.3)
        patients = np.repeat(np.arange(120), 3)
        for k, (of, truth) in enumerate(
            ((positive_likelihood_ratio, 0.8 / 0.3), (negative_likelihood_ratio, 0.2 / 0.7))
        ):
            found = of(labels, called, patients)
            hits[k] += found.low <= truth <= found.high
    assert (hits >= 950 - 3 * math.sqrt(1000 * 0.95 * 0.05)).all()


def test_empty_cells_one_class_and_one_patient_are_refused() -> None:
    labels = np.array([0, 0, 1, 1])
    with pytest.raises(NotEstimable, match="empty"):
        positive_likelihood_ratio(labels, [0, 0, 1, 1], [1, 2, 3, 4])
    with pytest.raises(NotEstimable, match="empty"):
        negative_likelihood_ratio(labels, [0, 1, 1, 1], [1, 2, 3, 4])
    with pytest.raises(OneClassOnly):
        positive_likelihood_ratio([1, 1], [1, 0], [1, 2])
    with pytest.raises(TooFewSamples):
        positive_likelihood_ratio(labels, [0, 1, 0, 1], [1, 1, 1, 1])
