"""Resampling patients: the fast area agrees with the plain one, with scipy, and covers what it should."""

import math
from statistics import NormalDist

import numpy as np
import pytest

from domain.errors import NotEstimable, OneClassOnly, TooFewSamples
from evidence.statistics import bootstrap, bootstrap_auroc, clustered, roc
from evidence.statistics.bootstrap import Resampling, cluster_bootstrap
from evidence.statistics.placements import placements


def films(patients: int = 60, *, seed: int = 0, per_patient: int = 3, decimals: int = 1) -> tuple[np.ndarray, ...]:
    """Labels, two scores and patients: films of one patient alike, some patients with films of both classes."""
    draw = np.random.default_rng(seed)
    patient = np.repeat(np.arange(patients), draw.integers(1, per_patient + 1, patients))
    labels = ((patient % 2 == 1) ^ (draw.random(patient.size) < 0.15)).astype(int)
    shared = draw.normal(0, 1, patients)[patient] + 1.2 * labels
    scores = np.round(shared + draw.normal(0, 0.6, (2, patient.size)), decimals)
    return labels, scores[0], scores[1], patient


def area(labels: np.ndarray, scores: np.ndarray) -> float:
    return float(placements(labels, scores).areas[0])


@pytest.mark.parametrize("method", ["BCa", "percentile"])
def test_weighted_counting_gives_what_resampled_rows_give(method: str) -> None:
    labels, scores, _, patient = films()
    resampling = Resampling(method, resamples=300, seed=4)
    fast = bootstrap_auroc.auroc(labels, scores, patient, resampling=resampling)
    plain = cluster_bootstrap(patient, lambda rows: area(labels[rows], scores[rows]), resampling=resampling)
    assert fast.value == pytest.approx(area(labels, scores))
    assert (fast.low, fast.high) == pytest.approx((plain.low, plain.high))
    assert fast.method == f"{method} bootstrap of clusters, 300 resamples"


def test_paired_difference_resamples_both_columns_together() -> None:
    labels, a, b, patient = films(seed=1)
    resampling = Resampling(resamples=300)
    fast = bootstrap_auroc.paired_difference(labels, a, b, patient, resampling=resampling)

    def plain(rows: np.ndarray) -> float:
        return area(labels[rows], a[rows]) - area(labels[rows], b[rows])

    slow = cluster_bootstrap(patient, plain, resampling=resampling)
    assert (fast.value, fast.low, fast.high) == pytest.approx((slow.value, slow.low, slow.high))


@pytest.mark.parametrize("seed", range(3))
def test_leaving_each_patient_out_in_one_pass_is_leaving_each_out(seed: int) -> None:
    labels, scores, _, patient = films(seed=seed)
    found = bootstrap_auroc.leave_one_out(labels, scores, patient)
    expected = [area(labels[patient != k], scores[patient != k]) for k in np.unique(patient)]
    assert found == pytest.approx(expected, abs=1e-12)


def test_bca_ends_are_scipys_on_the_same_kind_of_resamples() -> None:
    from scipy.stats import bootstrap as scipy_bootstrap

    values = np.random.default_rng(0).exponential(1.0, 40)
    ours = cluster_bootstrap(
        np.arange(40), lambda rows: float(values[rows].mean()), resampling=Resampling(resamples=8000)
    )
    theirs = scipy_bootstrap((values,), np.mean, n_resamples=8000, method="BCa", rng=np.random.default_rng(1))
    spread = ours.high - ours.low
    assert ours.low == pytest.approx(theirs.confidence_interval.low, abs=0.03 * spread)
    assert ours.high == pytest.approx(theirs.confidence_interval.high, abs=0.03 * spread)
    assert ours.high - ours.value > ours.value - ours.low


def test_interval_is_obuchowskis_where_samples_are_many_and_wider_than_delongs() -> None:
    labels, scores, _, patient = films(patients=600, per_patient=5)
    found = bootstrap_auroc.auroc(labels, scores, patient, resampling=Resampling(resamples=1000))
    wald = clustered.auroc(labels, scores, patient, interval="wald")
    assert found.high - found.low == pytest.approx(wald.high - wald.low, rel=0.1)
    ignoring = roc.auroc(labels, scores)
    assert found.high - found.low > 1.15 * (ignoring.high - ignoring.low)


