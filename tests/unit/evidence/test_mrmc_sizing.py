"""Sizing: published powers, what more readers and cases buy, and power found again by simulation."""

import math
from dataclasses import replace

import numpy as np
import pytest

from domain.errors import NotEstimable
from evidence.statistics import mrmc_sizing as sizing
from evidence.statistics.mrmc_covariance import jackknife
from evidence.statistics.mrmc_dbm import dorfman_berbaum_metz
from evidence.statistics.mrmc_or import obuchowski_rockette, variance_components
from evidence.statistics.mrmc_study import ReaderStudy, crossed_study
from evidence.statistics.mrmc_ustatistics import difference

# Components and observed difference of Van Dyke's study, 114 cases; powers are those that R RJafroc computes from them.
VAN_DYKE = sizing.Pilot(114, 0.00020040252358145453, 0.0004556745561313339, 0.00010504645796873495)
EFFECT = 0.0438003220611916
RANDOM, READERS, CASES = "random readers and cases", "fixed readers", "fixed cases"


def study(readers: int = 5, cases: int = 80, *, seed: int = 0, effect: float = 0.0) -> ReaderStudy:
    draw = np.random.default_rng(seed)
    truth = np.arange(cases) % 2
    shared = draw.normal(0, 0.7, cases) + draw.normal(0, 0.4, (2, 1, cases)) + draw.normal(0, 0.4, (readers, cases))
    skill = 1.3 + draw.normal(0, 0.2, (1, readers, 1)) + effect * np.arange(2)[:, None, None]
    return crossed_study(truth, skill * truth + shared + draw.normal(0, 0.6, shared.shape))


@pytest.mark.parametrize(
    ("factors", "readers", "cases", "expected"),
    [
        (RANDOM, 6, 111, 0.5526116),
        (RANDOM, 10, 165, 0.80541995),
        (READERS, 10, 131, 0.80091813),
        (CASES, 10, 53, 0.80496663),
    ],
)
def test_power_is_the_published_one(factors: str, readers: int, cases: int, expected: float) -> None:
    found = sizing.power(VAN_DYKE, effect=EFFECT, readers=readers, cases=cases, factors=factors)
    assert found.power == pytest.approx(expected, abs=5e-8)


@pytest.mark.parametrize(("readers", "cases"), [(4, 1089), (5, 344), (6, 251), (10, 163), (20, 126), (100, 103)])
def test_numbers_of_cases_are_those_of_the_published_table(readers: int, cases: int) -> None:
    assert sizing.cases_needed(VAN_DYKE, effect=EFFECT, readers=readers).cases == cases


def test_readers_needed_are_the_fewest_that_reach_the_power() -> None:
    found = sizing.readers_needed(VAN_DYKE, effect=EFFECT, cases=163)
    fewer = sizing.power(VAN_DYKE, effect=EFFECT, readers=found.readers - 1, cases=163)
    assert fewer.power < 0.8 <= found.power
    assert found.readers == 10


def test_detectable_effect_has_the_power_asked_for() -> None:
    effect = sizing.detectable_effect(VAN_DYKE, readers=6, cases=251, target=0.9)
    assert sizing.power(VAN_DYKE, effect=effect, readers=6, cases=251).power == pytest.approx(0.9, abs=1e-6)


def test_no_effect_is_found_as_often_as_the_test_errs() -> None:
    for factors in (RANDOM, READERS, CASES):
        found = sizing.power(VAN_DYKE, effect=0.0, readers=6, cases=100, factors=factors)
        assert found.power == pytest.approx(0.05, abs=1e-9)


def test_both_analyses_of_a_pilot_size_alike() -> None:
    figures = jackknife(study())
    one = sizing.Pilot.of(variance_components(figures), cases=80)
    other = sizing.Pilot.of_pseudovalues(dorfman_berbaum_metz(figures).components, cases=80)
    assert (one.var_tr, one.within, one.between) == pytest.approx((other.var_tr, other.within, other.between))


def test_predicted_power_is_found_again_by_simulation() -> None:
    parts = [obuchowski_rockette(jackknife(study(seed=1000 + s, effect=0.3))).components for s in range(40)]
    pilots = [sizing.Pilot.of(one, cases=80) for one in parts]
    pilot = sizing.Pilot(
        80, *(float(np.mean([getattr(p, k) for p in pilots])) for k in ("var_tr", "within", "between"))
    )
    p_values, effects = [], []
    for seed in range(250):
        one = obuchowski_rockette(jackknife(study(seed=seed, effect=0.3))).differences[0]
        p_values.append(one.p_value)
        effects.append(one.difference.value)
    predicted = sizing.power(pilot, effect=float(np.mean(effects)), readers=5, cases=80).power
    assert 0.2 < predicted < 0.95
    assert np.mean(np.array(p_values) < 0.05) == pytest.approx(predicted, abs=0.12)


def test_a_pilots_own_size_projects_its_own_variance() -> None:
    pilot = difference(study(), "1", "2")
    found = sizing.projected_variance(pilot, readers=5, positives=40, negatives=40)
    assert found == pytest.approx(pilot.variance)
    assert sizing.projected_variance(pilot, readers=50, positives=400, negatives=400) < found / 5


def test_normal_power_of_a_difference_of_28_errors_is_four_fifths() -> None:
    assert sizing.normal_power(2.8016, 1.0) == pytest.approx(0.8, abs=1e-4)
    assert sizing.normal_power(0.0, 1.0) == pytest.approx(0.05)


def test_readers_who_vary_too_much_cannot_be_outweighed_by_cases() -> None:
    with pytest.raises(NotEstimable, match="Add readers"):
        sizing.cases_needed(replace(VAN_DYKE, var_tr=0.01), effect=0.02, readers=3)
    with pytest.raises(NotEstimable, match="Add cases"):
        sizing.readers_needed(VAN_DYKE, effect=0.01, cases=50)


@pytest.mark.parametrize(
    "change",
    [{"readers": 1}, {"cases": 1}, {"alpha": 0.0}, {"alpha": 1.0}, {"effect": math.inf}, {"effect": math.nan}],
    ids=str,
)
def test_sizes_without_power_are_refused(change: dict) -> None:
    with pytest.raises(NotEstimable):
        sizing.power(VAN_DYKE, **({"effect": 0.05, "readers": 5, "cases": 100} | change))


def test_other_requests_without_an_answer_are_refused() -> None:
    pilot = difference(study(), "1", "2")
    one_reader = variance_components(jackknife(study(readers=1)))
    for ask in (
        lambda: sizing.cases_needed(VAN_DYKE, effect=0.05, readers=5, target=1.0),
        lambda: sizing.detectable_effect(VAN_DYKE, readers=5, cases=100, target=0.01),
        lambda: sizing.projected_variance(pilot, readers=0, positives=1, negatives=1),
        lambda: sizing.normal_power(1.0, 0.0),
        lambda: sizing.Pilot.of(one_reader, cases=80),
        lambda: sizing.power(sizing.Pilot(10, 0.0, 0.0, 0.0), effect=0.1, readers=5, cases=10),
    ):
        with pytest.raises(NotEstimable):
            ask()
