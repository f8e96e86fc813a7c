"""Figures of merit agree with scikit-learn, with geometry, and with what is left when a case is left out."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score, roc_curve

from domain.errors import NotEstimable, OneClassOnly
from evidence.statistics import mrmc_figures as figures

DRAW = np.random.default_rng(3)
TRUTH = np.arange(60) % 3 == 0
RATINGS = np.round(DRAW.normal(TRUTH * 1.2, 1.0), 1)
ALL = [
    figures.empirical_auc(),
    figures.partial_auc(low=0.6, high=0.9),
    figures.partial_auc(low=0.3, high=0.8, over="sensitivity", normalised=True),
    figures.sensitivity_at_specificity(0.8),
    figures.specificity_at_sensitivity(0.8),
    figures.expected_utility(),
]


def test_area_is_scikit_learns() -> None:
    assert figures.empirical_auc().value(TRUTH, RATINGS) == pytest.approx(roc_auc_score(TRUTH, RATINGS), abs=1e-12)


def test_area_without_each_case_is_the_area_computed_again() -> None:
    auc = figures.empirical_auc()
    assert auc.leave_one_out is not None
    again = [auc.value(np.delete(TRUTH, k), np.delete(RATINGS, k)) for k in range(60)]
    assert auc.leave_one_out(TRUTH, RATINGS) == pytest.approx(again, abs=1e-12)


@pytest.mark.parametrize("figure", ALL, ids=lambda figure: figure.name)
def test_ranks_alone_matter_and_bounds_hold(figure: figures.FigureOfMerit) -> None:
    value = figure.value(TRUTH, RATINGS)
    assert value == pytest.approx(figure.value(TRUTH, np.exp(RATINGS)), abs=1e-12)
    assert figure.bounds[0] <= value <= figure.bounds[1]


@pytest.mark.parametrize("over", ["specificity", "sensitivity"])
def test_partial_areas_add_up_to_the_whole(over: str) -> None:
    parts = [
        figures.partial_auc(low=low, high=high, over=over).value(TRUTH, RATINGS)
        for low, high in [(0, 0.31), (0.31, 0.7), (0.7, 1)]
    ]
    assert sum(parts) == pytest.approx(roc_auc_score(TRUTH, RATINGS), abs=1e-12)


def test_partial_area_is_that_of_the_curve_cut_at_the_specificity() -> None:
    x, y, _ = roc_curve(TRUTH, RATINGS, drop_intermediate=False)
    grid = np.linspace(0, 0.3, 300_001)
    expected = np.trapezoid(np.interp(grid, x, y), grid)
    assert figures.partial_auc(low=0.7, high=1).value(TRUTH, RATINGS) == pytest.approx(expected, abs=1e-5)


def test_turning_the_question_round_swaps_sensitivity_and_specificity() -> None:
    one = figures.sensitivity_at_specificity(0.75).value(TRUTH, RATINGS)
    assert one == pytest.approx(figures.specificity_at_sensitivity(0.75).value(~TRUTH, -RATINGS), abs=1e-12)


def test_height_of_the_curve_at_a_specificity_lies_on_the_line_between_points() -> None:
    truth, ratings = np.array([0, 0, 1, 1], dtype=bool), np.array([1.0, 3.0, 2.0, 4.0])
    found = [figures.sensitivity_at_specificity(s).value(truth, ratings) for s in (1.0, 0.75, 0.5, 0.0)]
    assert found == pytest.approx([0.5, 0.5, 1.0, 1.0])


def test_sensitivity_and_specificity_count_one_class_each() -> None:
    sensitivity, specificity = figures.sensitivity(1.0), figures.specificity(1.0)
    assert sensitivity.value(TRUTH, RATINGS) == (RATINGS[TRUTH] >= 1.0).mean()
    assert specificity.value(TRUTH, RATINGS) == (RATINGS[~TRUTH] < 1.0).mean()
    assert sensitivity.used(TRUTH).tolist() == TRUTH.tolist()
    assert specificity.used(TRUTH).tolist() == (~TRUTH).tolist()


def test_expected_utility_of_slope_one_is_youdens_index() -> None:
    x, y, _ = roc_curve(TRUTH, RATINGS, drop_intermediate=False)
    assert figures.expected_utility().value(TRUTH, RATINGS) == pytest.approx((y - x).max())


def test_ranges_and_targets_that_do_not_exist_are_refused() -> None:
    for make in (
        lambda: figures.partial_auc(low=0.9, high=0.8),
        lambda: figures.partial_auc(low=-0.1, high=0.8),
        lambda: figures.sensitivity_at_specificity(1.2),
        lambda: figures.specificity_at_sensitivity(-0.1),
    ):
        with pytest.raises(NotEstimable):
            make()


@pytest.mark.parametrize("figure", [*ALL, figures.sensitivity(1.0)], ids=lambda figure: figure.name)
def test_one_class_is_refused_by_name(figure: figures.FigureOfMerit) -> None:
    with pytest.raises(OneClassOnly):
        figure.value(np.zeros(60, dtype=bool), RATINGS)


def test_an_area_does_not_survive_the_loss_of_its_only_positive() -> None:
    auc = figures.empirical_auc()
    assert auc.leave_one_out is not None
    with pytest.raises(NotEstimable):
        auc.leave_one_out(np.array([True, False, False]), np.array([1.0, 2.0, 3.0]))
