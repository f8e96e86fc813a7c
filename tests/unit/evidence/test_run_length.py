"""Run lengths are those published, and both ways of computing them agree with each other and with simulation."""

import math

import numpy as np
import pytest
from scipy import stats

from domain.errors import NotEstimable
from evidence.statistics import run_length

SHIFTS = [0.0, 0.25, 0.5, 1.0, 2.0, 4.0]


def test_cusum_run_lengths_are_those_of_lucas_and_crosier() -> None:
    # Technometrics 24:199 (1982), tables 1 and 2: k = 0.5, h = 4, without and with a headstart of h / 2.
    plain = [run_length.cusum_arl(k=0.5, h=4.0, shift=s) for s in SHIFTS]
    assert plain == pytest.approx([168, 74.2, 26.6, 8.38, 3.34, 1.71], rel=0.005)
    started = [run_length.cusum_arl(k=0.5, h=4.0, shift=s, headstart=2.0) for s in SHIFTS]
    assert started == pytest.approx([149, 62.7, 20.1, 5.29, 2.01, 1.07], rel=0.005)


@pytest.mark.parametrize(
    ("weight", "width", "published"),
    [
        (0.40, 3.054, [500, 224, 71.2, 14.3, 3.5, 1.4]),
        (0.10, 2.814, [500, 106, 31.3, 10.3, 4.4, 2.2]),
        (0.05, 2.615, [500, 84.1, 28.8, 11.4, 5.2, 2.7]),
    ],
)
def test_ewma_run_lengths_are_those_of_lucas_and_saccucci(weight: float, width: float, published: list[float]) -> None:
    # Technometrics 32:1 (1990), table 3, as printed: two or three digits.
    made = [run_length.ewma_arl(weight=weight, width=width, shift=s) for s in SHIFTS]
    assert made == pytest.approx(published, abs=0.051, rel=0.005)


@pytest.mark.parametrize("headstart", [0.0, 2.0])
@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_markov_chain_and_integral_equation_agree(shift: float, headstart: float) -> None:
    settings = {"k": 0.5, "h": 4.0, "shift": shift, "headstart": headstart}
    assert run_length.cusum_arl(**settings, method="markov") == pytest.approx(
        run_length.cusum_arl(**settings), rel=1e-6
    )
    chart = {"weight": 0.2, "width": 2.9, "shift": shift, "start": headstart / 4.0}
    assert run_length.ewma_arl(**chart, method="markov") == pytest.approx(run_length.ewma_arl(**chart), rel=1e-5)


def test_a_cusum_that_forgets_nothing_or_all_has_the_known_run_length() -> None:
    # With k far above h the chart alarms only at single values beyond h + k: Shewhart's, geometric.
    assert run_length.cusum_arl(k=2.0, h=0.001, sides="one") == pytest.approx(1 / stats.norm.sf(2.001), rel=1e-3)
    assert run_length.ewma_arl(weight=1.0, width=3.0) == pytest.approx(1 / (2 * stats.norm.sf(3.0)))
    assert run_length.ewma_arl(weight=1.0, width=3.0, limits="exact") == pytest.approx(370.398, abs=0.001)
    one_sided = run_length.ewma_one_sided_arl(weight=1.0, width=3.0, barrier=-1.0)
    assert one_sided == pytest.approx(1 / stats.norm.sf(3.0))


def test_shifts_up_and_down_take_equally_long() -> None:
    up, down = (run_length.cusum_arl(k=0.5, h=3.0, shift=s) for s in (0.7, -0.7))
    assert up == pytest.approx(down)
    assert run_length.cusum_arl(k=0.5, h=3.0, shift=-0.7, sides="one") > 100 * down


def simulated(runs: int, length: int, shift: float, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, size=(runs, length))


