"""A mismatch of shares is found at once or while it grows; a match is left alone."""

import math

import numpy as np
import pytest
from scipy import integrate, stats

from domain.errors import NotEstimable, TooFewSamples
from evidence.statistics.sample_ratio import sample_ratio, sequential_sample_ratio


def test_chi_square_is_scipys() -> None:
    made = sample_ratio([520, 480, 1080], [1, 1, 2])
    expected = stats.chisquare([520, 480, 1080], [520, 520, 1040])
    assert (made.statistic, made.p_value) == pytest.approx((expected.statistic, expected.pvalue))
    assert made.degrees_of_freedom == 2


def test_bayes_factor_is_the_likelihood_averaged_over_the_prior() -> None:
    arms = [0, 0, 1, 0, 0, 0, 1, 0]
    made = sequential_sample_ratio(arms, [0.5, 0.5])
    averaged, _ = integrate.quad(lambda p: p**6 * (1 - p) ** 2, 0, 1)
    assert math.exp(made.log_bayes_factor[-1]) == pytest.approx(averaged / 0.5**8)


def test_matching_shares_seldom_alarm_and_a_mismatch_does() -> None:
    draw = np.random.default_rng(0)
    shares = [0.5, 0.3, 0.2]
    alarms = [
        sequential_sample_ratio(draw.choice(3, size=500, p=shares), shares, alpha=0.1).detected_at is not None
        for _ in range(400)
    ]
    assert np.mean(alarms) <= 0.1 + 2 * math.sqrt(0.09 / 400)
    found = sequential_sample_ratio(draw.choice(3, size=2000, p=[0.4, 0.4, 0.2]), shares)
    assert found.detected_at is not None
    assert found.p_value[found.detected_at - 1] < 0.05
    assert (np.diff(found.p_value) <= 0).all()


def test_what_is_no_comparison_is_refused() -> None:
    with pytest.raises(TooFewSamples):
        sample_ratio([3, 4], [1, 1])
    with pytest.raises(TooFewSamples):
        sequential_sample_ratio([], [1, 1])
    for counts, shares in (([10, 10], [1]), ([10, 10], [1, 0]), ([-1, 30], [1, 1]), ([10.5, 9.5], [1, 1])):
        with pytest.raises(NotEstimable):
            sample_ratio(counts, shares)
    for settings in ({"concentration": 0.0}, {"alpha": 0.0}):
        with pytest.raises(NotEstimable):
            sequential_sample_ratio([0, 1], [1, 1], **settings)
    with pytest.raises(NotEstimable):
        sequential_sample_ratio([0, 2], [1, 1])
