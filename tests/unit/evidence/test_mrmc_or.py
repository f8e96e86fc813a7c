"""Obuchowski–Rockette: the special cases it contains, published components, and its error rate."""

import math

import numpy as np
import pytest
from scipy import stats

from domain.errors import NotEstimable, TooFewSamples
from evidence.statistics.mrmc_covariance import ReaderFigures, jackknife
from evidence.statistics.mrmc_figures import sensitivity
from evidence.statistics.mrmc_or import obuchowski_rockette, variance_components
from evidence.statistics.mrmc_study import ReaderStudy, crossed_study

ALL_FACTORS = ["random readers and cases", "fixed readers", "fixed cases"]


def study(tests: int = 2, readers: int = 4, cases: int = 60, *, seed: int = 0, effect: float = 0.0) -> ReaderStudy:
    draw = np.random.default_rng(seed)
    truth = np.arange(cases) % 2
    shared = draw.normal(0, 0.7, cases) + draw.normal(0, 0.4, (tests, 1, cases)) + draw.normal(0, 0.4, (readers, cases))
    skill = 1.3 + draw.normal(0, 0.3, (1, readers, 1)) + effect * np.arange(tests)[:, None, None]
    return crossed_study(truth, skill * truth + shared + draw.normal(0, 0.6, shared.shape))


def published() -> ReaderFigures:
    """Five readers, two tests, 114 cases: areas and components of Van Dyke's study as published by Hillis (2007)."""
    values = np.array(
        [
            [0.91964573, 0.85877617, 0.90386473, 0.97310789, 0.82979066],
            [0.94782609, 0.90531401, 0.92173913, 0.99935588, 0.92995169],
        ]
    )
    same_test, same_reader = np.eye(2)[:, None, :, None], np.eye(5)[None, :, None, :]
    var, cov1, cov2, cov3 = 0.00080229, 0.00034661, 0.00034407, 0.00023903
    covariance = same_test * (same_reader * var + (1 - same_reader) * cov2)
    covariance = covariance + (1 - same_test) * (same_reader * cov1 + (1 - same_reader) * cov3)
    names = ("1", "2"), ("1", "2", "3", "4", "5")
    return ReaderFigures(*names, "AUC", (0, 1), "factorial", values, covariance, "jackknife", 114, 45, 114)


def test_van_dykes_components_give_hilliss_published_test() -> None:
    result = obuchowski_rockette(published())
    assert result.equality is not None
    assert (result.equality.statistic, result.equality.df2) == pytest.approx((4.456, 15.26), abs=0.01)
    assert result.equality.p_value == pytest.approx(0.0517, abs=1e-4)
    assert result.differences[0].difference.low == pytest.approx(-0.08796, abs=1e-4)
    parts = result.components
    assert (parts.var_reader, parts.var_tr) == pytest.approx((0.001535, 0.0002004), abs=1e-6)


def test_van_dykes_fixed_readers_and_fixed_cases_are_the_published_ones() -> None:
    readers, cases = (obuchowski_rockette(published(), factors=f).equality for f in ALL_FACTORS[1:])
    assert readers is not None and cases is not None
    assert (readers.distribution, readers.statistic, readers.p_value) == (
        "chi-squared",
        pytest.approx(5.476, abs=1e-3),
        pytest.approx(0.01928, abs=1e-4),
    )
    assert (cases.statistic, cases.df2, cases.p_value) == pytest.approx((8.704, 4, 0.0420), abs=1e-3)


def test_fixed_cases_with_two_tests_is_the_paired_t_test_of_areas() -> None:
    figures = jackknife(study())
    found = obuchowski_rockette(figures, factors="fixed cases").differences[0]
    expected = stats.ttest_rel(*figures.values)
    assert (found.statistic, found.p_value) == pytest.approx((expected.statistic, expected.pvalue))


def test_fixed_readers_uses_the_variance_of_the_mean_difference_itself() -> None:
    figures = jackknife(study())
    weights = np.repeat([[0.25], [-0.25]], 4, axis=1)
    variance = np.einsum("tr,trus,us->", weights, figures.covariance, weights)
    found = obuchowski_rockette(figures, factors="fixed readers")
    assert found.differences[0].standard_error == pytest.approx(math.sqrt(variance))
    assert found.equality is not None
    assert found.equality.p_value == pytest.approx(found.differences[0].p_value)


def test_f_of_two_tests_is_the_square_of_t() -> None:
    for factors in ALL_FACTORS:
        found = obuchowski_rockette(jackknife(study()), factors=factors)
        assert found.equality is not None
        assert found.equality.statistic == pytest.approx(found.differences[0].statistic ** 2)
        assert found.equality.p_value == pytest.approx(found.differences[0].p_value)


