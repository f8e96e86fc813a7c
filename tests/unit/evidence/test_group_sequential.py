"""Boundaries are those published; the error rate they spend is what a multivariate normal or simulation gives."""

import math

import numpy as np
import pytest
from scipy import stats

from domain.errors import NotEstimable
from evidence.statistics import group_sequential as gs
from evidence.statistics import spending

FIVE = np.arange(1, 6) / 5


def test_classical_boundaries_are_those_of_jennison_and_turnbull() -> None:
    # Group Sequential Methods (2000), tables 2.1 and 2.3, two-sided 0.05.
    for k, c_pocock, c_obf in ((2, 2.178, 1.977), (5, 2.413, 2.040), (10, 2.555, 2.087)):
        looks = np.arange(1, k + 1) / k
        assert gs.pocock(looks).z == pytest.approx(c_pocock, abs=5e-4)
        obf = gs.obrien_fleming(looks)
        assert obf.z == pytest.approx(c_obf / np.sqrt(looks), abs=5e-4 * math.sqrt(k))
        assert obf.alpha_spent[-1] == pytest.approx(0.05, abs=1e-10)


def test_inflation_and_expected_information_are_those_of_jennison_and_turnbull() -> None:
    # Tables 2.2, 2.4 and 2.7 there: five looks, two-sided 0.05, power 0.9.
    assert gs.inflation_factor(gs.pocock(FIVE), power=0.9) == pytest.approx(1.207, abs=5e-4)
    obf = gs.obrien_fleming(FIVE)
    assert gs.inflation_factor(obf, power=0.9) == pytest.approx(1.026, abs=5e-4)
    pocock = gs.pocock(FIVE)
    expected = gs.crossing(pocock, drift=gs.drift_for(pocock, power=0.9)).expected_information
    assert expected * gs.inflation_factor(pocock, power=0.9) == pytest.approx(0.685, abs=5e-4)


@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize("drift", [0.0, 1.5, -1.0])
def test_crossing_is_what_the_multivariate_normal_gives(sides: gs.Sides, drift: float) -> None:
    t = np.array([0.3, 0.55, 1.0])
    plan = gs.spending_boundaries(t, spending=spending.pocock_type, alpha=0.1, sides=sides)
    made = gs.crossing(plan, drift=drift)
    covariance = np.sqrt(np.minimum.outer(t, t) / np.maximum.outer(t, t))
    low = -plan.z if sides == 2 else np.full(3, -np.inf)
    for k in (1, 2, 3):
        normal = stats.multivariate_normal(drift * np.sqrt(t[:k]), covariance[:k, :k], seed=0, abseps=1e-8, releps=1e-8)
        stays = normal.cdf(plan.z[:k], lower_limit=low[:k])
        assert 1 - made.upper[:k].sum() - made.lower[:k].sum() == pytest.approx(stays, abs=2e-6)


def test_spending_boundaries_spend_exactly_what_the_function_says() -> None:
    t = np.array([0.1, 0.35, 0.4, 0.9, 1.0])
    for function in (
        spending.obrien_fleming_type,
        spending.pocock_type,
        spending.power_family(2.0),
        spending.hwang_shih_decani(-4.0),
        spending.hwang_shih_decani(0.0),
    ):
        for alpha, sides in ((0.025, 1), (0.05, 2)):
            plan = gs.spending_boundaries(t, spending=function, alpha=alpha, sides=sides)
            assert plan.alpha_spent == pytest.approx(sides * function(t, alpha / sides), rel=1e-8)
            assert plan.alpha_spent[-1] == pytest.approx(alpha, rel=1e-9)


def test_published_spending_boundaries() -> None:
    # Lan and DeMets as tabulated by DeMets and Lan, Stat Med 13:1341 (1994), two-sided 0.05, five looks.
    obf = gs.spending_boundaries(FIVE, spending=spending.obrien_fleming_type)
    assert obf.z == pytest.approx([4.877, 3.357, 2.680, 2.290, 2.031], abs=1e-3)
    pocock = gs.spending_boundaries(FIVE, spending=spending.pocock_type)
    assert pocock.z == pytest.approx([2.438, 2.427, 2.410, 2.397, 2.386], abs=1e-3)


def test_the_classical_and_the_spending_boundary_of_one_name_differ() -> None:
    classical, spent = gs.obrien_fleming(FIVE), gs.spending_boundaries(FIVE, spending=spending.obrien_fleming_type)
    assert abs(classical.z[0] - spent.z[0]) > 0.3


