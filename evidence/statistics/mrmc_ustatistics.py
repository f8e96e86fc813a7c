"""One-shot variance of reader-averaged areas by U-statistics, for any pattern of who read what.

Gallas, Acad Radiol 13:353 (2006); Gallas, Bandos, Samuelson and Wagner, Commun Stat Theory Methods 38:2586 (2009), the
method of the FDA's iMRMC. The variance is a sum of eight moments E[s·s'] of successes s = [positive rated above
negative]: same or different negative case, positive case and reader. Readers weigh by the pairs of cases they read.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from domain.errors import NotEstimable
from evidence.statistics.estimate import Estimate
from evidence.statistics.mrmc_covariance import ReaderFigures, figures_of
from evidence.statistics.mrmc_figures import empirical_auc
from evidence.statistics.mrmc_inference import t_quantile, two_sided_p
from evidence.statistics.mrmc_study import ReaderStudy, need_readers

Array = NDArray[np.float64]

# From sums over all pairs to sums over pairs whose members differ (Gallas 2009); order: same negative and positive
# case, same positive, same negative, neither; once within a reader, once between any two readers.
_WITHIN = np.array([[1, 0, 0, 0], [-1, 1, 0, 0], [-1, 0, 1, 0], [1, -1, -1, 1]], dtype=np.float64)
_UNBIAS = np.block([[_WITHIN, np.zeros((4, 4))], [-_WITHIN, _WITHIN]])
# Moments to variance components N, D, ND, R, NR, DR, RND (Gallas 2009, equation 19), and their coefficients.
_COMPONENTS = np.array(
    [
        [0, 0, 0, 0, 0, 0, 1, -1],
        [0, 0, 0, 0, 0, 1, 0, -1],
        [0, 0, 0, 0, 1, -1, -1, 1],
        [0, 0, 0, 1, 0, 0, 0, -1],
        [0, 0, 1, -1, 0, 0, -1, 1],
        [0, 1, 0, -1, 0, -1, 0, 1],
        [1, -1, -1, 1, -1, 1, 1, -1],
    ],
    dtype=np.float64,
)
_WEIGHTS = np.array(
    [
        [1, 0, 1, 0, 1, 0, 1, 0],
        [1, 1, 0, 0, 1, 1, 0, 0],
        [1, 0, 0, 0, 1, 0, 0, 0],
        [1, 1, 1, 1, 0, 0, 0, 0],
        [1, 0, 1, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0, 0, 0],
        [1, 0, 0, 0, 0, 0, 0, 0],
    ],
    dtype=np.float64,
)


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """The eight moments (Barrett–Clarkson–Kupinski's and Gallas's order), unbiased and biased (maximum likelihood), and
    their coefficients, with which they add up to the (co)variance.
    """

    unbiased: Array
    biased: Array
    coefficients: Array

    @property
    def variance(self) -> float:
        """The unbiased (co)variance; it can be negative."""
        return float(self.coefficients @ self.unbiased)

    @property
    def variance_biased(self) -> float:
        """The (co)variance from the empirical distribution, never negative for one test."""
        return float(self.coefficients @ self.biased)

    @property
    def components(self) -> Array:
        """Variance components N, D, ND, R, NR, DR, RND (7,): negative and positive cases, readers, and mixtures."""
        return np.asarray(_COMPONENTS @ self.unbiased)

    @property
    def components_biased(self) -> Array:
        """The same from biased moments."""
        return np.asarray(_COMPONENTS @ self.biased)

    @property
    def component_coefficients(self) -> Array:
        """Coefficients (7,) of the components: one over the effective numbers of cases and readers."""
        return np.asarray(_WEIGHTS @ self.coefficients)


@dataclass(frozen=True, slots=True)
class UStatistic:
    """An area, or difference of areas, averaged over readers, with its variance.

    ``estimate`` has the normal interval, ``with_df`` Student's with ``df`` rounded down (normal above 50), as iMRMC;
    p-values test 0.5 for an area and 0 for a difference. ``of_test`` holds the moments: one test's, or those of the
    first test, the second and their product.
    """

    estimate: Estimate
    variance: float
    p_value: float
    with_df: Estimate
    df: float
    p_value_with_df: float
    variance_biased: float
    df_biased: float
    of_test: tuple[Moments, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Pairs:
    """Successes and existence of readings of one test: (readers, positives, negatives)."""

    success: Array
    exists: Array


def single_test(study: ReaderStudy, test: str, *, level: float = 0.95) -> UStatistic:
    """The reader-averaged area of one test for random readers and cases.

    Raises:
        TooFewSamples: one reader.
        NotEstimable: no such test, too little overlap for an unbiased moment, or a negative variance.
    """
    pairs = _pairs(study, test)
    moments = _moments(pairs, pairs)
    area = _area(pairs)
    df = _degrees_of_freedom(moments)
    return _result(study, area, 0.5, (moments.variance, moments.variance_biased), df, level=level, parts=(moments,))


def difference(study: ReaderStudy, first: str, second: str, *, level: float = 0.95) -> UStatistic:
    """Reader-averaged area of the first test minus that of the second, paired as far as readings are.

    Raises:
        TooFewSamples, NotEstimable: as ``single_test``.
    """
    pairs = (_pairs(study, first), _pairs(study, second))
    a, b, both = (_moments(pairs[i], pairs[j]) for i, j in ((0, 0), (1, 1), (0, 1)))
    variances = (
        a.variance + b.variance - 2 * both.variance,
        a.variance_biased + b.variance_biased - 2 * both.variance_biased,
    )
    value = _area(pairs[0]) - _area(pairs[1])
    return _result(study, value, 0.0, variances, _degrees_of_freedom(a, b, both), level=level, parts=(a, b, both))


def unbiased(study: ReaderStudy) -> ReaderFigures:
    """Each reader's area and the unbiased covariance of any two, for Obuchowski–Rockette analysis.

    Raises:
        OneClassOnly, NotEstimable: a reading without two cases of each class.
    """
    cells = np.argwhere(study.read.any(axis=2))
    rows = [_pairs(study, study.tests[t], readers=slice(r, r + 1)) for t, r in cells]
    success, exists = (np.concatenate([getattr(row, part) for row in rows]) for part in ("success", "exists"))
    numerators, denominators = _sums(success, success), _sums(exists, exists)
    values, covariance = np.full(study.read.shape[:2], np.nan), np.full(study.read.shape[:2] * 2, np.nan)
    values[tuple(cells.T)] = success.sum(axis=(1, 2)) / exists.sum(axis=(1, 2))
    _, coefficients, moments = _solve(numerators, denominators, _WITHIN)
    found = np.einsum("mrs,mrs->rs", coefficients, moments)
    for row, (t, r) in enumerate(cells):
        covariance[t, r, cells[:, 0], cells[:, 1]] = found[row]
    return figures_of(study, empirical_auc(), values, covariance, method="U-statistics")


def _pairs(study: ReaderStudy, test: str, *, readers: slice = slice(None)) -> _Pairs:
    if test not in study.tests:
        raise NotEstimable(f"The study has no test {test!r}.", next_step=f"It has {', '.join(study.tests)}.")
    row = study.tests.index(test)
    ratings, read = study.ratings[row, readers], study.read[row, readers]
    positives, negatives = ratings[:, study.truth], ratings[:, ~study.truth]
    exists = read[:, study.truth, None] & read[:, None, ~study.truth]
    if (read.any(axis=1) & ~np.asarray(exists.any(axis=(1, 2)))).any():
        raise NotEstimable("A reader read no pair of a positive and a negative case.")
    gap = np.nan_to_num(positives[:, :, None] - negatives[:, None, :])
    return _Pairs(np.where(exists, (np.sign(gap) + 1) / 2, 0.0), exists.astype(np.float64))


def _area(pairs: _Pairs) -> float:
    return float(pairs.success.sum() / pairs.exists.sum())


def _sums(left: Array, right: Array) -> Array:
    """Sums of products (4, readers, readers): same pair, same positive case, same negative case, any two pairs."""
    total = np.outer(left.sum(axis=(1, 2)), right.sum(axis=(1, 2)))
    same = left.reshape(len(left), -1) @ right.reshape(len(right), -1).T
    return np.stack([same, left.sum(2) @ right.sum(2).T, left.sum(1) @ right.sum(1).T, total])


def _solve(numerators: Array, denominators: Array, unbias: Array) -> tuple[Array, Array, Array]:
    """Biased moments, coefficients and unbiased moments from sums; a kind of pair that never occurs counts nothing."""
    numerator, denominator = np.tensordot(unbias, numerators, axes=1), np.tensordot(unbias, denominators, axes=1)
    moments = np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator > 0.5)
    if (denominator[-1] < 0.5).any():
        raise NotEstimable(
            "No two readings differ in reader and both cases, so that no unbiased variance exists.",
            next_step="Read more cases of each class.",
        )
    coefficients = denominator / denominators[-1]
    coefficients[-1] -= 1.0
    biased = np.divide(numerators, denominators, out=np.zeros_like(numerators), where=denominators > 0.5)
    return biased, coefficients, moments


def _moments(first: _Pairs, second: _Pairs) -> Moments:
    need_readers(len(first.success), at_least=2)
    sums = []
    for left, right in ((first.success, second.success), (first.exists, second.exists)):
        products = _sums(left, right)
        sums.append(np.concatenate([np.einsum("mrr->m", products), products.sum(axis=(1, 2))]))
    biased, coefficients, moments = _solve(sums[0], sums[1], _UNBIAS)
    return Moments(moments, biased, coefficients)


def _degrees_of_freedom(*parts: Moments) -> tuple[tuple[float, float, float], float]:
    """Numbers of negatives, positives and readers less one, and the uncertainty of the variance, as iMRMC."""
    own = parts[:2] if len(parts) == 3 else parts
    signs = (1.0, 1.0, -2.0)
    # Coefficients of N, D and R are one over the effective numbers of negatives, positives and readers.
    sizes = [[round(1 / float(m.component_coefficients[k])) - 1 for k in (0, 1, 3)] for m in own]
    smallest = [float(min(size)) for size in zip(*sizes, strict=True)]
    biased = [sum(s * float(m.components_biased[k]) for s, m in zip(signs, parts, strict=False)) for k in (0, 1, 3)]
    if min(smallest) < 1:
        raise NotEstimable("One reader, or one case of a class, gives no degrees of freedom.")
    spread = sum(b**2 / n**3 for b, n in zip(biased, smallest, strict=True))
    return (smallest[0], smallest[1], smallest[2]), spread


def _result(
    study: ReaderStudy,
    value: float,
    null: float,
    variances: tuple[float, float],
    uncertainty: tuple[tuple[float, float, float], float],
    *,
    level: float,
    parts: tuple[Moments, ...],
) -> UStatistic:
    variance, biased = variances
    if not variance > 0:
        raise NotEstimable(
            f"The unbiased variance is {variance:.2g}: too few readers and cases.", next_step="Use the jackknife."
        )
    sizes, spread = uncertainty
    dfs = [max(v**2 / spread, min(sizes)) if spread > 0 else math.inf for v in variances]
    used = math.floor(dfs[0]) if dfs[0] <= 50 else math.inf
    error = math.sqrt(variance)

    def estimate(df: float, name: str) -> Estimate:
        half = t_quantile(level, df) * error
        return Estimate(value, value - half, value + half, level, name, study.truth.size, int(study.truth.sum()))

    z = (value - null) / error
    return UStatistic(
        estimate=estimate(math.inf, "U-statistics, normal"),
        variance=variance,
        p_value=two_sided_p(z, math.inf),
        with_df=estimate(used, "U-statistics, Student's t"),
        df=dfs[0],
        p_value_with_df=two_sided_p(z, used),
        variance_biased=biased,
        df_biased=dfs[1],
        of_test=parts,
    )
