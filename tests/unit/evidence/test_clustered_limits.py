"""Limits for a gate: they agree with the textbook where it is right, and are wider where it is not."""

import numpy as np
import pytest
from scipy.stats import t as student

from domain.errors import NotEstimable, TooFewSamples
from evidence.statistics import clustered, clustered_proportion
from evidence.statistics.clustered_limits import (
    Limits,
    area,
    area_difference,
    positive_mean,
    share,
    share_difference,
    student_quantile,
)
from evidence.statistics.clustered_mcnemar import count_pairs
from evidence.statistics.paired_binary import PairedTable, non_inferiority

DRAW = np.random.default_rng(3)
PATIENTS = np.repeat(np.arange(120), 2)
LABELS = (np.arange(240) % 3 == 0).astype(int)
SCORES = LABELS * 1.5 + np.repeat(DRAW.normal(size=120), 2) + DRAW.normal(size=240)
OTHERS = 0.5 * SCORES + DRAW.normal(size=240)


def all_limits() -> dict[str, Limits]:
    called, theirs = (SCORES > 0.8).astype(int), (OTHERS > 0.4).astype(int)
    return {
        "area": area(LABELS, SCORES, PATIENTS),
        "area difference": area_difference(LABELS, SCORES, OTHERS, PATIENTS),
        "share": share(called, PATIENTS, positives=int(LABELS.sum())),
        "share difference": share_difference(count_pairs(called, theirs, PATIENTS), positives=80),
        "mean": positive_mean((SCORES - LABELS) ** 2, PATIENTS, positives=80),
    }


@pytest.mark.parametrize("name", list(all_limits()))
@pytest.mark.parametrize("alpha", [0.001, 0.025, 0.2])
def test_the_p_value_is_alpha_exactly_where_the_limit_meets_the_bound(name: str, alpha: float) -> None:
    limits = all_limits()[name]
    found = limits.interval(1.0 - 2.0 * alpha)

    assert limits.p_above(found.low) == pytest.approx(alpha, rel=1e-4)
    assert limits.p_below(found.high) == pytest.approx(alpha, rel=1e-4)
    assert limits.p_above(found.high) == pytest.approx(1.0 - alpha, rel=1e-4)
    assert found.low < found.value < found.high


def test_an_area_has_obuchowskis_logit_interval_but_for_students_quantile() -> None:
    plain, limits = clustered.auroc(LABELS, SCORES, PATIENTS), area(LABELS, SCORES, PATIENTS)

    assert limits.value == plain.value
    assert limits.at(1.959964)[0] == pytest.approx(plain.low, abs=1e-6)
    assert limits.interval(0.95).low < plain.low
    assert limits.degrees == clustered.areas(LABELS, SCORES, PATIENTS).smaller - 1


def test_a_share_has_the_interval_of_reports_but_for_students_quantile() -> None:
    called = (SCORES > 0.8).astype(int)
    plain = clustered_proportion.share(called, PATIENTS)
    limits = share(called, PATIENTS, positives=0)

    assert limits.at(1.959964) == pytest.approx((plain.low, plain.high), abs=1e-6)
    assert limits.degrees == 119


def test_paired_shares_of_patients_with_one_film_each_have_tangos_limit_and_score() -> None:
    first = np.repeat([1, 1, 0, 0], [70, 4, 7, 19])
    second = np.repeat([1, 0, 1, 0], [70, 4, 7, 19])

    limits = share_difference(count_pairs(first, second, np.arange(100)), positives=100)
    textbook = non_inferiority(PairedTable(70, 4, 7, 19), margin=0.1)

    assert limits.at(1.959964)[0] == pytest.approx(textbook.difference.low, abs=1e-6)
    assert limits.distance(-0.1) == pytest.approx(textbook.z)


def test_films_of_a_patient_that_agree_widen_every_interval() -> None:
    called = np.repeat((DRAW.random(120) < 0.8).astype(int), 2)

    by_patient, by_film = (share(called, keys, positives=0).interval(0.95) for keys in (PATIENTS, np.arange(240)))

    assert by_patient.low < by_film.low


def test_two_areas_near_one_have_a_limit_farther_down_than_walds() -> None:
    strong = LABELS * 4.5 + DRAW.normal(size=240)
    stronger = LABELS * 5.0 + DRAW.normal(size=240)

    wald = clustered.paired_difference(LABELS, strong, stronger, PATIENTS).difference
    ours = area_difference(LABELS, strong, stronger, PATIENTS).interval(0.95)

    assert ours.value == pytest.approx(wald.value)
    assert ours.low < wald.low


def test_two_perfect_models_are_not_proven_equal_by_a_few_patients() -> None:
    few = slice(0, 24)
    found = area_difference(LABELS[few], LABELS[few] * 2.0, LABELS[few] + DRAW.random(24) / 2, PATIENTS[few])

    assert found.value == 0.0
    assert found.interval(0.95).low < -0.2


def test_readings_that_never_differ_are_worth_one_pair_per_patient() -> None:
    same = np.ones(240, dtype=int)
    limits = share_difference(count_pairs(same, same, PATIENTS), positives=240)
    quantile = student_quantile(0.95, 119)

    assert limits.interval(0.95).low == pytest.approx(-(quantile**2) / (120 + quantile**2))


def test_a_bound_that_no_quantile_reaches_has_a_p_value_of_zero() -> None:
    assert area_difference(LABELS, SCORES, OTHERS, PATIENTS).p_above(-2.0) == 0.0


def test_students_quantile_is_that_of_scipy() -> None:
    assert student_quantile(0.95, 12) == pytest.approx(student.ppf(0.975, 12))
    with pytest.raises(NotEstimable, match=r"1\.0"):
        student_quantile(1.0, 12)


def test_what_has_no_limits_is_refused() -> None:
    with pytest.raises(TooFewSamples, match="no samples"):
        share([], [], positives=0)
    with pytest.raises(TooFewSamples, match="One cluster"):
        share([1, 0], ["p", "p"], positives=1)
    with pytest.raises(TooFewSamples, match="One cluster"):
        share_difference(count_pairs([1, 0], [0, 0], ["p", "p"]), positives=1)
    with pytest.raises(NotEstimable, match="mean of 0"):
        positive_mean([0.0, 0.0], ["p", "q"], positives=1)
    with pytest.raises(NotEstimable, match="same samples"):
        area_difference(LABELS, SCORES, OTHERS[:-1], PATIENTS)
