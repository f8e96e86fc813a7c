"""Tests of areas: unpaired, several at once, non-inferior; and the closed-form error."""

import math

import numpy as np
import pytest

from domain.errors import NotEstimable, OneClassOnly
from evidence.statistics import roc, roc_tests

# DeLong et al., Biometrics 44:837 (1988): albumin, total protein and K-G score of 43 patients, and who benefited.
TABLE = """
    3.0 5.8 10 0  3.2 6.3 5 1  3.9 6.8 3 1  2.8 4.8 6 0  3.2 5.8 3 1  0.9 4.0 5 0  2.5 5.7 8 0  1.6 5.6 5 1
    3.8 5.7 5 1  3.7 6.7 6 1  3.2 5.4 4 1  3.8 6.6 6 1  4.1 6.6 5 1  3.6 5.7 5 1  4.3 7.0 4 1  3.6 6.7 4 0
    2.3 4.4 6 1  4.2 7.6 4 0  4.0 6.6 6 0  3.5 5.8 6 1  3.8 6.8 7 1  3.0 4.7 8 0  4.5 7.4 5 1  3.7 7.4 5 1
    3.1 6.6 6 1  4.1 8.2 6 1  4.3 7.0 5 1  4.3 6.5 4 1  3.2 5.1 5 1  2.6 4.7 6 1  3.3 6.8 6 0  1.7 4.0 7 0
    3.7 6.1 5 1  3.3 6.3 7 1  4.2 7.7 6 1  3.5 6.2 5 1  2.9 5.7 9 0  2.1 4.8 7 1  2.8 6.2 8 0  4.0 7.0 7 1
    3.3 5.7 6 1  3.7 6.9 5 1  3.6 6.6 5 1"""
OVARIAN = np.array(TABLE.split(), dtype=float).reshape(-1, 4)
BENEFIT, TESTS = OVARIAN[:, 3], np.stack([OVARIAN[:, 0], OVARIAN[:, 1], 10 - OVARIAN[:, 2]])


