"""Proportions at a threshold carry Wilson intervals, and a threshold keeps the sensitivity it was chosen for."""

import numpy as np
import pytest

from domain.errors import NotEstimable, OneClassOnly, TooFewSamples
from evidence.statistics import operating_point as op


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [  # Newcombe's proportions (Stat Med 17:857, 1998); limits by R binom 1.1, method "wilson"
        (81, 263, 0.255288519878274, 0.3662095769828),
        (15, 148, 0.0623863995307363, 0.160487241723308),
        (0, 20, 0.0, 0.161125158052819),
        (1, 29, 0.00611321429276266, 0.171755218793203),
        (10, 10, 0.722467200137111, 1.0),
        (48, 50, 0.86539909312493, 0.98896111567238),
    ],
)
def test_wilson_limits_are_the_published_ones(successes: int, n: int, low: float, high: float) -> None:
    found = op.wilson(successes, n)
    assert (found.value, found.low, found.high) == pytest.approx((successes / n, low, high), abs=1e-12)
    assert (found.method, found.n, found.level) == ("Wilson", n, 0.95)


def test_wilson_is_scipys_at_other_levels() -> None:
    from scipy.stats import binomtest

    found = op.wilson(37, 61, level=0.9)
    expected = binomtest(37, 61).proportion_ci(0.9, method="wilson")
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_predictive_values_of_scott_2008_are_those_of_epir() -> None:
    counts = op.Confusion(true_positives=670, false_positives=202, false_negatives=74, true_negatives=640)
    assert op.sensitivity(counts).value == pytest.approx(0.900537634408602)
    assert op.specificity(counts).value == pytest.approx(0.760095011876485)
    ppv, npv = op.ppv(counts), op.npv(counts)
    assert (ppv.value, ppv.low, ppv.high) == pytest.approx((0.768348623853211, 0.739206505644483, 0.795136776791763))
    assert (npv.value, npv.low, npv.high) == pytest.approx((0.896358543417367, 0.871840063717251, 0.916634874648462))


def test_each_proportion_says_how_many_of_its_samples_carry_the_finding() -> None:
    counts = op.Confusion(true_positives=8, false_positives=3, false_negatives=2, true_negatives=7)
    found = [f(counts) for f in (op.sensitivity, op.specificity, op.ppv, op.npv)]
    assert [(e.n, e.positives) for e in found] == [(10, 10), (10, 0), (11, 8), (9, 2)]


def test_a_score_at_the_threshold_is_called_positive() -> None:
    counts = op.confusion([1, 1, 0, 0], [0.5, 0.4, 0.5, 0.1], threshold=0.5)
    assert counts == op.Confusion(true_positives=1, false_positives=1, false_negatives=1, true_negatives=1)
    assert counts.n == 4


def test_confusion_is_scikit_learns() -> None:
    from sklearn.metrics import confusion_matrix

    draw = np.random.default_rng(0)
    labels, scores = draw.integers(0, 2, 200), draw.random(200)
    found = op.confusion(labels, scores, threshold=0.3)
    expected = confusion_matrix(labels, scores >= 0.3).ravel().tolist()
    assert [found.true_negatives, found.false_positives, found.false_negatives, found.true_positives] == expected


def test_no_samples_have_no_proportion() -> None:
    with pytest.raises(TooFewSamples):
        op.ppv(op.Confusion(true_positives=0, false_positives=0, false_negatives=1, true_negatives=1))
    with pytest.raises(NotEstimable):
        op.wilson(3, 2)


@pytest.mark.parametrize("target", [0.5, 0.9, 0.95, 1.0])
def test_chosen_threshold_is_the_most_specific_of_all_that_keep_the_sensitivity(target: float) -> None:
    draw = np.random.default_rng(5)
    labels = draw.integers(0, 2, 300)
    scores = np.round(draw.normal(labels, 1.0), 2)
    chosen = op.choose_threshold(labels, scores, min_sensitivity=target)
    counts = op.confusion(labels, scores, threshold=chosen.threshold)
    assert op.sensitivity(counts).value >= target
    every = [op.confusion(labels, scores, threshold=t) for t in np.unique(scores)]
    best = max(op.specificity(c).value for c in every if op.sensitivity(c).value >= target)
    assert op.specificity(counts).value == best
    assert chosen.chosen_on == "tune"
    assert f"≥ {target:g}" in chosen.rule


