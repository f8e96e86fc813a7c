"""Curves of marks: points counted by hand, areas, and lesions found at a rate of false marks."""

import numpy as np
import pytest

from domain.errors import NotEstimable, OneClassOnly
from evidence.statistics import froc_curves as curves
from evidence.statistics.froc import Reading
from evidence.statistics.froc_figures import figure_of_merit

NO = -np.inf


def reading() -> Reading:
    """Two cases without lesions, two with one and two."""
    return Reading(
        lesions=np.array([0, 0, 1, 2]),
        weights=np.array([[0, 0], [0, 0], [1, 0], [0.5, 0.5]]),
        non_lesion=np.array([[3.0, 1.0], [NO, NO], [2.0, NO], [NO, NO]]),
        lesion=np.array([[NO, NO], [NO, NO], [4.0, NO], [2.0, NO]]),
    )


def test_froc_counts_false_marks_per_case_and_lesions_found() -> None:
    found = curves.froc(reading())
    assert found.thresholds.tolist() == [np.inf, 4, 3, 2, 1]
    assert found.false_marks.tolist() == [0, 0, 0.25, 0.5, 0.75]
    assert found.lesions_found == pytest.approx([0, 1 / 3, 1 / 3, 2 / 3, 2 / 3])
    assert curves.froc(reading(), weighted=True).lesions_found.tolist() == [0, 0.5, 0.5, 0.75, 0.75]


def test_area_left_of_the_froc_curve_is_the_figure_of_that_name() -> None:
    assert curves.froc(reading()).area == pytest.approx(figure_of_merit(reading(), "FROC"))


def test_afroc_counts_the_highest_false_mark_of_each_case_and_ends_in_the_corner() -> None:
    found = curves.afroc(reading(), "AFROC")
    assert found.thresholds.tolist() == [np.inf, 4, 3, 2, NO]
    assert found.false_marks.tolist() == [0, 0, 0.5, 0.5, 1]
    assert found.lesions_found == pytest.approx([0, 1 / 3, 1 / 3, 2 / 3, 1])
    assert curves.afroc(reading(), "AFROC1").false_marks.tolist() == [0, 0, 0.25, 0.5, 1]


def test_lesions_found_between_points_lie_on_the_line_and_stay_level_after_the_last() -> None:
    found = curves.lesions_found_at(curves.froc(reading()), [0.0, 0.25, 0.375, 0.5, 8.0])
    assert found == pytest.approx([1 / 3, 1 / 3, 0.5, 2 / 3, 2 / 3])


def test_the_competition_metric_takes_seven_rates() -> None:
    assert curves.lesions_found_at(curves.froc(reading())).shape == (7,)


def test_a_curve_without_lesions_or_normal_cases_is_refused() -> None:
    with pytest.raises(OneClassOnly):
        curves.froc(reading().some(np.array([0, 1])))
    with pytest.raises(OneClassOnly, match="AFROC1"):
        curves.afroc(reading().some(np.array([2, 3])))


def test_a_negative_rate_is_refused() -> None:
    with pytest.raises(NotEstimable):
        curves.lesions_found_at(curves.froc(reading()), [-1.0])
