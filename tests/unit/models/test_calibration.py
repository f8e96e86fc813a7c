"""Platt scaling on tuning data."""

import numpy as np
import pytest

from models import calibration


def cohort(n: int, *, slope: float, intercept: float) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(3)
    logits = random.normal(0, 2, n)
    labels = (random.uniform(size=n) < calibration.logistic(slope * logits + intercept)).astype(np.int64)
    return logits, labels


@pytest.mark.parametrize(("slope", "intercept"), [(1.0, 0.0), (0.4, -1.5), (3.0, 2.0)])
def test_the_true_line_is_found_again(slope: float, intercept: float) -> None:
    fitted = calibration.fit(*cohort(40_000, slope=slope, intercept=intercept), fitted_on="test")

    assert fitted.slope == pytest.approx(slope, rel=0.06)
    assert fitted.intercept == pytest.approx(intercept, abs=0.08)


def test_a_perfect_separation_stays_finite() -> None:
    labels = np.repeat([0, 1], 20)

    fitted = calibration.fit(labels * 2.0 - 1, labels, fitted_on="test")
    absent, present = calibration.logistic(fitted.slope * np.array([-1.0, 1.0]) + fitted.intercept)

    assert np.isfinite([fitted.slope, fitted.intercept]).all()
    assert present == pytest.approx(21 / 22, abs=1e-4)
    assert absent == pytest.approx(1 / 22, abs=1e-4)


def test_huge_logits_do_not_overflow() -> None:
    logits, labels = cohort(500, slope=1.0, intercept=0.0)

    fitted = calibration.fit(logits * 1e3, labels, fitted_on="test")

    assert fitted.slope == pytest.approx(calibration.fit(logits, labels, fitted_on="test").slope / 1e3, rel=1e-3)
    assert calibration.logistic(np.array([-1e4, 1e4])).tolist() == [0.0, 1.0]
