"""Net benefit is its definition, and its intervals hold what they say."""

import numpy as np
import pytest

from domain.errors import NotEstimable, OneClassOnly, TooFewSamples
from evidence.statistics.decision_curve import Sampling, binary_test, decision_curve


def drawn(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    logits = draw.normal(-1.5, 1.5, n)
    return (draw.random(n) < 1 / (1 + np.exp(-logits))).astype(int), 1 / (1 + np.exp(-logits))


def test_net_benefit_is_true_positives_less_weighted_false_positives() -> None:
    labels, probabilities = [1, 1, 0, 0, 0], [0.8, 0.1, 0.2, 0.05, 0.3]
    (found,) = decision_curve(labels, probabilities, thresholds=0.2)
    assert found.model.value == pytest.approx(1 / 5 - 2 / 5 * 0.25)  # a probability on the threshold is called positive
    assert found.treat_all.value == pytest.approx(2 / 5 - 3 / 5 * 0.25)
    assert found.interventions_avoided.value == pytest.approx((found.model.value - found.treat_all.value) / 0.25)
    assert found.treat_none == 0.0 and found.standardised == pytest.approx(found.model.value / 0.4)


def test_a_threshold_below_all_treats_all_and_one_above_all_treats_none() -> None:
    labels, probabilities = drawn(300)
    low, high = decision_curve(labels, np.clip(probabilities, 0.1, 0.9), thresholds=[0.05, 0.95])
    assert low.model == low.treat_all and low.interventions_avoided.value == 0.0
    assert high.model.value == 0.0


def test_a_binary_test_is_a_model_that_says_0_or_1() -> None:
    labels, probabilities = drawn(300)
    called = (probabilities > 0.4).astype(int)
    assert binary_test(labels, called, thresholds=[0.1, 0.3]) == decision_curve(labels, called, thresholds=[0.1, 0.3])
    assert binary_test(labels, called == 1, thresholds=[0.1, 0.3])[0].model.value != 0.0


def test_a_case_control_sample_at_the_populations_prevalence_gives_the_populations_net_benefit() -> None:
    labels, probabilities = drawn(40_000)
    rare = np.flatnonzero(labels == 0)[::4]
    kept = np.concatenate([np.flatnonzero(labels == 1), rare])
    whole = decision_curve(labels, probabilities, thresholds=[0.1, 0.3])
    sample = decision_curve(labels[kept], probabilities[kept], thresholds=[0.1, 0.3], prevalence=float(labels.mean()))
    for a, b in zip(whole, sample, strict=True):
        assert b.model.value == pytest.approx(a.model.value, abs=0.004)
        assert b.treat_all.value == pytest.approx(a.treat_all.value)
        assert b.prevalence == labels.mean()


def test_stating_the_samples_own_prevalence_changes_no_value() -> None:
    labels, probabilities = drawn(500)
    ours = decision_curve(labels, probabilities, thresholds=[0.2])[0]
    stated = decision_curve(labels, probabilities, thresholds=[0.2], prevalence=float(labels.mean()))[0]
    assert stated.model.value == pytest.approx(ours.model.value)
    assert stated.model.high - stated.model.low < ours.model.high - ours.model.low  # one unknown fewer


def test_the_analytic_interval_is_that_of_a_mean_and_near_the_bootstraps() -> None:
    labels, probabilities = drawn(800)
    (analytic,) = decision_curve(labels, probabilities, thresholds=[0.2])
    worth = (probabilities >= 0.2) * (labels - (1 - labels) * 0.25)
    assert analytic.model.high - analytic.model.value == pytest.approx(
        1.959964 * worth.std(ddof=1) / np.sqrt(800), rel=1e-6
    )
    (drawn_again,) = decision_curve(labels, probabilities, thresholds=[0.2], sampling=Sampling("bootstrap"))
    for a, b in (
        (analytic.model, drawn_again.model),
        (analytic.treat_all, drawn_again.treat_all),
        (analytic.interventions_avoided, drawn_again.interventions_avoided),
    ):
        assert b.high - b.low == pytest.approx(a.high - a.low, rel=0.1)


@pytest.mark.parametrize("prevalence", [None, 0.1])
def test_samples_of_one_patient_widen_the_interval_by_both_routes(prevalence: float | None) -> None:
    labels, probabilities = (np.repeat(column, 4) for column in drawn(300))
    patients = np.repeat([f"p{k}" for k in range(300)], 4)
    options = {"thresholds": [0.2], "prevalence": prevalence}
    apart = decision_curve(labels, probabilities, **options)[0].model
    for interval in ("analytic", "bootstrap"):
        together = decision_curve(labels, probabilities, **options, sampling=Sampling(interval, patients))[0].model
        assert together.high - together.low == pytest.approx(2 * (apart.high - apart.low), rel=0.1)
        assert "by patient" in together.method


@pytest.mark.parametrize("prevalence", [None, 0.05])
def test_intervals_hold_the_truth_about_95_times_in_100(prevalence: float | None) -> None:
    labels, probabilities = drawn(200_000, seed=99)
    truth = decision_curve(labels, probabilities, thresholds=[0.15], prevalence=prevalence)[0]
    held = np.zeros(2)
    for seed in range(500):
        found = decision_curve(*drawn(1_000, seed), thresholds=[0.15], prevalence=prevalence)[0]
        pairs = ((found.model, truth.model), (found.interventions_avoided, truth.interventions_avoided))
        held += [a.low <= b.value <= a.high for a, b in pairs]
    assert (held >= 463).all() and (held <= 489).all()


def test_many_thresholds_at_once_give_what_each_gives_alone() -> None:
    labels, probabilities = drawn(120_000)
    cuts = np.linspace(0.02, 0.9, 40)  # more than are worked on at a time
    found = decision_curve(labels, probabilities, thresholds=cuts)
    assert [point.threshold for point in found] == cuts.tolist()
    alone = decision_curve(labels, probabilities, thresholds=[cuts[30]])[0]
    assert found[30].model.value == alone.model.value and found[30].model.low == pytest.approx(alone.model.low)


@pytest.mark.parametrize("threshold", [0.0, 1.0, -0.1, float("nan")])
def test_thresholds_outside_the_open_unit_interval_are_refused(threshold: float) -> None:
    with pytest.raises(NotEstimable):
        decision_curve([0, 1], [0.2, 0.6], thresholds=[0.5, threshold])


def test_what_the_data_cannot_support_is_refused() -> None:
    with pytest.raises(OneClassOnly):
        decision_curve([1, 1], [0.2, 0.6], thresholds=[0.5])
    with pytest.raises(TooFewSamples):
        decision_curve([0, 1], [0.2, 0.6], thresholds=[0.5], sampling=Sampling(patients=["a", "a"]))
    for options in (
        {"prevalence": 1.0},
        {"sampling": Sampling(level=1.0)},
        {"sampling": Sampling("bootstrap", level=0.0)},
        {"sampling": Sampling("bootstrap", resamples=10)},
        {"sampling": Sampling(patients=["a"])},
        {"sampling": Sampling(patients=["a", None])},
    ):
        with pytest.raises(NotEstimable):
            decision_curve([0, 1], [0.2, 0.6], thresholds=[0.5], **options)
    with pytest.raises(NotEstimable):
        decision_curve([0, 1], [0.2, 0.6], thresholds=[])
    with pytest.raises(NotEstimable):
        binary_test([0, 1], [0.2, 1.0], thresholds=[0.5])
