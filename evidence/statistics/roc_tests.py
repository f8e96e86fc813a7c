"""Tests on areas under ROC curves beyond the paired one: unpaired, several at once, non-inferior; and the closed-form
error of Hanley and McNeil.

All assume independent samples; ``clustered`` has the tests for several samples of a patient.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from domain.errors import NotEstimable
from evidence.statistics.estimate import Estimate, as_scores
from evidence.statistics.non_inferiority import NonInferiority, check_margin, non_inferiority
from evidence.statistics.roc import NO_ERROR, DeLong, Sampled, delong, difference_of, normal_tail, paired_difference


@dataclass(frozen=True, slots=True)
class UnpairedDifference:
    """Area of the first samples minus that of the second, which share no patient.

    ``z`` and ``p_value`` (two-sided) come from the normal distribution. ``p_value_t`` holds the same ratio against
    Student's t with ``degrees_of_freedom``, which is what R's pROC calls D, p and df.
    """

    difference: Estimate
    standard_error: float
    z: float
    p_value: float
    degrees_of_freedom: float
    p_value_t: float

    @property
    def p_greater(self) -> float:
        """One-sided normal p-value against «the first area is not larger»."""
        return normal_tail(self.z)

    @property
    def p_less(self) -> float:
        """One-sided normal p-value against «the first area is not smaller»."""
        return normal_tail(-self.z)


@dataclass(frozen=True, slots=True)
class EqualAreas:
    """Chi-square test that linear contrasts of k correlated areas are zero."""

    areas: NDArray[np.float64]
    covariance: NDArray[np.float64]
    chi_square: float
    degrees_of_freedom: int
    p_value: float


def unpaired_difference(
    first: tuple[ArrayLike, ArrayLike], second: tuple[ArrayLike, ArrayLike], *, level: float = 0.95
) -> UnpairedDifference:
    """Difference of two areas on different patients; each argument is (labels (n,), scores (n,)).

    The variances of DeLong et al., Biometrics 44:837 (1988), add up. Degrees of freedom after Welch, Biometrika 34:28
    (1947), and Satterthwaite, Biometrics Bull 2:110 (1946), with the number of samples of each curve less one. The
    interval is Wald's.

    Raises:
        OneClassOnly, NotEstimable: as ``roc.delong``; also where neither area has any variance.
    """
    a, b = _single(first), _single(second)
    n_a, n_b = a.positives + a.negatives, b.positives + b.negatives
    variance_a, variance_b = float(a.covariance[0, 0]), float(b.covariance[0, 0])
    error = math.sqrt(variance_a + variance_b)
    if error < NO_ERROR:
        raise NotEstimable("Neither area has any variance.", next_step="Use samples that are not all told apart.")
    sampled = Sampled("unpaired DeLong, Wald", n_a + n_b, a.positives + b.positives)
    found = difference_of(float(a.areas[0] - b.areas[0]), error, sampled, level=level)
    freedom = error**4 / (variance_a**2 / (n_a - 1) + variance_b**2 / (n_b - 1))
    return UnpairedDifference(found.difference, error, found.z, found.p_value, freedom, _two_sided_t(found.z, freedom))


def equal_areas(labels: ArrayLike, scores: ArrayLike, *, contrasts: ArrayLike | None = None) -> EqualAreas:
    """Global test that the areas of k ≥ 2 score columns (k, n) on the same samples are equal.

    (Lθ)ᵀ(LSLᵀ)⁻¹(Lθ) against chi-square, DeLong et al., Biometrics 44:837 (1988), equation 7. ``contrasts`` L (r, k),
    rows of any rank, says what is compared; left out, every area is compared with the last. Contrasts that follow from
    others cost no degree of freedom.

    Raises:
        OneClassOnly, NotEstimable: as ``roc.delong`` and ``contrast_test``.
    """
    result = delong(labels, scores)
    return contrast_test(result.areas, result.covariance, contrasts=contrasts)


def contrast_test(
    areas: NDArray[np.float64], covariance: NDArray[np.float64], *, contrasts: ArrayLike | None = None
) -> EqualAreas:
    """The test of ``equal_areas`` for any k areas (k,) that are near normal with this covariance (k, k).

    Raises:
        NotEstimable: a single curve, contrasts that do not fit, or areas that do not vary against each other.
    """
    k = areas.size
    if k < 2:
        raise NotEstimable("One curve alone cannot be compared.")
    rows = np.atleast_2d(as_scores(contrasts)) if contrasts is not None else np.eye(k)[:-1] - np.eye(k)[-1]
    if rows.ndim != 2 or rows.shape[1] != k:
        raise NotEstimable(f"Contrasts of shape {rows.shape} do not fit {k} curves.")
    roots, vectors = np.linalg.eigh(rows @ covariance @ rows.T)
    kept = roots > max(1e-10 * float(roots.max()), NO_ERROR**2)
    turned = vectors.T @ rows @ areas
    if not kept.any() or float(np.abs(turned[~kept]).max(initial=0.0)) > 1e-9:
        raise NotEstimable(
            "The curves do not vary against each other.", next_step="Leave out curves that rank the samples alike."
        )
    chi_square, freedom = float((turned[kept] ** 2 / roots[kept]).sum()), int(kept.sum())
    return EqualAreas(areas, covariance, chi_square, freedom, chi_square_tail(chi_square, freedom))


def non_inferior_auroc(
    labels: ArrayLike, new: ArrayLike, reference: ArrayLike, *, margin: float, alpha: float = 0.025
) -> NonInferiority:
    """Is the area of scores ``new`` (n,) no more than ``margin`` below that of ``reference`` (n,), same samples?

    Paired DeLong variance in the one-sided test of ``non_inferiority``; for AUROC see Liu et al., Stat Med 25:1219
    (2006). Assumes independent samples.

    Raises:
        OneClassOnly, NotEstimable: as ``roc.delong`` and ``non_inferiority``.
    """
    check_margin(margin, alpha)
    found = paired_difference(labels, new, reference)
    value = found.difference
    sampled = Sampled(value.method, value.n, value.positives)
    return non_inferiority(value.value, found.standard_error, sampled, margin=margin, alpha=alpha)


def hanley_mcneil_error(area: float, *, positives: int, negatives: int) -> float:
    """Standard error of an area from its value alone, Hanley and McNeil, Radiology 143:29 (1982).

    Q1 = A/(2 − A) and Q2 = 2A²/(1 + A) hold for exponential scores: for planning and for published areas without data.
    With the data at hand, use ``roc.delong``.

    Raises:
        NotEstimable: an area outside [0, 1], or no sample of a class.
    """
    if not 0.0 <= area <= 1.0 or min(positives, negatives) < 1:
        raise NotEstimable(f"An area of {area} of {positives} positive and {negatives} negative samples has no error.")
    q1, q2 = area / (2.0 - area), 2.0 * area**2 / (1.0 + area)
    spread = area * (1.0 - area) + (positives - 1) * (q1 - area**2) + (negatives - 1) * (q2 - area**2)
    return math.sqrt(spread / (positives * negatives))


def chi_square_tail(statistic: float, degrees_of_freedom: int) -> float:
    """Chance that chi-square exceeds the statistic."""
    from scipy.stats import chi2

    return float(chi2.sf(statistic, degrees_of_freedom))


def _single(sample: tuple[ArrayLike, ArrayLike]) -> DeLong:
    labels, scores = sample
    if np.ndim(scores) != 1:
        raise NotEstimable("An unpaired comparison takes one column of scores for each set of samples.")
    return delong(labels, scores)


def _two_sided_t(ratio: float, degrees_of_freedom: float) -> float:
    from scipy.stats import t

    return float(2.0 * t.sf(abs(ratio), degrees_of_freedom))
