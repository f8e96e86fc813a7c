"""Figures of merit of marks: Chakraborty's worked example, brute force, and the analyses that build on them."""

from typing import get_args

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from domain.errors import NotEstimable
from evidence.statistics import froc_curves
from evidence.statistics.froc import FrocStudy, Marks, Reading, froc_study
from evidence.statistics.froc_figures import FigureName, bootstrap_interval, figure_of_merit, jackknife
from evidence.statistics.mrmc_dbm import dorfman_berbaum_metz
from evidence.statistics.mrmc_or import obuchowski_rockette

NO = -np.inf
NAMES = get_args(FigureName)


def example() -> Reading:
    """Four cases without lesions, four with one, one, two and two (Chakraborty, RJafroc FROC book, chapter 3)."""
    lesion = np.full((8, 2), NO)
    lesion[4:] = [[0.9, NO], [-0.2, NO], [1.6, NO], [3.0, 2.0]]
    weights = np.zeros((8, 2))
    weights[4:] = [[1, 0], [1, 0], [0.1, 0.9], [0.9, 0.1]]
    false = np.array([[NO, NO], [0.5, NO], [0.7, 0.6], [-0.3, NO], [1.5, NO], [NO, NO], [NO, NO], [NO, NO]])
    return Reading(np.array([0, 0, 0, 0, 1, 1, 2, 2]), weights, false, lesion)


def study(tests: int = 2, readers: int = 3, *, seed: int = 0, effect: float = 0.0) -> FrocStudy:
    """Twenty-four cases without lesions and sixteen with up to three; coarse ratings, so many ties."""
    draw = np.random.default_rng(seed)
    lesions = np.r_[np.zeros(24, dtype=int), draw.integers(1, 4, 16)]
    rows = []
    for test, reader in np.ndindex(tests, readers):
        for case, count in enumerate(lesions):
            rows += [(test, reader, case, 0, draw.integers(1, 5)) for _ in range(draw.poisson(0.5))]
            found = [n for n in range(1, count + 1) if draw.random() < 0.7]
            rows += [(test, reader, case, n, min(draw.integers(2, 6) + effect * test, 6)) for n in found]
    return froc_study(np.arange(40), lesions, Marks(*np.array(rows, dtype=float).T))


def higher(signal: float, noise: float) -> float:
    return float(signal > noise) + 0.5 * float(signal == noise)


def test_weighted_and_unweighted_areas_are_those_of_the_worked_example() -> None:
    assert figure_of_merit(example(), "AFROC") == pytest.approx(0.7708333, abs=1e-7)
    assert figure_of_merit(example(), "wAFROC") == pytest.approx(0.678125, abs=1e-12)


def test_other_figures_of_the_example_can_be_counted_by_hand() -> None:
    one = example()
    assert figure_of_merit(one, "MaxLLF") == pytest.approx(5 / 6)
    assert figure_of_merit(one, "MaxNLF") == 1.0
    assert figure_of_merit(one, "MaxNLFAllCases") == 5 / 8
    assert figure_of_merit(one, "ExpTrnsfmSp") == pytest.approx(np.exp(-1))
    assert (figure_of_merit(one, "HrSe"), figure_of_merit(one, "HrSp")) == (1.0, 0.25)


def test_wafroc_is_the_sum_over_pairs_of_cases_and_lesions() -> None:
    one = study().reading(1, 2)
    highest, total = one.non_lesion.max(axis=1), 0.0
    for normal in np.flatnonzero(~one.diseased):
        for case in np.flatnonzero(one.diseased):
            for n in range(one.lesions[case]):
                total += one.weights[case, n] * higher(one.lesion[case, n], highest[normal])
    assert figure_of_merit(one) == pytest.approx(total / (24 * 16), abs=1e-12)


def test_highest_rating_area_is_an_roc_area() -> None:
    one = study().reading(0, 0)
    ratings = np.maximum(one.non_lesion.max(axis=1), one.lesion.max(axis=1))
    assert figure_of_merit(one, "HrAuc") == pytest.approx(roc_auc_score(one.diseased, np.maximum(ratings, -9)))