def test_one_look_is_the_fixed_test() -> None:
    for plan in (gs.pocock([1.0]), gs.spending_boundaries([1.0], spending=spending.pocock_type)):
        assert plan.z == pytest.approx([1.959964], abs=1e-6)
        assert gs.inflation_factor(plan, power=0.8) == pytest.approx(1.0, abs=1e-4)
        assert gs.crossing(plan, drift=2.8).expected_information == 1.0


def test_a_look_at_which_nothing_may_be_spent_has_an_infinite_limit() -> None:
    def late(information: np.ndarray, alpha: float) -> np.ndarray:
        return np.where(information < 0.5, 0.0, alpha)

    plan = gs.spending_boundaries([0.25, 0.75, 1.0], spending=late, alpha=0.05)
    assert plan.z[0] == math.inf
    assert plan.z[1] == pytest.approx(1.959964, abs=1e-6)
    assert plan.z[2] == math.inf


def test_plan_in_progress_keeps_its_earlier_limits() -> None:
    whole = gs.spending_boundaries([0.2, 0.6, 1.0], spending=spending.obrien_fleming_type)
    so_far = gs.spending_boundaries([0.2, 0.6], spending=spending.obrien_fleming_type)
    assert so_far.z == pytest.approx(whole.z[:2], abs=1e-10)
    assert so_far.alpha_spent[-1] < 0.05


def test_drift_gives_the_power_asked_for_and_power_rises_with_it() -> None:
    plan = gs.obrien_fleming(FIVE, alpha=0.025, sides=1)
    drift = gs.drift_for(plan, power=0.8)
    assert gs.crossing(plan, drift=drift).power == pytest.approx(0.8, abs=1e-9)
    assert gs.crossing(plan, drift=drift + 0.1).power > 0.8
    assert gs.crossing(plan, drift=30.0).power == pytest.approx(1.0)
    assert gs.crossing(plan, drift=0.0).power == pytest.approx(0.025)


def test_looks_may_lie_close_together() -> None:
    plan = gs.spending_boundaries([0.5, 0.998, 1.0], spending=spending.pocock_type)
    assert plan.alpha_spent[-1] == pytest.approx(0.05, abs=1e-9)


def test_decision_is_that_of_the_first_limit_crossed() -> None:
    plan = gs.obrien_fleming([0.5, 1.0])
    assert gs.decide(plan, [1.0]).action == "continue"
    assert gs.decide(plan, [1.0, 1.5]).action == "stop without rejecting"
    rejected = gs.decide(plan, [-3.0, 0.0])
    assert (rejected.action, rejected.look, rejected.z) == ("reject", 1, -3.0)
    assert gs.decide(gs.obrien_fleming([0.5, 1.0], alpha=0.025, sides=1), [-3.0]).action == "continue"
    assert gs.decide(plan, [float(plan.z[0])]).action == "continue"


def test_stagewise_p_value_meets_the_error_rate_on_the_last_limit() -> None:
    plan = gs.pocock(FIVE)
    assert gs.stagewise_p_value(plan, look=5, z=float(plan.z[4])) == pytest.approx(0.05)
    assert gs.stagewise_p_value(plan, look=1, z=-3.0) == pytest.approx(2 * stats.norm.sf(3.0))
    first, second = (gs.stagewise_p_value(plan, look=k, z=2.6) for k in (1, 2))
    assert first < second < 0.05


def test_plans_that_do_not_exist_are_refused() -> None:
    for looks in ([], [0.5, 0.5, 1.0], [0.0, 1.0], [0.5, 1.5], [0.5, 0.5004, 1.0], [[0.5, 1.0]]):
        with pytest.raises(NotEstimable):
            gs.spending_boundaries(looks, spending=spending.pocock_type)
    with pytest.raises(NotEstimable):
        gs.pocock([0.25, 0.5])
    for alpha, sides in ((0.0, 1), (0.5, 1), (1.0, 2)):
        with pytest.raises(NotEstimable):
            gs.pocock(FIVE, alpha=alpha, sides=sides)
    plan = gs.pocock(FIVE)
    for power in (0.01, 1.0):
        with pytest.raises(NotEstimable):
            gs.drift_for(plan, power=power)
    for z in ([], [1.0] * 6, [math.nan]):
        with pytest.raises(NotEstimable):
            gs.decide(plan, z)
    with pytest.raises(NotEstimable):
        gs.crossing(plan, drift=math.inf)
    with pytest.raises(NotEstimable):
        gs.stagewise_p_value(plan, look=6, z=1.0)
    with pytest.raises(NotEstimable):
        gs.spending_boundaries(FIVE, spending=lambda t, alpha: 2 * alpha * t)
    with pytest.raises(NotEstimable):
        spending.power_family(0.0)
    with pytest.raises(NotEstimable):
        spending.hwang_shih_decani(math.inf)
