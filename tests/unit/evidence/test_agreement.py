"""Kappas and their kin agree with statsmodels, with scikit-learn, with published tables and with simulation."""

import numpy as np
import pytest

from domain.errors import NotEstimable, TooFewSamples
from evidence.statistics import agreement, ratings

# Krippendorff 2011: 12 units, 4 observers, gaps.
FOUR = [
    [1, 1, None, 1], [2, 2, 3, 2], [3, 3, 3, 3], [3, 3, 3, 3], [2, 2, 2, 2], [1, 2, 3, 4],
    [4, 4, 4, 4], [1, 1, 2, 1], [2, 2, 2, 2], [None, 5, 5, 5], [None, None, 1, 1], [None, 3, None, None],
]  # fmt: skip


def two_raters(n: int, seed: int, *, agree: float = 0.6) -> np.ndarray:
    draw = np.random.default_rng(seed)
    first = draw.choice(3, size=n, p=[0.5, 0.3, 0.2])
    second = np.where(draw.random(n) < agree, first, draw.choice(3, size=n, p=[0.5, 0.3, 0.2]))
    return np.stack([first, second], axis=1)


@pytest.mark.parametrize("weights", ["none", "linear", "quadratic"])
def test_cohens_kappa_is_scikit_learns(weights: agreement.Weights) -> None:
    from sklearn.metrics import cohen_kappa_score

    pair = two_raters(150, 1)
    found = agreement.cohen_kappa(ratings.cross_table(*pair.T)[0], weights=weights)
    expected = cohen_kappa_score(*pair.T, weights=None if weights == "none" else weights)
    assert found.kappa.value == pytest.approx(expected)


@pytest.mark.parametrize(("weights", "name"), [("none", None), ("linear", "linear"), ("quadratic", "quadratic")])
def test_cohens_standard_errors_are_statsmodels(weights: agreement.Weights, name: str | None) -> None:
    from statsmodels.stats.inter_rater import cohens_kappa

    table = np.array([[88, 14, 18], [10, 40, 10], [2, 6, 12]])
    expected = cohens_kappa(table, wt=name)
    found = agreement.cohen_kappa(table, weights=weights)
    assert found.standard_error == pytest.approx(expected.std_kappa)
    assert found.null_standard_error == pytest.approx(expected.std_kappa0)
    assert [found.kappa.low, found.kappa.high] == pytest.approx([expected.kappa_low, expected.kappa_upp])
    assert found.p_value == pytest.approx(expected.pvalue_two_sided, abs=1e-15)


def test_exchanging_the_raters_or_the_order_of_categories_changes_nothing() -> None:
    table = np.array([[20, 5, 1], [3, 15, 6], [2, 2, 9]])
    ours = agreement.cohen_kappa(table, weights="linear")
    assert agreement.cohen_kappa(table.T, weights="linear").kappa.low == pytest.approx(ours.kappa.low)
    assert agreement.cohen_kappa(table[::-1, ::-1], weights="linear").kappa.low == pytest.approx(ours.kappa.low)


def test_with_two_categories_weights_change_nothing_and_own_weights_are_taken() -> None:
    table = [[20, 5], [3, 15]]
    plain = agreement.cohen_kappa(table)
    assert agreement.cohen_kappa(table, weights="quadratic") == plain
    assert agreement.cohen_kappa(table, weights=np.eye(2)) == plain


def test_cohens_interval_holds_the_truth_about_95_times_in_100() -> None:
    held = 0
    for seed in range(400):
        found = agreement.cohen_kappa(ratings.cross_table(*two_raters(150, seed).T)[0]).kappa
        held += found.low <= 0.6 <= found.high  # same marginals, so kappa is the share that copies
    assert 368 <= held <= 392


def test_raters_who_always_agree_get_an_interval_below_one() -> None:
    found = agreement.cohen_kappa([[30, 0], [0, 10]]).kappa
    assert found.value == found.high == 1.0 and 0.7 < found.low < 0.95
    assert "Wilson" in found.method
    assert agreement.gwet(ratings.counts_of_table([[30, 0], [0, 10]])).coefficient.low < 1.0


def test_fleiss_kappa_is_statsmodels_and_its_z_calls_chance_chance() -> None:
    from statsmodels.stats.inter_rater import fleiss_kappa

    draw = np.random.default_rng(3)
    scores = []
    for _ in range(300):
        counts = draw.multinomial(5, [0.5, 0.3, 0.2], size=40)
        found = agreement.fleiss_kappa(counts)
        assert found.kappa.value == pytest.approx(fleiss_kappa(counts))
        scores.append(found.z)
    assert np.std(scores) == pytest.approx(1.0, abs=0.12)