@pytest.mark.parametrize("name", NAMES)
def test_jackknife_leaves_out_what_brute_force_leaves_out(name: FigureName) -> None:
    one = study()
    found = jackknife(one, name)
    used = np.arange(40)
    if found.resampled < 40:
        diseased = one.lesions > 0
        used = np.flatnonzero(diseased if found.resampled == 16 else ~diseased)
    again = [figure_of_merit(one.reading(1, 1).some(np.delete(np.arange(40), k)), name) for k in used]
    assert found.leave_one_out is not None
    assert found.leave_one_out[1, 1] == pytest.approx(again, abs=1e-12)
    assert found.values[1, 1] == pytest.approx(figure_of_merit(one.reading(1, 1), name))


@pytest.mark.parametrize("name", NAMES)
def test_only_the_order_of_ratings_matters(name: FigureName) -> None:
    one = study().reading(0, 1)
    other = Reading(one.lesions, one.weights, np.exp(one.non_lesion / 2), np.exp(one.lesion / 2))
    marked = [
        np.where(np.isfinite(x), y, NO) for x, y in ((one.non_lesion, other.non_lesion), (one.lesion, other.lesion))
    ]
    assert figure_of_merit(Reading(one.lesions, one.weights, *marked), name) == pytest.approx(
        figure_of_merit(one, name)
    )


@pytest.mark.parametrize("name", ["wAFROC", "AFROC", "wAFROC1", "AFROC1"])
def test_area_under_the_curve_is_the_figure_of_its_name(name: froc_curves.CurveName) -> None:
    for reader in range(3):
        one = study().reading(0, reader)
        assert froc_curves.afroc(one, name).area == pytest.approx(figure_of_merit(one, name), abs=1e-12)


def test_one_lesion_a_case_needs_no_weights() -> None:
    one = example().some(np.arange(6))
    assert figure_of_merit(one, "wAFROC") == figure_of_merit(one, "AFROC")


def test_readers_who_mark_nothing_wrong_and_everything_right_are_perfect() -> None:
    one = example()
    perfect = Reading(one.lesions, one.weights, np.full((8, 1), NO), np.where(one.exists, 1.0, NO))
    assert [figure_of_merit(perfect, n) for n in ("wAFROC", "AFROC1", "HrAuc", "HrSp", "FROC")] == [1, 1, 1, 1, 0]


def test_both_analyses_of_variance_take_localisation_figures() -> None:
    figures = jackknife(study(effect=1.0))
    found, other = obuchowski_rockette(figures), dorfman_berbaum_metz(figures)
    assert found.equality is not None
    assert found.equality.p_value == pytest.approx(other.equality.p_value)
    assert found.differences[0].difference.value < 0


def test_bootstrap_interval_encloses_the_figure_and_has_the_jackknifes_width() -> None:
    one = study()
    found = bootstrap_interval(one.reading(0, 0), resamples=500)
    error = np.sqrt(jackknife(one).covariance[0, 0, 0, 0])
    assert found.low < found.value < found.high
    assert found.high - found.low == pytest.approx(2 * 1.96 * error, rel=0.3)
    assert (found.n, found.positives) == (40, 16)
    assert found == bootstrap_interval(one.reading(0, 0), resamples=500)


def test_without_cases_of_a_kind_there_is_no_figure() -> None:
    for cases in (np.arange(4), np.arange(4, 8)):
        with pytest.raises(NotEstimable):
            figure_of_merit(example().some(cases), "wAFROC")
    assert 0 < figure_of_merit(example().some(np.arange(4, 8)), "wAFROC1") < 1


def test_a_figure_must_survive_the_loss_of_any_case() -> None:
    lonely = froc_study([1, 2, 3], [0, 1, 1], Marks([1, 1], [1, 1], [1, 2], [0, 1], [1.0, 2.0]))
    with pytest.raises(NotEstimable, match="Without one"):
        jackknife(lonely)


def test_unknown_figures_levels_and_no_resamples_are_refused() -> None:
    with pytest.raises(NotEstimable):
        figure_of_merit(example(), "JAFROC9")
    with pytest.raises(NotEstimable):
        bootstrap_interval(example(), level=1.0)
    with pytest.raises(NotEstimable):
        bootstrap_interval(example(), resamples=0)
