"""Thresholds are the best of all there are; a sensitivity at a fixed specificity knows that its own is estimated."""

import numpy as np
import pytest

from domain.errors import NotEstimable, OneClassOnly
from evidence.statistics import operating_point as op
from evidence.statistics import threshold as th


def drawn(seed: int, n: int = 200) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    labels = draw.integers(0, 2, n)
    return labels, np.round(draw.normal(labels, 1.0), 1)


@pytest.mark.parametrize("higher", [True, False])
@pytest.mark.parametrize("seed", range(5))
def test_every_cut_is_the_best_of_all_and_gives_what_it_says(seed: int, higher: bool) -> None:
    labels, scores = drawn(seed)
    every = []
    for cut in [*(np.unique(scores) + (-0.05 if higher else 0.05)), np.inf, -np.inf]:
        counts = op.confusion(labels, scores, threshold=cut, higher_means_positive=higher)
        every.append((op.sensitivity(counts).value, op.specificity(counts).value))
    best = th.youden_cut(labels, scores, higher_means_positive=higher)
    sensitive = th.most_sensitive_cut(labels, scores, min_specificity=0.9, higher_means_positive=higher)
    specific = th.most_specific_cut(labels, scores, min_sensitivity=0.8, higher_means_positive=higher)
    assert best.youden == pytest.approx(max(se + sp - 1 for se, sp in every))
    assert sensitive.sensitivity == max(se for se, sp in every if sp >= 0.9)
    assert specific.specificity == max(sp for se, sp in every if se >= 0.8)
    for cut in (best, sensitive, specific):
        counts = op.confusion(labels, scores, threshold=cut.threshold, higher_means_positive=higher)
        assert (cut.sensitivity, cut.specificity) == (op.sensitivity(counts).value, op.specificity(counts).value)


def test_cuts_depend_on_ranks_alone() -> None:
    labels, scores = drawn(7)
    plain = th.most_sensitive_cut(labels, scores, min_specificity=0.85)
    bent = th.most_sensitive_cut(labels, np.exp(scores), min_specificity=0.85)
    assert (plain.sensitivity, plain.specificity) == (bent.sensitivity, bent.specificity)


def test_youdens_threshold_lies_midway_between_two_scores() -> None:
    assert th.youden_cut([0, 0, 1, 1], [1.0, 2.0, 3.0, 4.0]).threshold == 2.5
    assert th.youden_cut([1, 1, 0, 0], [1.0, 2.0, 3.0, 4.0], higher_means_positive=False).threshold == 2.5


def test_scores_that_say_nothing_are_best_called_all_positive() -> None:
    cut = th.youden_cut([0, 1, 0, 1], [0.5] * 4)
    assert (cut.threshold, cut.sensitivity, cut.youden) == (-np.inf, 1.0, 0.0)


def test_the_same_specificity_can_be_asked_for_with_any_scores() -> None:
    for target, sensitivity in ((0.0, 1.0), (1.0, 0.0)):
        assert th.most_sensitive_cut([0, 1], [0.5, 0.5], min_specificity=target).sensitivity == sensitivity


def test_interpolation_reads_the_curve_between_its_points() -> None:
    labels, scores = [0, 0, 1, 1], [1.0, 2.0, 2.0, 3.0]
    assert th.interpolated_sensitivity(labels, scores, specificity=1.0) == 0.5
    assert th.interpolated_sensitivity(labels, scores, specificity=0.75) == pytest.approx(0.75)
    assert th.interpolated_sensitivity(labels, scores, specificity=0.5) == 1.0
    assert th.interpolated_specificity(labels, scores, sensitivity=0.75) == pytest.approx(0.75)
    assert th.interpolated_specificity(labels, scores, sensitivity=0.5) == 1.0


def test_interpolation_is_numpys_on_a_curve_without_vertical_parts() -> None:
    from sklearn.metrics import roc_curve

    labels, scores = drawn(9, 4000)
    false_positive, true_positive, _ = roc_curve(labels, scores, drop_intermediate=False)
    for target in (0.55, 0.8, 0.93):
        found = th.interpolated_sensitivity(labels, scores, specificity=target)
        assert found == pytest.approx(np.interp(1 - target, false_positive, true_positive), abs=1e-9)


def test_the_interval_at_a_fixed_specificity_covers_the_truth_where_a_binomial_one_would_not() -> None:
    from scipy.stats import norm

    draw = np.random.default_rng(4)
    truth, hits, fixed = 1 - norm.cdf(norm.ppf(0.9) - 1.5), 0, 0
    labels = np.repeat([1, 0], [200, 60])
    for seed in range(200):
        scores = draw.normal(1.5 * labels, 1.0)
        found = th.sensitivity_at_specificity(labels, scores, specificity=0.9, replicates=400, seed=seed)
        naive = op.wilson(round(found.value * 200), 200)
        hits += found.low <= truth <= found.high
        fixed += naive.low <= truth <= naive.high
    assert hits / 200 >= 0.92
    assert fixed / 200 <= 0.85


def test_the_interval_is_repeatable_and_holds_its_value() -> None:
    labels, scores = drawn(3)
    one, other = (th.sensitivity_at_specificity(labels, scores, specificity=0.9, seed=5) for _ in range(2))
    assert one == other
    assert one.low <= one.value <= one.high
    assert one.value == th.most_sensitive_cut(labels, scores, min_specificity=0.9).sensitivity


def test_perfect_separation_still_leaves_an_interval() -> None:
    found = th.sensitivity_at_specificity([0] * 20 + [1] * 20, np.arange(40.0), specificity=0.9)
    assert (found.value, found.high) == (1.0, pytest.approx(1.0))
    assert 0.75 < found.low < 0.95


def test_specificity_at_a_sensitivity_is_the_mirror() -> None:
    labels, scores = drawn(6)
    found = th.specificity_at_sensitivity(labels, scores, sensitivity=0.9)
    assert found.value == th.most_specific_cut(labels, scores, min_sensitivity=0.9).specificity
    assert "at sensitivity" in found.method
    assert found.positives == labels.sum()


def test_what_cannot_be_asked_is_refused() -> None:
    labels, scores = drawn(1)
    with pytest.raises(OneClassOnly):
        th.youden_cut([1, 1], [0.1, 0.2])
    with pytest.raises(NotEstimable):
        th.most_sensitive_cut(labels, scores, min_specificity=1.2)
    with pytest.raises(NotEstimable):
        th.interpolated_specificity(labels, scores, sensitivity=float("nan"))
    with pytest.raises(NotEstimable):
        th.sensitivity_at_specificity(labels, scores, specificity=0.9, replicates=10)
    with pytest.raises(NotEstimable):
        th.sensitivity_at_specificity(labels, scores, specificity=0.9, level=1.0)