def test_fleiss_kappa_is_the_weighted_mean_of_its_categories_and_they_are_equal_when_there_are_two() -> None:
    counts = np.random.default_rng(4).multinomial(6, [0.5, 0.3, 0.2], size=30)
    found = agreement.fleiss_kappa(counts)
    weights = np.array([c.share * (1 - c.share) for c in found.categories])
    assert found.kappa.value == pytest.approx(weights @ [c.kappa for c in found.categories] / weights.sum())
    two = agreement.fleiss_kappa(counts[:, :2] + np.array([[0, 1]]) * counts[:, 2:])
    assert [c.kappa for c in two.categories] == pytest.approx([two.kappa.value] * 2)
    assert [c.z for c in two.categories] == pytest.approx([two.z] * 2)


def test_gwets_coefficient_is_the_published_one_with_gaps() -> None:
    found = agreement.gwet(ratings.category_counts(FOUR)[0])
    assert found.coefficient.value == pytest.approx(0.77544, abs=5e-6)
    assert found.standard_error == pytest.approx(0.14295, abs=5e-6)
    assert found.coefficient.low == pytest.approx(0.461, abs=5e-4) and found.coefficient.high == 1.0
    assert found.p_value == pytest.approx(0.000208721, abs=1e-9)
    assert (found.observed, found.expected) == pytest.approx((0.8181818, 0.1903212), abs=1e-7)


def test_gwet_on_a_table_has_the_variance_gwet_prints_for_two_raters() -> None:
    share = np.array([[40, 5, 2], [4, 30, 1], [3, 2, 13]]) / 100
    pi = (share.sum(axis=0) + share.sum(axis=1)) / 2
    chance = (pi * (1 - pi)).sum() / 2
    ac1 = (np.trace(share) - chance) / (1 - chance)
    inner = np.eye(3) - 2 * (1 - ac1) * 3 * (1 - np.add.outer(pi, pi) / 2) / 6
    variance = ((share * inner**2).sum() - (np.trace(share) - 2 * (1 - ac1) * chance) ** 2) / (100 * (1 - chance) ** 2)
    found = agreement.gwet(ratings.counts_of_table(share * 100), divisor="n")
    assert found.coefficient.value == pytest.approx(ac1)
    assert found.standard_error == pytest.approx(np.sqrt(variance))


def test_gwet_stays_high_where_kappa_falls_to_nothing_on_a_rare_finding() -> None:
    table = [[118, 5], [2, 0]]
    assert agreement.cohen_kappa(table).kappa.value < 0.0
    assert agreement.gwet(ratings.counts_of_table(table)).coefficient.value > 0.9


def test_a_category_nobody_used_counts_for_gwet_and_not_for_fleiss() -> None:
    counts = np.random.default_rng(5).multinomial(4, [0.6, 0.4], size=30)
    wider = np.pad(counts, ((0, 0), (0, 1)))
    assert agreement.gwet(wider).coefficient.value > agreement.gwet(counts).coefficient.value
    assert agreement.fleiss_kappa(wider) == agreement.fleiss_kappa(counts)


def test_what_the_data_cannot_support_is_refused() -> None:
    for refused in (
        lambda: agreement.cohen_kappa([[5, 0], [0, 0]]),
        lambda: agreement.cohen_kappa([[5, 1], [0, 2]], level=1.0),
        lambda: agreement.cohen_kappa([[5, 1], [0, 2]], weights=np.ones((3, 3))),
        lambda: agreement.cohen_kappa([[5, 1], [0, 2]], weights=np.array([[1.0, 2.0], [2.0, 1.0]])),
        lambda: agreement.fleiss_kappa([[3, 0], [1, 1]]),
        lambda: agreement.fleiss_kappa([[1, 0], [0, 1]]),
        lambda: agreement.fleiss_kappa([[3, 0], [3, 0]]),
        lambda: agreement.gwet([[1, 0], [0, 1]]),
        lambda: agreement.gwet([[3], [3]]),
        lambda: agreement.gwet([[3, 0], [1, 2]], level=0.0),
    ):
        with pytest.raises(NotEstimable):
            refused()
    with pytest.raises(TooFewSamples):
        agreement.fleiss_kappa([[3, 0]])
