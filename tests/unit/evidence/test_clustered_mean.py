"""Means of clustered values: a published interval, clusters, values without spread, refusals."""

import numpy as np
import pytest

from domain.errors import NotEstimable, TooFewSamples
from evidence.statistics.clustered_mean import NO_SPREAD, mean

# Student, Biometrika 6:1 (1908): additional hours of sleep, second drug minus first.
SLEEP = [1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4]


def test_students_own_example() -> None:
    found = mean(SLEEP, range(10))

    assert found.value == pytest.approx(1.58)
    assert (found.low, found.high) == pytest.approx((0.7001, 2.4599), abs=1e-4)


def test_copies_of_every_value_add_nothing() -> None:
    once, copied = mean(SLEEP, range(10)), mean(np.repeat(SLEEP, 3), np.repeat(range(10), 3))

    assert (copied.low, copied.high) == pytest.approx((once.low, once.high))
    assert (copied.n, copied.method) == (30, "Student's t, 10 clusters")


def test_the_interval_covers_the_mean_of_clustered_values_as_often_as_it_says() -> None:
    draw, keys, held = np.random.default_rng(2), np.repeat(range(30), 3), 0
    for _ in range(400):
        values = np.repeat(draw.normal(0, 1, 30), 3) + draw.normal(0, 0.5, 90)
        found = mean(values, keys)
        held += found.low <= 0 <= found.high

    assert 0.92 <= held / 400 <= 0.975


def test_values_without_spread_say_that_they_have_none() -> None:
    found = mean([0.25] * 4, range(4))

    assert (found.value, found.low, found.high, found.method) == (0.25, 0.25, 0.25, NO_SPREAD)


@pytest.mark.parametrize("clusters", [[], ["p", "p"]])
def test_one_cluster_or_none_is_refused(clusters: list[str]) -> None:
    with pytest.raises(TooFewSamples):
        mean(np.arange(len(clusters)), clusters)


@pytest.mark.parametrize(("values", "level"), [([1.0, np.nan], 0.95), ([1.0, 1.0], 1.0)])
def test_numbers_that_cannot_be_are_refused(values: list[float], level: float) -> None:
    with pytest.raises(NotEstimable):
        mean(values, range(2), level=level)