def test_mean_squares_are_those_of_a_two_way_analysis() -> None:
    figures = jackknife(study(tests=3, readers=5))
    parts, values = variance_components(figures), figures.values
    rows, columns = values.mean(axis=1), values.mean(axis=0)
    assert parts.ms_t == pytest.approx(5 * rows.var(ddof=1))
    assert parts.ms_r == pytest.approx(3 * columns.var(ddof=1))
    assert parts.ms_error == pytest.approx(((values - rows[:, None] - columns + values.mean()) ** 2).sum() / 8)


def test_nested_readers_with_fixed_cases_are_a_one_way_analysis_even_if_groups_differ_in_size() -> None:
    one = study(readers=7)
    table = one.ratings.copy()
    table[0, :3] = table[1, 3:] = np.nan
    figures = jackknife(crossed_study(one.truth, table))
    found = obuchowski_rockette(figures, factors="fixed cases").equality
    expected = stats.f_oneway(figures.values[0, 3:], figures.values[1, :3])
    assert found is not None
    assert (found.statistic, found.p_value) == pytest.approx((expected.statistic, expected.pvalue))


def test_nested_readers_have_no_component_of_test_by_reader() -> None:
    one = study(readers=6)
    table = one.ratings.copy()
    table[0, :3] = table[1, 3:] = np.nan
    result = obuchowski_rockette(jackknife(crossed_study(one.truth, table)))
    assert (result.components.cov1, result.components.var_tr) == (None, None)
    assert result.equality is not None and 0 < result.equality.p_value < 1
    assert result.differences[0].standard_error > 0


def test_cases_nested_within_readers_do_not_correlate_readers() -> None:
    one = study(readers=4, cases=160)
    table = np.full_like(one.ratings, np.nan)
    for reader in range(4):
        mine = slice(40 * reader, 40 * reader + 40)
        table[:, reader, mine] = one.ratings[:, reader, mine]
    parts = obuchowski_rockette(jackknife(crossed_study(one.truth, table))).components
    assert (parts.cov2, parts.cov3) == (0.0, 0.0)
    assert parts.cov1 is not None and parts.cov1 > 0


def test_more_tests_give_every_pair_and_more_readers_a_narrower_interval() -> None:
    few, many = (obuchowski_rockette(jackknife(study(tests=3, readers=r, cases=100))) for r in (3, 12))
    assert [(one.first, one.second) for one in few.differences] == [("1", "2"), ("1", "3"), ("2", "3")]
    assert many.differences[0].standard_error < few.differences[0].standard_error


def test_means_stay_inside_the_bounds_of_the_figure() -> None:
    one = study(readers=2, cases=20)
    table = one.ratings + 9 * one.truth
    table[0, 0, 1] = -5
    found = obuchowski_rockette(jackknife(crossed_study(one.truth, table))).means[0].mean
    assert found.high == 1.0 and 0 <= found.low < found.value


def test_fixed_readers_are_compared_one_by_one() -> None:
    figures = jackknife(study())
    found = obuchowski_rockette(figures, factors="fixed readers").within_readers
    assert [one.readers for one in found] == ["1", "2", "3", "4"]
    cov = figures.covariance[:, 2, :, 2]
    assert found[2].standard_error == pytest.approx(math.sqrt(cov[0, 0] + cov[1, 1] - 2 * cov[0, 1]))


def test_one_reader_can_only_be_fixed() -> None:
    figures = jackknife(study(readers=1))
    with pytest.raises(TooFewSamples):
        obuchowski_rockette(figures)
    found = obuchowski_rockette(figures, factors="fixed readers")
    assert found.differences[0].standard_error == pytest.approx(found.within_readers[0].standard_error)


def test_a_single_test_has_a_mean_but_nothing_to_compare() -> None:
    found = obuchowski_rockette(jackknife(study(tests=1)))
    assert (found.equality, found.differences) == (None, ())
    assert found.means[0].mean.low < found.means[0].mean.value < found.means[0].mean.high


def test_other_figures_are_compared_in_the_same_way() -> None:
    found = obuchowski_rockette(jackknife(study(effect=0.8, cases=100), sensitivity(0.8)))
    assert found.differences[0].difference.value < 0


def test_the_same_ratings_twice_test_nothing() -> None:
    one = study(tests=1)
    with pytest.raises(NotEstimable, match="do not vary"):
        obuchowski_rockette(jackknife(crossed_study(one.truth, np.repeat(one.ratings, 2, axis=0))))


def test_a_level_outside_zero_and_one_is_refused() -> None:
    with pytest.raises(NotEstimable):
        obuchowski_rockette(jackknife(study()), level=1.0)


def test_equal_tests_are_called_different_about_five_times_in_a_hundred() -> None:
    p_values = []
    for seed in range(300):
        equality = obuchowski_rockette(jackknife(study(cases=50, seed=seed))).equality
        assert equality is not None
        p_values.append(equality.p_value)
    assert 0.015 < np.mean(np.array(p_values) < 0.05) < 0.085
