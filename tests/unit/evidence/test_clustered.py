"""Areas of clustered samples: Obuchowski's variance from its definition, and DeLong's where nobody repeats."""

import math

import numpy as np
import pytest

from domain.errors import NotEstimable, OneClassOnly, TooFewSamples
from evidence.statistics import clustered, roc, roc_tests


def films(patients: int = 40, *, seed: int = 0, gap: float = 0.0, alike: float = 1.0) -> tuple[np.ndarray, ...]:
    """Labels, two scores and patients; ``gap`` is what the second score separates more than the first."""
    draw = np.random.default_rng(seed)
    patient = np.repeat(np.arange(patients), draw.integers(1, 5, patients))
    labels = ((patient % 2 == 1) ^ (draw.random(patient.size) < 0.2)).astype(int)
    shared = alike * draw.normal(0, 1, patients)[patient] + labels
    first = np.round(shared + draw.normal(0, 0.7, patient.size), 1)
    second = np.round(shared + gap * labels + draw.normal(0, 0.7, patient.size), 1)
    return labels, first, second, patient


def by_definition(labels: np.ndarray, scores: list[np.ndarray], patient: np.ndarray) -> np.ndarray:
    """Obuchowski 1997, equations 5 to 8, cluster by cluster."""
    m, n = int(labels.sum()), int((1 - labels).sum())
    keys = np.unique(patient)
    i10, i01, i = len(np.unique(patient[labels == 1])), len(np.unique(patient[labels == 0])), len(keys)
    x, y = np.zeros((len(scores), i)), np.zeros((len(scores), i))
    for r, s in enumerate(scores):
        above = np.subtract.outer(s[labels == 1], s[labels == 0])
        psi = (above > 0) + 0.5 * (above == 0)
        for k, key in enumerate(keys):
            own = psi.mean(axis=1)[patient[labels == 1] == key]
            x[r, k] = own.sum() - own.size * psi.mean()
            own = psi.mean(axis=0)[patient[labels == 0] == key]
            y[r, k] = own.sum() - own.size * psi.mean()
    s10, s01, s11 = i10 / ((i10 - 1) * m) * x @ x.T, i01 / ((i01 - 1) * n) * y @ y.T, i / (i - 1) * x @ y.T
    return s10 / m + s01 / n + (s11 + s11.T) / (m * n)


@pytest.mark.parametrize("seed", range(3))
def test_covariance_is_obuchowskis_definition(seed: int) -> None:
    labels, a, b, patient = films(seed=seed)
    found = clustered.areas(labels, np.stack([a, b]), patient)
    assert found.covariance == pytest.approx(by_definition(labels, [a, b], patient), abs=1e-14)
    assert found.areas == pytest.approx(roc.delong(labels, np.stack([a, b])).areas)


def test_one_sample_per_patient_is_delong_to_the_last_digit() -> None:
    labels, a, b, _ = films()
    alone = np.arange(labels.size)
    found, delong = clustered.areas(labels, np.stack([a, b]), alone), roc.delong(labels, np.stack([a, b]))
    assert found.covariance == pytest.approx(delong.covariance, abs=1e-15)
    assert clustered.auroc(labels, a, alone).low == pytest.approx(roc.auroc(labels, a).low)
    assert clustered.paired_difference(labels, a, b, alone).z == pytest.approx(roc.paired_difference(labels, a, b).z)
    one = clustered.equal_areas(labels, np.stack([a, b]), alone)
    assert one.chi_square == pytest.approx(roc_tests.equal_areas(labels, np.stack([a, b])).chi_square)


def test_copies_of_every_film_do_not_narrow_the_interval() -> None:
    labels, a, _, _ = films()
    alone = np.arange(labels.size)
    once = clustered.auroc(labels, a, alone)
    thrice = clustered.auroc(np.tile(labels, 3), np.tile(a, 3), np.tile(alone, 3))
    assert (thrice.low, thrice.high) == pytest.approx((once.low, once.high))
    assert roc.auroc(np.tile(labels, 3), np.tile(a, 3)).low > once.low


def test_infinitesimal_jackknife_is_near_the_jackknife_over_patients() -> None:
    from evidence.statistics.bootstrap_auroc import leave_one_out

    labels, a, _, patient = films(patients=300)
    left = leave_one_out(labels, a, patient)
    jackknife = (300 - 1) / 300 * float(((left - left.mean()) ** 2).sum())
    found = clustered.areas(labels, a, patient)
    assert float(found.infinitesimal_jackknife[0, 0]) == pytest.approx(jackknife, rel=0.03)
    assert found.infinitesimal_jackknife[0, 0] < found.covariance[0, 0]


