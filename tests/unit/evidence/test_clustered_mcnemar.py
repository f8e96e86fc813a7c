"""Clustered McNemar tests: published values, McNemar where nobody repeats, and their error under the null."""

from collections.abc import Callable

import numpy as np
import pytest

from domain.errors import NotEstimable, TooFewSamples
from evidence.statistics import clustered_mcnemar as mcnemar
from evidence.statistics.clustered_mcnemar import ChiSquare, PairedCounts

Test = Callable[[PairedCounts], ChiSquare]
CLUSTERED: list[Test] = [mcnemar.obuchowski, mcnemar.durkalski, mcnemar.yang, mcnemar.eliasziw_donner]
# Obuchowski, Stat Med 17:1495 (1998), specificity of PET and SPECT for the parathyroid glands of 21 patients: per
# patient both negative, only PET, only SPECT, neither.
THYROIDS = np.array(
    [
        [0, 0, 2, 1], [2, 0, 1, 0], [3, 0, 0, 0], [1, 0, 0, 0], [2, 0, 1, 0], [4, 0, 0, 0], [3, 0, 0, 0], [2, 0, 0, 0],
        [1, 1, 0, 0], [1, 0, 0, 0], [2, 0, 0, 1], [2, 0, 0, 0], [3, 0, 0, 0], [2, 0, 0, 0], [0, 0, 2, 0],
        [2, 0, 0, 1], [2, 0, 0, 1], [2, 0, 1, 0], [2, 0, 0, 0], [1, 0, 0, 0], [2, 0, 0, 0],
    ]
)  # fmt: skip


def readings(
    patients: int = 80, *, seed: int = 0, gap: float = 0.0, alike: float = 0.8, films: int = 4
) -> PairedCounts:
    """Two readings, each right in about 80 % of films and more often so in some patients than in others."""
    draw = np.random.default_rng(seed)
    patient = np.repeat(np.arange(patients), draw.integers(1, films + 1, patients))
    ease = draw.normal(0.8, 0.4 * alike, (2, patients)).clip(0.02, 0.98)
    right = [draw.random(patient.size) < (ease[k] - (gap if k == 0 else 0.0))[patient] for k in range(2)]
    return mcnemar.count_pairs(right[0].astype(int), right[1].astype(int), patient)


def test_counts_come_from_readings_patient_by_patient() -> None:
    counts = mcnemar.count_pairs([1, 1, 0, 0, 1], [1, 0, 1, 0, 0], ["b", "a", "a", "a", "b"])
    assert counts.both.tolist() == [0, 1]
    assert counts.first_only.tolist() == [1, 1]
    assert counts.second_only.tolist() == [1, 0]
    assert counts.neither.tolist() == [1, 0]
    assert (counts.n, counts.gap.tolist()) == (5, [0, 1])


def test_statistics_of_the_parathyroid_glands_are_the_published_ones() -> None:
    counts = mcnemar.as_counts(*THYROIDS.T)
    assert (counts.n, counts.size.size) == (51, 21)
    found = {test.__name__: test(counts).statistic for test in (mcnemar.mcnemar, *CLUSTERED)}
    # Obuchowski 1998, Durkalski 2003 and Yang 2010, each in its paper.
    published = {"mcnemar": 4.5, "eliasziw_donner": 3.66, "obuchowski": 2.86, "durkalski": 2.32, "yang": 3.13}
    assert found == pytest.approx(published, abs=0.005)


def test_mcnemar_is_statsmodels_without_correction() -> None:
    from statsmodels.stats.contingency_tables import mcnemar as theirs

    counts = readings(gap=0.1)
    cells = (counts.both, counts.first_only, counts.second_only, counts.neither)
    table = np.array([cell.sum() for cell in cells]).reshape(2, 2)
    expected = theirs(table, exact=False, correction=False)
    found = mcnemar.mcnemar(counts)
    assert (found.statistic, found.p_value) == pytest.approx((expected.statistic, expected.pvalue))


def test_one_film_per_patient_is_mcnemar_up_to_the_small_sample_factor() -> None:
    counts = readings(patients=200, films=1)
    plain = mcnemar.mcnemar(counts).statistic
    assert mcnemar.durkalski(counts).statistic == pytest.approx(plain)
    assert mcnemar.obuchowski(counts).statistic == pytest.approx(plain * 199 / 200)
    with pytest.raises(NotEstimable, match="no correlation"):
        mcnemar.eliasziw_donner(counts)


@pytest.mark.parametrize("test", [mcnemar.mcnemar, *CLUSTERED])
def test_swapping_the_readings_or_their_meaning_changes_no_statistic(test: Test) -> None:
    counts = readings(gap=0.1, seed=1)
    swapped = PairedCounts(counts.both, counts.second_only, counts.first_only, counts.neither)
    turned = PairedCounts(counts.neither, counts.second_only, counts.first_only, counts.both)
    assert test(swapped).statistic == pytest.approx(test(counts).statistic)
    assert test(turned).statistic == pytest.approx(test(counts).statistic)


