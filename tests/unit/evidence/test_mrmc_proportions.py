"""Sensitivity and specificity over readers and cases: pairs counted one by one, coverage, refusals."""

from itertools import product

import numpy as np
import pytest

from domain.errors import NotEstimable, TooFewSamples
from evidence.statistics.mrmc_proportions import reader_average, reader_difference
from evidence.statistics.mrmc_study import ReaderStudy, crossed_study


def study(readers: int = 5, cases: int = 60, *, seed: int = 0, unread: float = 0.0) -> ReaderStudy:
    draw = np.random.default_rng(seed)
    truth = np.arange(cases) % 2
    shared = draw.normal(0, 0.8, cases) + draw.normal(0, 0.3, (2, 1, cases)) + draw.normal(0, 0.5, (readers, 1))
    table = 1.3 * truth + shared + draw.normal(0, 0.6, (2, readers, cases))
    table[draw.random(table.shape) < unread] = np.nan
    return crossed_study(truth, table)


@pytest.mark.parametrize("unread", [0.0, 0.3])
def test_variance_is_that_of_counted_pairs(unread: float) -> None:
    one = study(readers=3, cases=14, unread=unread, seed=4)
    calls = [(r, k, float(x >= 0.5)) for r, row in enumerate(one.ratings[0]) for k, x in enumerate(row)
             if one.truth[k] and np.isfinite(x)]  # fmt: skip
    kinds: dict[tuple[bool, bool], list[float]] = {}
    for (r, k, x), (r2, k2, x2) in product(calls, calls):
        kinds.setdefault((r == r2, k == k2), []).append(x * x2)
    total = len(calls) ** 2
    expected = sum(len(pairs) / total * np.mean(pairs) for pairs in kinds.values()) - np.mean(kinds[False, False])
    found = reader_average(one, "1", of="sensitivity", threshold=0.5)
    assert found.variance == pytest.approx(expected, abs=1e-12)
    assert found.estimate.value == pytest.approx(np.mean([x for _, _, x in calls]))


def test_specificity_is_the_sensitivity_of_the_turned_question() -> None:
    one = study()
    turned = crossed_study(~one.truth, -one.ratings)
    found = reader_average(one, "1", of="specificity", threshold=0.51234)
    other = reader_average(turned, "1", of="sensitivity", threshold=-0.51234)
    assert (found.estimate.value, found.variance) == pytest.approx((other.estimate.value, other.variance))
    assert (found.estimate.n, found.estimate.positives) == (30, 0)


def test_mean_rating_needs_no_threshold() -> None:
    one = study()
    assert reader_average(one, "2", of="mean rating").estimate.value == pytest.approx(one.ratings[1].mean())


def test_variance_is_unbiased_over_many_studies() -> None:
    found = [reader_average(study(seed=s), "1", of="sensitivity", threshold=1.0) for s in range(300)]
    spread = np.var([one.estimate.value for one in found], ddof=1)
    assert np.mean([one.variance for one in found]) == pytest.approx(spread, rel=0.15)


def test_swapping_the_tests_turns_the_sign_alone() -> None:
    there, back = (
        reader_difference(study(unread=0.1), tests, of="specificity", threshold=0.5)
        for tests in (("1", "2"), ("2", "1"))
    )
    assert there.estimate.value == -back.estimate.value
    assert (there.variance, there.p_value) == pytest.approx((back.variance, back.p_value))


def test_what_has_no_value_is_refused() -> None:
    one = study()
    with pytest.raises(NotEstimable, match="threshold"):
        reader_average(one, "1", of="sensitivity")
    with pytest.raises(NotEstimable, match="no test"):
        reader_average(one, "9", of="mean rating")
    with pytest.raises(TooFewSamples):
        reader_average(study(readers=1), "1", of="mean rating")
    with pytest.raises(NotEstimable, match="variance"):
        reader_average(one, "1", of="sensitivity", threshold=-99.0)
    with pytest.raises(NotEstimable, match="no reading"):
        reader_average(crossed_study(np.zeros(60, dtype=int), one.ratings), "1", of="sensitivity", threshold=0.0)