def two_models(n: int = 400, *, seed: int = 0, gap: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels and two score columns; the first separates less by ``gap``."""
    draw = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    shared = draw.normal(0, 1, n)
    first = shared + (1.5 - gap) * labels + draw.normal(0, 0.7, n)
    return labels, first, shared + 1.5 * labels + draw.normal(0, 0.7, n)


def test_areas_of_delongs_three_tests_are_the_published_ones_and_do_not_differ() -> None:
    found = roc_tests.equal_areas(BENEFIT, TESTS)
    assert found.areas == pytest.approx([0.7366, 0.6478, 0.7258], abs=5e-5)
    # SAS/STAT User's Guide, LOGISTIC procedure, example «Comparing ROC curves»: 2.5340, 2 df, p = 0.2817.
    assert (found.chi_square, found.degrees_of_freedom) == (pytest.approx(2.5340, abs=5e-5), 2)
    assert found.p_value == pytest.approx(0.2817, abs=5e-5)


def test_contrasts_that_say_the_same_give_the_same_test_even_when_one_follows_from_the_others() -> None:
    one = roc_tests.equal_areas(BENEFIT, TESTS)
    other = roc_tests.equal_areas(BENEFIT, TESTS, contrasts=[[1, -1, 0], [1, 0, -1], [0, 1, -1]])
    assert other.degrees_of_freedom == 2
    assert other.chi_square == pytest.approx(one.chi_square)


def test_global_test_of_two_curves_is_the_square_of_the_paired_z() -> None:
    labels, a, b = two_models(gap=0.3)
    found = roc_tests.equal_areas(labels, np.stack([a, b]))
    paired = roc.paired_difference(labels, a, b)
    assert (found.chi_square, found.p_value) == pytest.approx((paired.z**2, paired.p_value))


def test_curves_of_the_same_ranks_cannot_be_compared() -> None:
    labels, a, _ = two_models()
    with pytest.raises(NotEstimable, match="do not vary"):
        roc_tests.equal_areas(labels, np.stack([a, 2 * a + 1]))


@pytest.mark.parametrize("contrasts", [[[1, -1]], [1, -1, 0, 0]])
def test_contrasts_that_do_not_fit_are_refused(contrasts: list[float]) -> None:
    with pytest.raises(NotEstimable, match="do not fit"):
        roc_tests.equal_areas(BENEFIT, TESTS, contrasts=contrasts)


def test_one_curve_alone_is_no_comparison() -> None:
    with pytest.raises(NotEstimable):
        roc_tests.equal_areas(BENEFIT, TESTS[:1])


def test_unpaired_variances_add_up_and_degrees_of_freedom_lie_between_the_smaller_and_both() -> None:
    first, second = two_models(n=80, seed=1), two_models(n=200, seed=2)
    found = roc_tests.unpaired_difference((first[0], first[1]), (second[0], second[1]))
    a, b = roc.delong(first[0], first[1]), roc.delong(second[0], second[1])
    assert found.standard_error**2 == pytest.approx(a.covariance[0, 0] + b.covariance[0, 0])
    assert found.difference.value == pytest.approx(a.areas[0] - b.areas[0])
    assert 79 < found.degrees_of_freedom < 278
    assert found.difference.n == 280


def test_unpaired_ratio_is_welchs_on_the_same_variances() -> None:
    from scipy.stats import ttest_ind_from_stats

    first, second = two_models(n=60, seed=3, gap=0.5), two_models(n=90, seed=4)
    found = roc_tests.unpaired_difference((first[0], first[1]), (second[0], second[1]))
    a, b = roc.delong(first[0], first[1]), roc.delong(second[0], second[1])
    spreads = [math.sqrt(x.covariance[0, 0] * n) for x, n in ((a, 60), (b, 90))]
    welch = ttest_ind_from_stats(a.areas[0], spreads[0], 60, b.areas[0], spreads[1], 90, equal_var=False)
    assert (found.z, found.p_value_t) == pytest.approx((welch.statistic, welch.pvalue))
    assert found.p_value < found.p_value_t


def test_swapping_the_unpaired_samples_turns_the_sign_only() -> None:
    first, second = two_models(n=60, seed=3), two_models(n=90, seed=4)
    one = roc_tests.unpaired_difference((first[0], first[1]), (second[0], second[1]))
    other = roc_tests.unpaired_difference((second[0], second[1]), (first[0], first[1]))
    assert (one.z, one.p_value_t, one.p_greater) == pytest.approx((-other.z, other.p_value_t, other.p_less))


def test_two_perfect_unpaired_areas_are_refused() -> None:
    perfect = ([0, 0, 1, 1], [1.0, 2.0, 3.0, 4.0])
    with pytest.raises(NotEstimable, match="variance"):
        roc_tests.unpaired_difference(perfect, perfect)


def test_one_sided_p_values_are_halves_of_the_two_sided_and_keep_their_digits() -> None:
    labels, a, b = two_models(n=4000, gap=0.6)
    found = roc.paired_difference(labels, a, b)
    assert found.p_less == pytest.approx(found.p_value / 2)
    assert found.p_greater == pytest.approx(1 - found.p_less)
    assert 0.0 < found.p_less < 1e-20


def test_non_inferiority_is_the_lower_limit_above_minus_the_margin() -> None:
    labels, new, reference = two_models(n=1000, gap=0.1)
    found = roc_tests.non_inferior_auroc(labels, new, reference, margin=0.05)
    paired = roc.paired_difference(labels, new, reference, level=0.95)
    assert found.difference.low == pytest.approx(paired.difference.low)
    assert found.non_inferior == (found.p_value < 0.025) == (found.difference.low > -0.05)
    assert found.z == pytest.approx((paired.difference.value + 0.05) / paired.standard_error)


@pytest.mark.parametrize("alpha", [0.05, 0.025, 0.005])
def test_a_margin_just_inside_and_just_outside_the_limit_decides(alpha: float) -> None:
    labels, new, reference = two_models(n=600, gap=0.2)
    low = roc_tests.non_inferior_auroc(labels, new, reference, margin=0.5, alpha=alpha).difference.low
    assert low < 0
    assert roc_tests.non_inferior_auroc(labels, new, reference, margin=-low + 1e-9, alpha=alpha).non_inferior
    refused = roc_tests.non_inferior_auroc(labels, new, reference, margin=-low - 1e-9, alpha=alpha)
    assert not refused.non_inferior
    assert refused.p_value == pytest.approx(alpha, abs=1e-6)


@pytest.mark.parametrize("margin", [-0.05, 0.0, 1.0, math.nan])
def test_a_margin_of_the_wrong_sign_or_size_is_refused(margin: float) -> None:
    labels, new, reference = two_models()
    with pytest.raises(NotEstimable, match="margin"):
        roc_tests.non_inferior_auroc(labels, new, reference, margin=margin)


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0, -0.1, math.nan])
def test_an_alpha_that_is_none_is_refused(alpha: float) -> None:
    labels, new, reference = two_models()
    with pytest.raises(NotEstimable, match="alpha"):
        roc_tests.non_inferior_auroc(labels, new, reference, margin=0.05, alpha=alpha)


def test_two_models_that_rank_alike_give_no_limit_to_judge() -> None:
    # Two perfect models on six samples would else be non-inferior for certain.
    with pytest.raises(NotEstimable, match="no variance"):
        roc_tests.non_inferior_auroc([0, 0, 0, 1, 1, 1], [1, 2, 3, 4, 5, 6], [1, 2, 3, 5, 4, 6], margin=0.05)


def test_at_the_margin_non_inferiority_is_claimed_in_about_alpha_of_the_draws() -> None:
    from statistics import NormalDist

    draw, claims, margin = np.random.default_rng(5), 0, 0.05
    labels = np.repeat([0, 1], 150)
    # Binormal: the area is Φ(d/√2); shared noise correlates the two.
    d_reference = math.sqrt(2) * NormalDist().inv_cdf(0.85)
    d_new = math.sqrt(2) * NormalDist().inv_cdf(0.80)
    for _ in range(600):
        shared, own = draw.normal(0, math.sqrt(0.5), 300), draw.normal(0, math.sqrt(0.5), (2, 300))
        new, reference = shared + own[0] + d_new * labels, shared + own[1] + d_reference * labels
        claims += roc_tests.non_inferior_auroc(labels, new, reference, margin=margin, alpha=0.05).non_inferior
    assert 0.03 < claims / 600 < 0.075


def test_hanley_and_mcneils_error_of_their_own_ratings() -> None:
    assert roc_tests.hanley_mcneil_error(0.8931710615280595, positives=51, negatives=58) == pytest.approx(
        0.03248657960734214, abs=1e-12
    )


def test_hanley_and_mcneils_error_is_near_delongs_for_exponential_scores() -> None:
    draw = np.random.default_rng(0)
    labels = np.arange(4000) % 2
    scores = draw.exponential(np.where(labels, 3.0, 1.0))
    found = roc.delong(labels, scores)
    closed = roc_tests.hanley_mcneil_error(float(found.areas[0]), positives=2000, negatives=2000)
    assert closed == pytest.approx(math.sqrt(found.covariance[0, 0]), rel=0.02)


@pytest.mark.parametrize(("area", "positives"), [(1.1, 10), (-0.1, 10), (math.nan, 10), (0.8, 0)])
def test_no_error_of_an_area_that_is_none(area: float, positives: int) -> None:
    with pytest.raises(NotEstimable):
        roc_tests.hanley_mcneil_error(area, positives=positives, negatives=10)


def test_one_class_is_refused_by_name() -> None:
    with pytest.raises(OneClassOnly):
        roc_tests.equal_areas([1, 1, 1], [[1, 2, 3], [3, 2, 1]])
    with pytest.raises(OneClassOnly):
        roc_tests.unpaired_difference(([1, 1], [1, 2]), ([0, 1], [1, 2]))
