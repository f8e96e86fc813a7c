"""U-statistics: every moment counted pair by pair, unbiased over many studies, for any pattern of readings."""

from itertools import product

import numpy as np
import pytest

from domain.errors import NotEstimable, TooFewSamples
from evidence.statistics import mrmc_ustatistics as u
from evidence.statistics import roc
from evidence.statistics.mrmc_study import ReaderStudy, crossed_study


def study(readers: int = 4, cases: int = 40, *, seed: int = 0, unread: float = 0.0) -> ReaderStudy:
    draw = np.random.default_rng(seed)
    truth = np.arange(cases) % 2
    shared = draw.normal(0, 0.7, cases) + draw.normal(0, 0.4, (2, 1, cases)) + draw.normal(0, 0.4, (readers, cases))
    table = np.round(
        (1.3 + draw.normal(0, 0.3, (1, readers, 1))) * truth + shared + draw.normal(0, 0.6, shared.shape), 1
    )
    table[draw.random(table.shape) < unread] = np.nan
    return crossed_study(truth, table)


def counted(one: ReaderStudy, first: int, second: int) -> np.ndarray:
    """The eight moments, by looking at every pair of successes."""
    sums, counts = np.zeros(8), np.zeros(8)
    positives, negatives = np.flatnonzero(one.truth), np.flatnonzero(~one.truth)

    def successes(test: int) -> list[tuple[int, int, int, float]]:
        found = []
        for r, p, n in product(range(len(one.readers)), positives, negatives):
            gap = one.ratings[test, r, p] - one.ratings[test, r, n]
            if np.isfinite(gap):
                found.append((r, p, n, (np.sign(gap) + 1) / 2))
        return found

    for (r, p, n, s), (r2, p2, n2, s2) in product(successes(first), successes(second)):
        place = (0 if r == r2 else 4) + {(True, True): 0, (True, False): 1, (False, True): 2, (False, False): 3}[
            p == p2, n == n2
        ]
        sums[place] += s * s2
        counts[place] += 1
    return sums / counts


@pytest.mark.parametrize("unread", [0.0, 0.25])
def test_moments_are_means_over_pairs_of_successes(unread: float) -> None:
    one = study(readers=3, cases=12, unread=unread, seed=2)
    found = u.difference(one, "1", "2").of_test
    for moments, tests in zip(found, ((0, 0), (1, 1), (0, 1)), strict=True):
        assert moments.unbiased == pytest.approx(counted(one, *tests), abs=1e-12)


def test_area_of_a_crossed_study_is_the_mean_over_readers() -> None:
    one = study()
    areas = [roc.auroc(one.truth, row).value for row in one.ratings[0]]
    found = u.single_test(one, "1")
    assert found.estimate.value == pytest.approx(np.mean(areas), abs=1e-12)
    assert u.unbiased(one).values[0] == pytest.approx(areas, abs=1e-12)


def test_variance_is_the_components_over_their_numbers() -> None:
    moments = u.single_test(study(), "1").of_test[0]
    n, p, r = 20, 20, 4
    expected = [1 / n, 1 / p, 1 / (n * p), 1 / r, 1 / (n * r), 1 / (p * r), 1 / (n * p * r)]
    assert moments.component_coefficients == pytest.approx(expected)
    assert moments.variance == pytest.approx(moments.components @ expected, abs=1e-15)


def test_variances_are_unbiased_and_the_biased_one_is_not_negative() -> None:
    means, variances = [], []
    for seed in range(250):
        one = study(readers=3, cases=24, seed=seed)
        try:
            found = u.difference(one, "1", "2")
        except NotEstimable:  # the unbiased variance can come out negative
            a, b, both = (u._moments(u._pairs(one, x), u._pairs(one, y)) for x, y in ("11", "22", "12"))
            variances.append(a.variance + b.variance - 2 * both.variance)
            means.append(u._area(u._pairs(one, "1")) - u._area(u._pairs(one, "2")))
            continue
        means.append(found.estimate.value)
        variances.append(found.variance)
        assert found.variance_biased >= 0
    assert np.mean(variances) == pytest.approx(np.var(means, ddof=1), rel=0.2)


def test_swapping_the_tests_turns_the_sign_alone() -> None:
    one = study(unread=0.1)
    there, back = u.difference(one, "1", "2"), u.difference(one, "2", "1")
    assert there.estimate.value == pytest.approx(-back.estimate.value)
    assert (there.variance, there.p_value, there.df) == pytest.approx((back.variance, back.p_value, back.df))


def test_split_plot_readers_share_no_cases_and_still_have_a_variance() -> None:
    one = study(readers=4, cases=80)
    table = one.ratings.copy()
    table[:, :2, 40:] = table[:, 2:, :40] = np.nan
    found = u.difference(crossed_study(one.truth, table), "1", "2")
    assert found.variance > 0
    assert found.estimate.low < found.estimate.value < found.estimate.high


def test_student_interval_is_wider_than_the_normal_one_with_few_readers() -> None:
    found = u.difference(study(readers=3), "1", "2")
    assert found.df < 50
    assert found.with_df.high - found.with_df.low > found.estimate.high - found.estimate.low
    assert found.p_value_with_df > found.p_value


def test_one_reader_does_not_show_how_readers_vary() -> None:
    with pytest.raises(TooFewSamples):
        u.single_test(study(readers=1), "1")


def test_an_unknown_test_is_refused_with_the_names_that_exist() -> None:
    with pytest.raises(NotEstimable, match="1, 2"):
        u.single_test(study(), "3")


def test_a_single_positive_case_gives_no_variance() -> None:
    one = study(cases=8)
    truth = np.arange(8) == 1
    with pytest.raises(NotEstimable):
        u.single_test(crossed_study(truth, one.ratings), "1")
