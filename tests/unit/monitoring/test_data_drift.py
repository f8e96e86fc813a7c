"""Drift is found where there is some, falsely at the designed rate, and never on windows too small to tell."""

from collections.abc import Callable

import pandas as pd
import pytest

from domain.drift import IMAGE_FEATURES
from domain.errors import NotEstimable, TooFewSamples
from monitoring import data_drift, prediction_drift
from monitoring.evidently_report import holm_threshold

Window = Callable[..., pd.DataFrame]


def test_a_shifted_image_feature_is_found_and_named(window: Window) -> None:
    finding = data_drift.find(window(300, seed=0), window(200, seed=1, shift={"feature.mean": 0.8}))
    assert finding.drifted
    assert [feature.feature for feature in finding.features if feature.drifted] == ["mean"]
    assert (finding.kind, finding.n_reference, finding.n_current, finding.alpha) == ("data_drift", 300, 200, 0.01)


def test_windows_of_one_distribution_do_not_drift(window: Window) -> None:
    finding = data_drift.find(window(300, seed=0, embedding=16), window(200, seed=1, embedding=16))
    assert not finding.drifted
    assert len(finding.features) == len(IMAGE_FEATURES) + data_drift.COMPONENTS


def test_a_shift_seen_by_the_network_alone_is_found_in_the_embedding(window: Window) -> None:
    shift = {f"embedding.{k}": 0.7 for k in range(16)}
    finding = data_drift.find(window(300, seed=0, embedding=16), window(200, seed=1, embedding=16, shift=shift))
    assert [feature.feature for feature in finding.features if feature.drifted] == ["embedding.component_1"]


def test_embeddings_of_different_models_are_left_out(window: Window) -> None:
    finding = data_drift.find(window(60, seed=0, embedding=16), window(60, seed=1, embedding=8))
    assert [feature.feature for feature in finding.features] == list(IMAGE_FEATURES)


def test_false_alarms_stay_at_the_designed_rate(window: Window) -> None:
    found = data_drift.false_alarms(window(160, seed=3, embedding=8), n_current=70, resamples=150, alpha=0.05)
    assert found.low < 0.05
    assert found.value < 0.1  # 99th percentile of Binomial(150, 0.05)
    assert (found.n, found.method) == (150, "Wilson")


def test_false_alarms_are_repeatable_and_depend_on_the_seed(window: Window) -> None:
    reference = window(120, seed=3)
    one, same, other = (next(data_drift._deals(reference, n_current=50, resamples=1, seed=s))[1] for s in (0, 0, 1))
    assert one.equals(same)
    assert not one.equals(other)
    rates = [data_drift.false_alarms(reference, n_current=50, resamples=10, alpha=0.3) for _ in range(2)]
    assert rates[0] == rates[1]


def test_films_of_one_patient_raise_false_alarms_which_one_film_per_patient_does_not(window: Window) -> None:
    # The risk that makes windows.reference_from_predictions keep one film per patient.
    films = window(320, seed=4, films=4)
    alone = films.drop_duplicates("patient_key")
    many = data_drift.false_alarms(films, n_current=140, resamples=30, alpha=0.05)
    one = data_drift.false_alarms(alone, n_current=35, resamples=30, alpha=0.05)
    assert many.low > 0.2
    assert one.value < 0.15


def test_no_patient_stands_in_both_windows_of_a_resample(window: Window) -> None:
    for before, now in data_drift._deals(window(200, seed=5, films=4), n_current=80, resamples=5, seed=0):
        assert not set(before["patient_key"]) & set(now["patient_key"])
        assert 80 <= len(now) < 84
        assert len(before) + len(now) == 200


@pytest.mark.parametrize("n", [0, 29])
def test_small_windows_are_refused_instead_of_called_stable(window: Window, n: int) -> None:
    for find in (data_drift.find, prediction_drift.find):
        with pytest.raises(TooFewSamples):
            find(window(100, seed=0), window(n, seed=1))
        with pytest.raises(TooFewSamples):
            find(window(n, seed=0), window(100, seed=1))


@pytest.mark.parametrize("n_current", [10, 90, 200])
def test_a_reference_that_cannot_be_dealt_into_two_windows_is_refused(window: Window, n_current: int) -> None:
    with pytest.raises(TooFewSamples):
        data_drift.false_alarms(window(100, seed=0), n_current=n_current, resamples=5)


def test_a_value_that_is_no_number_is_refused(window: Window) -> None:
    current = window(50, seed=1)
    current.loc[3, "feature.mean"] = float("nan")
    with pytest.raises(NotEstimable):
        data_drift.find(window(50, seed=0), current)


def test_prediction_drift_is_found_in_the_answers_alone(window: Window) -> None:
    current = window(200, seed=1)
    assert not prediction_drift.find(window(300, seed=0), current).drifted
    current["probability"] = current["probability"] ** 0.3
    current["finding_present"] = current["probability"] >= 0.5
    finding = prediction_drift.find(window(300, seed=0), current)
    assert finding.drifted
    assert finding.kind == "prediction_drift"
    assert {feature.feature for feature in finding.features} == {"probability", "finding_present"}


@pytest.mark.parametrize("shift", [0.0, 0.25, 0.35, 0.5, 2.0])
def test_one_threshold_on_raw_p_values_names_the_columns_holm_names(window: Window, shift: float) -> None:
    moved = {f"feature.{name}": shift * (k % 3) for k, name in enumerate(IMAGE_FEATURES)}
    features = data_drift.find(window(150, seed=6), window(120, seed=7, shift=moved)).features
    bound = holm_threshold(features, alpha=0.01)
    assert [feature.p_value <= bound for feature in features] == [feature.drifted for feature in features]