def test_interval_of_patients_covers_the_true_area() -> None:
    draw, inside, truth = np.random.default_rng(11), 0, NormalDist().cdf(1.0)
    patient = np.repeat(np.arange(60), 3)
    labels = (patient % 2).astype(int)
    for _ in range(200):
        # Total variance 1 per film, half of it the patient's; means √2 apart.
        scores = math.sqrt(2) * labels + math.sqrt(0.5) * (draw.normal(size=60)[patient] + draw.normal(size=180))
        found = bootstrap_auroc.auroc(labels, scores, patient, resampling=Resampling(resamples=300))
        inside += found.low < truth < found.high
    assert 0.90 <= inside / 200 <= 0.985


def test_the_same_seed_gives_the_same_interval_and_another_seed_another() -> None:
    labels, scores, _, patient = films()
    one, same, other = (
        bootstrap_auroc.auroc(labels, scores, patient, resampling=Resampling(resamples=200, seed=seed))
        for seed in (0, 0, 1)
    )
    assert one == same != other


def test_names_and_order_of_patients_and_rising_transforms_change_nothing() -> None:
    labels, scores, _, patient = films()
    words = np.array([f"p{k:03d}" for k in patient])
    resampling = Resampling(resamples=200)
    one = bootstrap_auroc.auroc(labels, scores, patient, resampling=resampling)
    assert one == bootstrap_auroc.auroc(labels, np.exp(scores), words, resampling=resampling)
    order = np.random.default_rng(0).permutation(labels.size)
    assert one == bootstrap_auroc.auroc(labels[order], scores[order], patient[order], resampling=resampling)


def test_perfect_separation_is_refused_since_every_resample_is_perfect() -> None:
    with pytest.raises(NotEstimable, match="same value"):
        bootstrap_auroc.auroc([0] * 10 + [1] * 10, np.arange(20), np.arange(20))


def test_too_few_patients_of_a_class_are_refused() -> None:
    labels = np.repeat([0, 1], [40, 2])
    scores = np.arange(42) % 7
    with pytest.raises(TooFewSamples, match="no value"):
        bootstrap_auroc.auroc(labels, scores, np.arange(42))
    with pytest.raises(TooFewSamples, match="all samples of a class"):
        bootstrap_auroc.auroc(labels, scores, np.append(np.arange(40), [40, 40]))
    with pytest.raises(TooFewSamples):
        bootstrap_auroc.auroc([0, 1], [1, 2], ["a", "a"])


@pytest.mark.parametrize("level", [0.0, 1.0, 1.5, math.nan])
def test_a_level_that_is_none_is_refused(level: float) -> None:
    labels, scores, _, patient = films()
    with pytest.raises(NotEstimable):
        bootstrap_auroc.auroc(labels, scores, patient, resampling=Resampling(resamples=50, level=level))


def test_one_class_bad_scores_and_missing_patients_are_refused() -> None:
    with pytest.raises(OneClassOnly):
        bootstrap_auroc.auroc([1, 1], [1, 2], [1, 2])
    with pytest.raises(NotEstimable):
        bootstrap_auroc.auroc([0, 1], [1, math.nan], [1, 2])
    with pytest.raises(NotEstimable):
        bootstrap_auroc.auroc([0, 1], [1, 2], ["a", ""])
    with pytest.raises(NotEstimable):
        bootstrap_auroc.paired_difference([0, 1], [1, 2], [1, 2, 3], [1, 2])
    with pytest.raises(NotEstimable):
        bootstrap_auroc.auroc([0, 1], [[1, 2], [2, 1]], [1, 2])


def test_a_statistic_without_a_finite_value_or_without_spread_is_refused() -> None:
    with pytest.raises(NotEstimable, match="nan"):
        cluster_bootstrap([1, 2, 3], lambda rows: math.nan)
    with pytest.raises(NotEstimable, match="same value"):
        cluster_bootstrap([1, 2, 3], lambda rows: 1.0)
    with pytest.raises(TooFewSamples):
        cluster_bootstrap([1, 1], lambda rows: float(rows.size))


def test_values_on_one_side_of_all_resamples_have_no_bca_interval() -> None:
    with pytest.raises(NotEstimable, match="one side"):
        bootstrap.limits(2.0, np.array([0.0, 1.0]), np.array([1.0, 2.0]), resampling=Resampling())


def test_a_cluster_drawn_twice_counts_twice() -> None:
    sizes: set[int] = set()

    def statistic(rows: np.ndarray) -> float:
        sizes.add(rows.size)
        return float(rows.mean())

    cluster_bootstrap([0, 0, 0, 1], statistic, resampling=Resampling("percentile", resamples=50))
    assert sizes == {2, 4, 6}
