"""Covariances of readers' figures: four routes that agree with one another and with the definitions."""

import numpy as np
import pytest

from domain.errors import NotEstimable, OneClassOnly
from evidence.statistics import mrmc_figures, roc
from evidence.statistics.mrmc_covariance import bootstrap, delong, jackknife
from evidence.statistics.mrmc_study import ReaderStudy, crossed_study
from evidence.statistics.mrmc_ustatistics import unbiased


def study(tests: int = 2, readers: int = 3, cases: int = 60, *, seed: int = 0) -> ReaderStudy:
    """Roe and Metz's model: cases, readers and their mixtures vary; half of the cases are positive."""
    draw = np.random.default_rng(seed)
    truth = np.arange(cases) % 2
    shared = draw.normal(0, 0.7, cases) + draw.normal(0, 0.4, (tests, 1, cases)) + draw.normal(0, 0.4, (readers, cases))
    table = 1.3 * truth + shared + draw.normal(0, 0.3, (1, readers, 1)) * truth + draw.normal(0, 0.6, shared.shape)
    return crossed_study(truth, np.round(table, 1))


def test_delongs_is_that_of_the_roc_module() -> None:
    one = study()
    found = delong(one)
    expected = roc.delong(one.truth, one.ratings.reshape(6, -1))
    assert found.values.ravel() == pytest.approx(expected.areas, abs=1e-12)
    assert found.covariance.reshape(6, 6) == pytest.approx(expected.covariance, abs=1e-14)


@pytest.mark.parametrize(
    "figure",
    [None, mrmc_figures.sensitivity(1.0), mrmc_figures.partial_auc(low=0.5, high=1)],
    ids=["area", "sensitivity", "partial area"],
)
def test_jackknife_is_n_minus_one_over_n_sums_of_squares_of_figures_without_each_case(
    figure: mrmc_figures.FigureOfMerit | None,
) -> None:
    one = study(readers=2, cases=30)
    chosen = figure or mrmc_figures.empirical_auc()
    used = np.flatnonzero(chosen.used(one.truth))
    rows = one.ratings.reshape(4, -1)
    left = np.array([[chosen.value(np.delete(one.truth, k), np.delete(row, k)) for k in used] for row in rows])
    expected = np.cov(left) * (used.size - 1) ** 2 / used.size
    found = jackknife(one, figure)
    assert found.covariance.reshape(4, 4) == pytest.approx(expected, abs=1e-14)
    assert (found.n, found.positives, found.resampled) == (30, 15, used.size)


def test_bootstrap_comes_near_the_jackknife_and_repeats_itself() -> None:
    one = study(cases=120)
    found, again, exact = bootstrap(one, resamples=400), bootstrap(one, resamples=400), jackknife(one)
    assert found.covariance.tolist() == again.covariance.tolist()
    assert np.diag(found.covariance.reshape(6, 6)) == pytest.approx(np.diag(exact.covariance.reshape(6, 6)), rel=0.3)


def test_all_four_are_alike_on_many_cases() -> None:
    one = study(cases=400)
    for other in (delong(one), unbiased(one)):
        assert other.covariance == pytest.approx(jackknife(one).covariance, rel=0.02)


def test_readings_without_a_case_in_common_are_independent() -> None:
    one = study(cases=80)
    table = one.ratings.copy()
    table[:, 0, 40:] = table[:, 1:, :40] = np.nan
    split = crossed_study(one.truth, table)
    for found in (jackknife(split), delong(split), unbiased(split), bootstrap(split, resamples=20)):
        assert found.covariance[:, 0, :, 1:].tolist() == np.zeros((2, 2, 2)).tolist()
        assert (found.covariance[:, 1, :, 2] != 0).all()


def test_a_reader_without_a_test_has_no_figure_there() -> None:
    one = study(readers=4)
    table = one.ratings.copy()
    table[0, :2] = table[1, 2:] = np.nan
    for found in (jackknife(crossed_study(one.truth, table)), delong(crossed_study(one.truth, table))):
        assert np.isnan(found.values).tolist() == [[True, True, False, False], [False, False, True, True]]
        assert np.isfinite(found.covariance[0, 2, 0, 3])


def test_delong_refuses_readings_that_share_some_cases() -> None:
    one = study()
    table = one.ratings.copy()
    table[0, 0, :7] = np.nan
    with pytest.raises(NotEstimable, match="same cases"):
        delong(crossed_study(one.truth, table))
    assert np.isfinite(jackknife(crossed_study(one.truth, table)).covariance).all()


def test_a_reader_who_saw_one_class_is_refused() -> None:
    one = study()
    table = one.ratings.copy()
    table[0, 0, one.truth] = np.nan
    for method in (jackknife, delong, bootstrap):
        with pytest.raises((OneClassOnly, NotEstimable)):
            method(crossed_study(one.truth, table))


def test_a_figure_that_is_no_number_is_refused() -> None:
    nothing = mrmc_figures.FigureOfMerit("nothing", lambda truth, ratings: float("nan"))
    with pytest.raises(NotEstimable):
        jackknife(study(), nothing)


def test_one_bootstrap_sample_gives_no_variance() -> None:
    with pytest.raises(NotEstimable):
        bootstrap(study(), resamples=1)