def test_chosen_threshold_is_on_no_score_so_that_rounding_elsewhere_changes_no_decision() -> None:
    labels, scores = [0, 0, 1, 0, 1, 1], np.array([0.1, 0.2, 0.6, 0.55, 0.7, 0.8])
    chosen = op.choose_threshold(labels, scores, min_sensitivity=1.0)
    assert chosen.threshold == pytest.approx(0.575)
    assert op.confusion(labels, scores - 1e-6, threshold=chosen.threshold) == op.confusion(
        labels, scores + 1e-6, threshold=chosen.threshold
    )


def test_twenty_positives_at_95_percent_may_lose_one_and_not_two() -> None:
    labels = np.ones(21, dtype=int)
    labels[0] = 0
    chosen = op.choose_threshold(labels, np.arange(21.0), min_sensitivity=0.95)
    assert op.confusion(labels, np.arange(21.0), threshold=chosen.threshold).false_negatives == 1


def test_a_threshold_cannot_be_chosen_on_one_class_or_for_an_impossible_target() -> None:
    with pytest.raises(OneClassOnly):
        op.choose_threshold([1, 1], [0.1, 0.2], min_sensitivity=0.9)
    with pytest.raises(NotEstimable):
        op.choose_threshold([0, 1], [0.1, 0.2], min_sensitivity=0.0)


def test_the_interval_of_a_proportion_can_be_chosen() -> None:
    counts = op.Confusion(true_positives=670, false_positives=202, false_negatives=74, true_negatives=640)
    se = op.sensitivity(counts, interval="clopper-pearson")
    sp = op.specificity(counts, interval="clopper-pearson")
    assert (se.low, se.high) == pytest.approx((0.876746176795711, 0.921092299583694))  # epiR 2.0.57, "exact"
    assert (sp.low, sp.high) == pytest.approx((0.729776463203555, 0.788580324575101))
    assert op.ppv(counts, interval="agresti-coull").method == "Agresti–Coull"
    assert op.npv(counts, interval="jeffreys").method == "Jeffreys"


def test_a_score_where_lower_means_positive_gives_the_counts_of_its_mirror() -> None:
    draw = np.random.default_rng(2)
    labels, scores = draw.integers(0, 2, 60), draw.integers(0, 9, 60)
    assert op.confusion(labels, scores, threshold=4, higher_means_positive=False) == op.confusion(
        labels, -scores, threshold=-4
    )


def test_labels_of_any_name_become_the_positive_ones() -> None:
    assert op.labels_from(["Poor", "Good", "Poor"], positive="Poor", negative="Good").tolist() == [True, False, True]
    assert op.labels_from([2, 1, 3], positive=3).tolist() == [False, False, True]


def test_a_misspelt_or_third_label_is_refused() -> None:
    with pytest.raises(OneClassOnly, match="poor"):
        op.labels_from(["Poor", "Good"], positive="poor")
    with pytest.raises(NotEstimable, match="Unknown"):
        op.labels_from(["Poor", "Good", "Unknown"], positive="Poor", negative="Good")
    with pytest.raises(TooFewSamples):
        op.labels_from([], positive=1)
    with pytest.raises(NotEstimable):
        op.labels_from([[1, 0]], positive=1)


def test_a_threshold_that_is_no_number_is_refused() -> None:
    with pytest.raises(NotEstimable):
        op.confusion([0, 1], [0.1, 0.2], threshold=float("nan"))


def test_youdens_interval_is_newcombes_of_two_independent_proportions() -> None:
    from statsmodels.stats.proportion import confint_proportions_2indep

    counts = op.Confusion(true_positives=56, false_positives=48, false_negatives=14, true_negatives=32)
    found = op.youden(counts)
    expected = confint_proportions_2indep(56, 70, 48, 80, method="newcomb")
    assert found.value == pytest.approx(56 / 70 - 48 / 80)
    assert (found.low, found.high) == pytest.approx(expected, abs=1e-12)
    # Newcombe, Stat Med 17:873 (1998), table II, contrast 56/70 − 48/80, method 10
    assert (found.low, found.high) == pytest.approx((0.0524, 0.3339), abs=5e-5)