def test_two_sided_cusum_with_headstart_runs_as_long_as_simulated() -> None:
    x = simulated(4000, 300, 0.4, seed=0)
    upper, lower = np.full(4000, 1.5), np.full(4000, 1.5)
    stopped = np.zeros(4000)
    for t in range(300):
        upper, lower = np.maximum(0, upper + x[:, t] - 0.4), np.maximum(0, lower - x[:, t] - 0.4)
        stopped[(stopped == 0) & (np.maximum(upper, lower) > 3.0)] = t + 1
    error = stopped.std() / math.sqrt(4000)
    assert run_length.cusum_arl(k=0.4, h=3.0, shift=0.4, headstart=1.5) == pytest.approx(stopped.mean(), abs=4 * error)


@pytest.mark.parametrize("kind", ["exact", "barrier"])
def test_other_ewma_charts_run_as_long_as_simulated(kind: str) -> None:
    x = simulated(4000, 250, 0.6, seed=1)
    average, stopped = np.zeros(4000), np.zeros(4000)
    limit = 2.5 * math.sqrt(0.15 / 1.85)
    for t in range(250):
        average = 0.85 * average + 0.15 * x[:, t]
        average = np.maximum(average, 0.0) if kind == "barrier" else average
        now = limit * math.sqrt(1 - 0.85 ** (2 * t + 2)) if kind == "exact" else limit
        stopped[(stopped == 0) & (np.abs(average) > now)] = t + 1
    made = (
        run_length.ewma_arl(weight=0.15, width=2.5, shift=0.6, limits="exact")
        if kind == "exact"
        else run_length.ewma_one_sided_arl(weight=0.15, width=2.5, shift=0.6)
    )
    assert made == pytest.approx(stopped.mean(), abs=4 * stopped.std() / math.sqrt(4000))


@pytest.mark.parametrize("sides", ["one", "two"])
@pytest.mark.parametrize("share", [0.0, 0.5])
def test_limits_give_the_run_length_asked_for(sides: run_length.Sides, share: float) -> None:
    h = run_length.cusum_limit(arl0=370.0, k=0.25, headstart_share=share, sides=sides)
    assert run_length.cusum_arl(k=0.25, h=h, headstart=share * h, sides=sides) == pytest.approx(370.0, rel=1e-8)


@pytest.mark.parametrize("limits", ["exact", "asymptotic"])
def test_widths_give_the_run_length_asked_for(limits: run_length.Limits) -> None:
    width = run_length.ewma_limit(arl0=200.0, weight=0.3, limits=limits)
    assert run_length.ewma_arl(weight=0.3, width=width, limits=limits) == pytest.approx(200.0, rel=1e-8)


def test_very_long_runs_keep_their_digits() -> None:
    assert run_length.cusum_arl(k=1.0, h=8.0, method="markov") == pytest.approx(
        run_length.cusum_arl(k=1.0, h=8.0), rel=1e-4
    )


def test_charts_that_do_not_exist_are_refused() -> None:
    for settings in ({"k": -0.1, "h": 4.0}, {"k": 0.5, "h": 4.0, "shift": math.nan}):
        with pytest.raises(NotEstimable):
            run_length.cusum_arl(**settings)
    for arl0 in (1.5, math.inf):
        with pytest.raises(NotEstimable):
            run_length.cusum_limit(arl0=arl0, k=0.5)
        with pytest.raises(NotEstimable):
            run_length.ewma_limit(arl0=arl0, weight=0.2)
    with pytest.raises(NotEstimable):
        run_length.cusum_limit(arl0=5.0, k=3.0)  # without any limit it runs far longer
    with pytest.raises(NotEstimable):
        run_length.ewma_arl(weight=0.2, width=3.0, start=2.0)
    with pytest.raises(NotEstimable):
        run_length.ewma_arl(weight=0.2, width=3.0, limits="exact", method="markov")
    with pytest.raises(NotEstimable):
        run_length.ewma_one_sided_arl(weight=0.2, width=3.0, barrier=0.5, start=0.0)
