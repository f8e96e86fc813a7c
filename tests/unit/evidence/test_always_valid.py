"""The mixture test keeps its error rate however often one looks, and its interval is its own dual."""

import math

import numpy as np
import pytest
from scipy import integrate, stats

from domain.errors import NotEstimable, TooFewSamples
from evidence.statistics.always_valid import bernoulli_msprt, normal_msprt


def test_ratio_is_the_likelihood_averaged_over_the_mixture() -> None:
    draw = np.random.default_rng(0)
    x, y = draw.normal(0.4, 1.5, size=12), draw.normal(0.0, 1.5, size=12)
    made = normal_msprt(x, y, deviation=1.5, tau=0.6, null_difference=0.1)
    for n in (1, 5, 12):
        spread = math.sqrt(2 * 1.5**2 / n)
        d = (x[:n] - y[:n]).mean()
        averaged, _ = integrate.quad(
            lambda effect, d=d, spread=spread: stats.norm.pdf(d, effect, spread) * stats.norm.pdf(effect, 0.1, 0.6),
            -6,
            6,
        )
        assert made.ratio[n - 1] == pytest.approx(averaged / stats.norm.pdf(d, 0.1, spread), rel=1e-6)


def test_interval_holds_just_the_differences_that_are_not_rejected_there() -> None:
    draw = np.random.default_rng(1)
    x, y = draw.normal(0.5, size=30), draw.normal(size=30)
    made = normal_msprt(x, y, deviation=1.0, tau=0.5)
    for edge in (made.low[-1], made.high[-1]):
        at_edge = normal_msprt(x, y, deviation=1.0, tau=0.5, null_difference=float(edge))
        assert at_edge.ratio[-1] == pytest.approx(20.0)


def test_p_value_only_falls_and_stopping_is_where_it_passes_alpha() -> None:
    draw = np.random.default_rng(2)
    made = normal_msprt(draw.normal(0.8, size=60), draw.normal(size=60), deviation=1.0, tau=0.5)
    assert (np.diff(made.p_value) <= 0).all()
    assert made.stopped_at == int(np.argmax(made.p_value < 0.05)) + 1
    assert made.p_value == pytest.approx(np.minimum.accumulate(np.minimum(1 / made.ratio, 1.0)))


def test_false_alarms_stay_below_alpha_under_continuous_looking() -> None:
    draw = np.random.default_rng(3)
    alarms = [
        normal_msprt(*draw.normal(size=(2, 500)), deviation=1.0, tau=0.5, alpha=0.1).stopped_at is not None
        for _ in range(600)
    ]
    assert np.mean(alarms) <= 0.1 + 2 * math.sqrt(0.09 / 600)
    looks_every_time = np.mean(
        [(np.abs(np.cumsum(z) / np.sqrt(np.arange(1, 501))) > 1.645).any() for z in draw.normal(size=(200, 500))]
    )
    assert looks_every_time > 0.3  # what the fixed test would do


def test_bernoulli_test_waits_for_both_outcomes_and_then_is_the_normal_one() -> None:
    x, y = [0, 0, 1, 1, 1, 1], [0, 0, 0, 0, 1, 0]
    made = bernoulli_msprt(x, y, tau=0.3)
    assert made.ratio[:2].tolist() == [1.0, 1.0]
    assert made.low[0] == -math.inf
    variance = 4 / 6 * 2 / 6 + 1 / 6 * 5 / 6
    assert made.variance[-1] == pytest.approx(variance)
    same = normal_msprt(x, y, deviation=math.sqrt(variance / 2), tau=0.3)
    assert made.log_ratio[-1] == pytest.approx(same.log_ratio[-1])


def test_bernoulli_test_finds_a_difference_and_seldom_a_false_one() -> None:
    draw = np.random.default_rng(4)
    found = bernoulli_msprt(draw.random(2000) < 0.6, draw.random(2000) < 0.4, tau=0.1)
    assert found.stopped_at is not None
    assert found.low[-1] <= 0.2 <= found.high[-1]
    false = [bernoulli_msprt(*(draw.random((2, 400)) < 0.4), tau=0.1).stopped_at is not None for _ in range(400)]
    assert np.mean(false) <= 0.05 + 2 * math.sqrt(0.0475 / 400)


def test_overwhelming_evidence_does_not_overflow() -> None:
    made = normal_msprt(np.full(1000, 50.0), np.zeros(1000), deviation=1.0, tau=1.0)
    assert made.ratio[-1] == math.inf
    assert made.p_value[-1] == 0.0
    assert math.isfinite(made.log_ratio[-1])


def test_what_cannot_be_tested_is_refused() -> None:
    with pytest.raises(TooFewSamples):
        normal_msprt([], [], deviation=1.0, tau=1.0)
    for x, y, settings in (
        ([1.0], [1.0, 2.0], {}),
        ([math.nan], [1.0], {}),
        ([1.0], [1.0], {"tau": 0.0}),
        ([1.0], [1.0], {"deviation": 0.0}),
        ([1.0], [1.0], {"alpha": 1.0}),
    ):
        with pytest.raises(NotEstimable):
            normal_msprt(x, y, **({"deviation": 1.0, "tau": 1.0} | settings))
    with pytest.raises(NotEstimable):
        bernoulli_msprt([0.5], [1.0], tau=0.1)
