"""The six intraclass correlations: published values, the definition by variance components, coverage, refusals."""

import numpy as np
import pytest

from domain.errors import NotEstimable, TooFewSamples
from evidence.statistics.intraclass import intraclass

# Shrout and Fleiss 1979, table 2.
JUDGES = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]


def measured(n: int, k: int, seed: int, *, offset: float = 0.0) -> np.ndarray:
    """Variance 1 of subjects and of error; of raters ``offset``²."""
    draw = np.random.default_rng(seed)
    return draw.normal(0, 1, (n, 1)) + offset * draw.normal(0, 1, (1, k)) + draw.normal(0, 1, (n, k))


def test_the_six_published_values_and_the_table_of_variance_behind_them() -> None:
    found = intraclass(JUDGES)
    assert [round(form.estimate.value, 2) for form in found.forms] == [0.17, 0.29, 0.71, 0.44, 0.62, 0.91]
    squares = found.mean_squares
    rounded = [round(s, 2) for s in (squares.subjects, squares.within, squares.raters, squares.error)]
    assert rounded == [11.24, 6.26, 32.49, 1.02]
    assert [form.mcgraw_wong_name for form in found.forms] == [
        "ICC(1)", "ICC(A,1)", "ICC(C,1)", "ICC(k)", "ICC(A,k)", "ICC(C,k)",
    ]  # fmt: skip


def test_agreement_of_the_mean_has_two_intervals_by_name() -> None:
    found = intraclass(JUDGES)
    ours, rival = found.icc2k.estimate, found.icc2k_mcgraw_wong.estimate
    assert ours.value == rival.value
    assert [ours.low, ours.high] == pytest.approx([0.071, 0.927], abs=5e-4)
    assert [rival.low, rival.high] == pytest.approx([0.039, 0.929], abs=5e-4)
    assert "Shrout" in ours.method and "McGraw" in rival.method


def test_the_mean_of_k_is_the_single_rater_stepped_up_by_spearman_and_brown() -> None:
    found = intraclass(measured(30, 4, 1, offset=0.7))
    for single, average in zip(found.forms[:3], found.forms[3:], strict=True):
        for part in ("value", "low", "high"):
            one = getattr(single.estimate, part)
            assert getattr(average.estimate, part) == pytest.approx(4 * one / (1 + 3 * one))


def test_mean_squares_are_those_of_statsmodels() -> None:
    from pandas import DataFrame
    from statsmodels.api import stats
    from statsmodels.formula.api import ols

    matrix = measured(12, 3, 2, offset=0.5)
    rows = [{"y": matrix[i, j], "s": f"s{i}", "r": f"r{j}"} for i in range(12) for j in range(3)]
    table = stats.anova_lm(ols("y ~ C(s) + C(r)", DataFrame(rows)).fit())
    squares = intraclass(matrix).mean_squares
    assert [squares.subjects, squares.raters, squares.error] == pytest.approx(table["mean_sq"].tolist())
    assert intraclass(matrix).icc3.p_value == pytest.approx(table["PR(>F)"].iloc[0])


def test_values_ignore_unit_and_origin_and_consistency_also_the_raters_offsets() -> None:
    matrix = measured(20, 3, 3)
    ours, scaled = intraclass(matrix), intraclass(matrix * 40.0 + 1_000.0)
    assert [f.estimate.low for f in scaled.forms] == pytest.approx([f.estimate.low for f in ours.forms])
    offset = intraclass(matrix + np.array([0.0, 2.0, -3.0]))
    assert offset.icc3.estimate.value == pytest.approx(ours.icc3.estimate.value)
    assert offset.icc2.estimate.value < ours.icc2.estimate.value / 2


def test_intervals_hold_the_truth_about_95_times_in_100() -> None:
    held = np.zeros(3)
    for seed in range(300):
        apart, offset = intraclass(measured(25, 3, seed)), intraclass(measured(25, 6, seed, offset=0.5))
        truths = ((apart.icc1, 0.5), (apart.icc3, 0.5), (offset.icc2, 1 / 2.25))
        held += [form.estimate.low <= truth <= form.estimate.high for form, truth in truths]
    assert (held >= 273).all() and (held[:2] <= 296).all()


def test_negative_values_and_limits_are_not_cut() -> None:
    found = intraclass([[1, 5], [5, 1], [2, 4], [4, 2.5]])
    assert found.icc1.estimate.value < 0 and found.icc1.estimate.low < found.icc1.estimate.value


def test_what_the_data_cannot_support_is_refused() -> None:
    for matrix in (
        [[1, 2], [3, None], [4, 4]],
        [[1, 2], [3, float("nan")], [4, 4]],
        [[1, 2], [3]],
        [[1, "a"], [2, 3]],
        [1, 2, 3],
        [[1, 2], [2, 3], [5, 6]],
        [[1.1, 1.1], [2.3, 2.3]],
        [[4, 4], [4, 4]],
        [[1, 2], [1, 2], [1, 2]],
    ):
        with pytest.raises(NotEstimable):
            intraclass(matrix)
    with pytest.raises(NotEstimable):
        intraclass(JUDGES, level=1.0)
    for matrix in ([[1, 2, 3]], [[1], [2], [3]]):
        with pytest.raises(TooFewSamples):
            intraclass(matrix)