def test_swapping_classes_and_turning_scores_changes_nothing() -> None:
    labels, a, b, patient = films(seed=4)
    one = clustered.paired_difference(labels, a, b, patient)
    other = clustered.paired_difference(1 - labels, -a, -b, patient)
    assert (one.z, one.standard_error) == pytest.approx((other.z, other.standard_error))
    assert clustered.areas(labels, a, patient).covariance == pytest.approx(
        clustered.areas(labels, np.exp(a), patient).covariance
    )


def test_equal_models_on_clustered_films_are_rejected_in_about_five_of_a_hundred_tests() -> None:
    p_values = [clustered.paired_difference(*films(seed=seed)).p_value for seed in range(400)]
    assert 0.025 < np.mean(np.array(p_values) < 0.05) < 0.085


def test_interval_covers_the_true_area_where_delongs_does_not() -> None:
    draw = np.random.default_rng(2)
    patient = np.repeat(np.arange(50), 6)
    labels = (patient % 2).astype(int)
    covered = {"clustered": 0, "ignored": 0}
    for _ in range(300):
        # Areas of Φ(1) ≈ 0.8413: films of total variance 1, four fifths of it the patient's.
        scores = math.sqrt(2) * labels + math.sqrt(0.8) * draw.normal(size=50)[patient]
        scores += math.sqrt(0.2) * draw.normal(size=300)
        found = clustered.auroc(labels, scores, patient), roc.auroc(labels, scores)
        for name, one in zip(covered, found, strict=True):
            covered[name] += one.low < 0.8413 < one.high
    assert covered["clustered"] / 300 > 0.91
    assert covered["ignored"] / 300 < 0.75


def test_at_the_margin_clustered_models_are_non_inferior_in_about_alpha_of_the_draws() -> None:
    claims, margin = 0, 0.05
    draw = np.random.default_rng(3)
    patient = np.repeat(np.arange(100), 3)
    labels = (patient % 2).astype(int)
    # Binormal areas 0.85 and 0.80: means √2·Φ⁻¹ apart.
    for _ in range(400):
        shared = math.sqrt(0.5) * draw.normal(size=100)[patient]
        noise = math.sqrt(0.5) * draw.normal(size=(2, 300))
        new, reference = shared + noise[0] + 1.19023 * labels, shared + noise[1] + 1.46574 * labels
        found = clustered.non_inferior_auroc(labels, new, reference, patient, margin=margin, alpha=0.05)
        claims += found.non_inferior
    assert 0.02 < claims / 400 < 0.085


def test_non_inferiority_holds_the_clustered_limit_against_the_margin() -> None:
    labels, new, reference, patient = films(patients=200)
    found = clustered.non_inferior_auroc(labels, new, reference, patient, margin=0.1)
    assert found.difference == clustered.paired_difference(labels, new, reference, patient).difference
    assert found.non_inferior == (found.difference.low > -0.1)
    with pytest.raises(NotEstimable, match="margin"):
        clustered.non_inferior_auroc(labels, new, reference, patient, margin=-0.1)


def test_perfect_separation_counts_patients_not_films() -> None:
    labels, patient = np.repeat([0, 1], 30), np.repeat(np.arange(6), 10)
    found = clustered.auroc(labels, np.arange(60), patient)
    assert found.method == "Wilson on the smaller class"
    assert found.low == pytest.approx(0.4385, abs=1e-4)  # three of three
    assert found.high == 1.0


@pytest.mark.parametrize("patient", [["a", "a", "b", "b"], ["a", "a", "a", "a"]])
def test_one_patient_holding_a_class_is_refused(patient: list[str]) -> None:
    with pytest.raises(TooFewSamples):
        clustered.auroc([0, 0, 1, 1], [1, 3, 2, 4], patient)


def test_one_class_bad_scores_and_missing_patients_are_refused() -> None:
    with pytest.raises(OneClassOnly):
        clustered.auroc([1, 1], [1, 2], ["a", "b"])
    with pytest.raises(NotEstimable):
        clustered.auroc([0, 1], [1, math.inf], ["a", "b"])
    with pytest.raises(NotEstimable):
        clustered.auroc([0, 1], [1, 2], ["a", None])
    with pytest.raises(NotEstimable):
        clustered.paired_difference([0, 1], [1, 2], [1, 2, 3], ["a", "b"])


def test_a_hundred_thousand_films_take_no_time() -> None:
    labels, a, b, patient = films(patients=40_000)
    assert labels.size > 90_000
    assert abs(clustered.paired_difference(labels, a, b, patient).z) < 4
