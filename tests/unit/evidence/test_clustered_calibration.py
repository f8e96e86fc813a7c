"""A calibration line whose variance knows of patients agrees with statsmodels and widens where films repeat."""

import numpy as np
import pytest
import statsmodels.api as sm

from domain.errors import NotEstimable, OneClassOnly, TooFewSamples
from evidence.statistics.calibration import logits, slope_and_intercept
from evidence.statistics.clustered_calibration import line

DRAW = np.random.default_rng(8)
PATIENTS = np.repeat(np.arange(80), 3)
ODDS = np.repeat(DRAW.normal(size=80), 3) * 1.5 + DRAW.normal(size=240) * 0.3
PROBABILITIES = 1 / (1 + np.exp(-ODDS))
LABELS = np.repeat(DRAW.random(80), 3) < PROBABILITIES  # the films of a patient mostly agree


def test_slope_and_intercept_have_the_cluster_robust_errors_of_statsmodels() -> None:
    fitted = sm.Logit(LABELS.astype(float), sm.add_constant(logits(PROBABILITIES))).fit(
        disp=0, cov_type="cluster", cov_kwds={"groups": PATIENTS, "use_correction": False}
    )
    factor = np.sqrt(80 / 79)
    found = line(LABELS, PROBABILITIES, PATIENTS)

    for limits, k in ((found.intercept, 0), (found.slope, 1)):
        assert limits.value == pytest.approx(fitted.params[k])
        assert limits.value - limits.at(1.0)[0] == pytest.approx(fitted.bse[k] * factor, rel=1e-6)


def test_calibration_in_the_large_holds_the_slope_at_one() -> None:
    offset = sm.GLM(
        LABELS.astype(float), np.ones((240, 1)), family=sm.families.Binomial(), offset=logits(PROBABILITIES)
    ).fit(cov_type="cluster", cov_kwds={"groups": PATIENTS, "use_correction": False})
    found = line(LABELS, PROBABILITIES, PATIENTS).in_the_large

    assert found.value == pytest.approx(offset.params[0], abs=1e-6)
    assert found.value - found.at(1.0)[0] == pytest.approx(offset.bse[0] * np.sqrt(80 / 79), rel=1e-5)


def test_films_of_a_patient_that_agree_widen_the_intervals() -> None:
    naive = slope_and_intercept(LABELS, PROBABILITIES)
    found = line(LABELS, PROBABILITIES, PATIENTS).at(0.95)

    assert found.slope.value == naive.slope.value
    assert found.slope.high - found.slope.low > 1.2 * (naive.slope.high - naive.slope.low)
    assert "clustered" in found.slope.method


def test_what_cannot_be_fitted_is_refused() -> None:
    with pytest.raises(TooFewSamples, match="2 clusters"):
        line([0, 1, 0, 1], [0.2, 0.4, 0.6, 0.7], ["a", "a", "b", "b"])
    with pytest.raises(OneClassOnly):
        line([1, 1, 1], [0.2, 0.4, 0.6], ["a", "b", "c"])
    with pytest.raises(NotEstimable, match="No finite"):
        line([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9], ["a", "b", "c", "d"])
