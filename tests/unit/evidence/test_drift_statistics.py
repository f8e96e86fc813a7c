"""Two-sample tests are exact, with ties too, and Holm keeps the family's error rate."""

from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from domain.errors import NotEstimable, TooFewSamples
from evidence.statistics import drift

A = [0.42, -1.31, 0.07, 0.88, -0.55, 1.73, 0.26, -0.14, 0.61, -0.97, 1.15, 0.33, -2.04, 0.79, -0.36]
B = [1.21, 0.47, 1.96, 0.18, 0.93, 2.35, 1.58, -0.22, 0.71, 1.04, 2.81, 0.56]


def test_statistic_and_exact_p_are_those_of_r() -> None:
    distance, p = drift.kolmogorov_smirnov(A, B)
    assert distance[0] == pytest.approx(0.5, abs=1e-12)
    assert p[0] == pytest.approx(0.0507184825464426, abs=1e-12)  # R 4.2 ks.test(exact = TRUE)


@pytest.mark.parametrize(("n", "m"), [(15, 12), (60, 60), (97, 41), (200, 130)])
def test_without_ties_the_p_value_is_scipys_exact_one(n: int, m: int) -> None:
    draw = np.random.default_rng(n)
    reference, current = draw.normal(size=(n, 3)), draw.normal([0.0, 0.3, 1.0], size=(m, 3))
    distances, p_values = drift.kolmogorov_smirnov(reference, current)
    for column in range(3):
        expected = stats.ks_2samp(reference[:, column], current[:, column], method="exact")
        assert distances[column] == pytest.approx(expected.statistic, abs=1e-12)
        assert p_values[column] == pytest.approx(expected.pvalue, rel=1e-9)


@pytest.mark.parametrize("pooled", [[1, 1, 2, 3, 3, 3, 4, 5], [0, 0, 0, 0, 1, 1, 1, 1], [1, 2, 3, 4, 5, 6, 7, 8]])
@pytest.mark.parametrize("size", [2, 3, 4, 6])
def test_with_ties_the_p_value_is_the_share_of_all_deals_at_least_as_far_apart(pooled: list[int], size: int) -> None:
    values = np.array(pooled, dtype=float)
    deals = list(combinations(range(8), size))
    apart = [drift.kolmogorov_smirnov(values[list(d)], np.delete(values, d))[0][0] for d in deals]
    for deal in deals[:: max(1, len(deals) // 8)]:
        distance, p = drift.kolmogorov_smirnov(values[list(deal)], np.delete(values, deal))
        assert p[0] == pytest.approx(np.mean([other >= distance[0] - 1e-12 for other in apart]), abs=1e-12)


def test_large_windows_use_the_limit_distribution_and_agree_with_the_exact_one(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(0)
    reference, current = draw.normal(size=1_500), draw.normal(0.05, size=1_500)
    _, exact = drift.kolmogorov_smirnov(reference, current)
    monkeypatch.setattr(drift, "EXACT_UP_TO", 0)
    _, limit = drift.kolmogorov_smirnov(reference, current)
    assert limit[0] == pytest.approx(exact[0], rel=0.1)


def test_very_small_p_values_keep_their_digits() -> None:
    reference, current = np.arange(100.0), np.arange(100.0) + 60
    assert drift.kolmogorov_smirnov(reference, current)[1][0] == pytest.approx(
        stats.ks_2samp(reference + 0.1, current, method="exact").pvalue, rel=0.2
    )
    assert 0 < drift.kolmogorov_smirnov(np.arange(100.0), np.arange(100.0) + 200)[1][0] < 1e-50


def test_holm_adjustment_is_rs() -> None:
    p = [0.001, 0.008, 0.039, 0.041, 0.042, 0.06, 0.074, 0.205, 0.212, 0.216, 0.222, 0.251, 0.269, 0.275, 0.34]
    expected = [0.015, 0.112, 0.507, 0.507, 0.507, 0.6, 0.666, 1, 1, 1, 1, 1, 1, 1, 1]
    assert drift.holm(p).tolist() == pytest.approx(expected)
    assert drift.holm(p[::-1]).tolist() == pytest.approx(expected[::-1])


def test_a_shifted_feature_is_named_and_the_others_are_not() -> None:
    draw = np.random.default_rng(1)
    reference, current = draw.normal(size=(300, 4)), draw.normal([0, 0, 1, 0], size=(200, 4))
    found = drift.two_sample(reference, current, names=("a", "b", "c", "d"), alpha=0.01)
    assert [feature.feature for feature in found if feature.drifted] == ["c"]
    assert all(feature.adjusted_p_value >= feature.p_value for feature in found)


def test_the_family_wise_error_rate_is_kept() -> None:
    draw = np.random.default_rng(2)
    alarms = 0
    for _ in range(150):
        windows = draw.normal(size=(50, 5)), draw.normal(size=(35, 5))
        alarms += any(f.drifted for f in drift.two_sample(*windows, names=tuple("abcde"), alpha=0.05))
    assert alarms <= 15  # 99.5th percentile of Binomial(150, 0.05)


@pytest.mark.parametrize("decimals", [1, 8])
def test_the_quick_decision_is_that_of_the_full_test(decimals: int) -> None:
    draw = np.random.default_rng(4)
    for shift in np.linspace(0, 1, 25):
        reference, current = draw.normal(size=(50, 4)), draw.normal([0, 0, 0, shift], size=(40, 4))
        windows = np.round(reference, decimals), np.round(current, decimals)
        full = any(f.drifted for f in drift.two_sample(*windows, names=tuple("abcd"), alpha=0.05))
        assert drift.any_drifted(*windows, alpha=0.05) == full


def test_components_of_the_pooled_embeddings_are_exchangeable_and_find_a_shift() -> None:
    draw = np.random.default_rng(3)
    p_same, p_shift = [], []
    for _ in range(50):
        reference, current = draw.normal(size=(40, 30)), draw.normal(size=(40, 30))
        p_same.append(drift.kolmogorov_smirnov(*drift.pooled_components(reference, current, count=1))[1][0])
        p_shift.append(drift.kolmogorov_smirnov(*drift.pooled_components(reference, current + 1.0, count=1))[1][0])
    assert np.mean(np.array(p_same) < 0.05) < 0.1  # fitted on the reference alone, this share is above one half
    assert np.mean(np.array(p_shift) < 0.01) > 0.95


def test_components_are_no_more_than_the_embeddings_have_directions() -> None:
    flat = np.outer(np.arange(20.0), [1.0, 2.0, 3.0])
    assert drift.pooled_components(flat, flat, count=4)[0].shape == (20, 1)
    assert drift.pooled_components(np.ones((5, 3)), np.ones((4, 3)), count=2)[0].shape == (5, 0)


def test_empty_windows_and_missing_numbers_are_refused() -> None:
    for test in (drift.kolmogorov_smirnov, lambda a, b: drift.any_drifted(a, b, alpha=0.01)):
        with pytest.raises(TooFewSamples):
            test([], [1.0])
    with pytest.raises(NotEstimable):
        drift.kolmogorov_smirnov([1.0, np.nan], [1.0])
    with pytest.raises(NotEstimable):
        drift.two_sample(np.ones((3, 2)), np.ones((3, 2)), names=("one",), alpha=0.01)