def test_copies_of_every_film_change_the_plain_test_only() -> None:
    once = readings(gap=0.1, seed=2)
    twice = PairedCounts(2 * once.both, 2 * once.first_only, 2 * once.second_only, 2 * once.neither)
    assert mcnemar.mcnemar(twice).statistic == pytest.approx(2 * mcnemar.mcnemar(once).statistic)
    for test in (mcnemar.obuchowski, mcnemar.durkalski, mcnemar.yang):
        assert test(twice).statistic == pytest.approx(test(once).statistic)
    one, two = mcnemar.difference(once), mcnemar.difference(twice)
    assert (one.value, one.low, one.high) == pytest.approx((two.value, two.low, two.high))


def test_equal_readings_are_rejected_in_about_five_of_a_hundred_tests_but_too_often_by_the_plain_one() -> None:
    drawn = [readings(seed=seed, alike=2.0, films=8) for seed in range(500)]
    for test in (mcnemar.obuchowski, mcnemar.durkalski, mcnemar.yang):
        assert 0.025 < np.mean([test(counts).p_value < 0.05 for counts in drawn]) < 0.08
    assert np.mean([mcnemar.mcnemar(counts).p_value < 0.05 for counts in drawn]) > 0.12


def test_interval_of_the_difference_covers_it() -> None:
    drawn = [mcnemar.difference(readings(seed=seed, alike=0.0, gap=0.15)) for seed in range(300)]
    assert 0.91 < np.mean([one.low < -0.15 < one.high for one in drawn]) < 0.985
    assert np.mean([one.value for one in drawn]) == pytest.approx(-0.15, abs=0.01)


def test_at_the_margin_a_share_is_non_inferior_in_about_alpha_of_the_draws() -> None:
    drawn = [readings(seed=seed, alike=0.0, gap=0.1) for seed in range(500)]
    claims = [mcnemar.non_inferior_share(counts, margin=0.1, alpha=0.05).non_inferior for counts in drawn]
    assert 0.02 < np.mean(claims) < 0.08


def test_non_inferiority_compares_the_limit_with_the_margin_and_refuses_a_wrong_one() -> None:
    counts = readings()
    found = mcnemar.non_inferior_share(counts, margin=0.1)
    assert found.difference == mcnemar.difference(counts)
    assert found.non_inferior == (found.difference.low > -0.1)
    with pytest.raises(NotEstimable, match="margin"):
        mcnemar.non_inferior_share(counts, margin=-0.1)


def test_a_patient_without_films_says_nothing() -> None:
    with_empty = np.concatenate([THYROIDS, np.zeros((3, 4), dtype=int)])
    for test in CLUSTERED:
        found = test(mcnemar.as_counts(*with_empty.T))
        assert found.statistic == test(mcnemar.as_counts(*THYROIDS.T)).statistic


def test_readings_that_never_differ_are_refused() -> None:
    counts = mcnemar.as_counts([3, 2, 1], [0, 0, 0], [0, 0, 0], [1, 1, 2])
    for test in (mcnemar.mcnemar, *CLUSTERED, mcnemar.difference):
        with pytest.raises(NotEstimable):
            test(counts)


def test_one_patient_alone_or_none_is_refused() -> None:
    for test in CLUSTERED:
        with pytest.raises(TooFewSamples):
            test(mcnemar.as_counts([3], [2], [1], [0]))
    with pytest.raises(TooFewSamples):
        mcnemar.eliasziw_donner(mcnemar.as_counts([3, 1], [2, 0], [1, 0], [0, 4]))
    with pytest.raises(TooFewSamples):
        mcnemar.as_counts([], [], [], [])
    with pytest.raises(TooFewSamples):
        mcnemar.count_pairs([], [], [])


@pytest.mark.parametrize("cells", [([1], [1], [1], [-1]), ([1], [1], [1], [0.5]), ([1, 2], [1], [1], [1])])
def test_counts_that_are_none_are_refused(cells: tuple[list[float], ...]) -> None:
    with pytest.raises(NotEstimable):
        mcnemar.as_counts(*cells)


def test_readings_that_are_none_are_refused() -> None:
    with pytest.raises(NotEstimable):
        mcnemar.count_pairs([0, 2], [0, 1], ["a", "b"])
    with pytest.raises(NotEstimable):
        mcnemar.count_pairs([0, 1], [0, 1, 1], ["a", "b"])
    with pytest.raises(NotEstimable):
        mcnemar.count_pairs([0, 1], [0, 1], ["a", ""])
