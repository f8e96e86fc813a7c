"""Two readings of the same clustered samples, each right or wrong: McNemar's test where patients have several samples.

Per cluster k: a both positive, b only the first, c only the second, d neither; n = a + b + c + d. Clusters are assumed
independent. Notation of Yang, Sun and Hardin, Biometrical J 52:640 (2010). Give samples with the finding for
sensitivities, samples without it for specificities.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from domain.errors import NotEstimable, TooFewSamples
from evidence.statistics.clusters import cluster_index
from evidence.statistics.estimate import Estimate, as_labels, normal_quantile
from evidence.statistics.non_inferiority import NonInferiority, check_margin, non_inferiority
from evidence.statistics.roc import Sampled
from evidence.statistics.roc_tests import chi_square_tail

Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PairedCounts:
    """Counts per cluster (K,): both positive, only the first, only the second, neither."""

    both: Vector
    first_only: Vector
    second_only: Vector
    neither: Vector

    @property
    def size(self) -> Vector:
        """Samples of each cluster (K,)."""
        return self.both + self.first_only + self.second_only + self.neither

    @property
    def gap(self) -> Vector:
        """b − c of each cluster (K,)."""
        return self.first_only - self.second_only

    @property
    def n(self) -> int:
        """All samples."""
        return int(self.size.sum())


@dataclass(frozen=True, slots=True)
class ChiSquare:
    """A statistic with one degree of freedom for «both readings are positive equally often», two-sided."""

    statistic: float
    p_value: float
    method: str


def count_pairs(first: ArrayLike, second: ArrayLike, clusters: ArrayLike) -> PairedCounts:
    """Counts per cluster of two readings (n,) in {0, 1} of the same samples, with cluster keys (n,).

    Raises:
        TooFewSamples: no samples.
        NotEstimable: a reading that is neither 0 nor 1, numbers that do not match, a sample without cluster.
    """
    n = np.asarray(first).size
    one, two = as_labels(first, n=n), as_labels(second, n=n)
    index = cluster_index(clusters, n=n)
    count = int(index.max()) + 1
    cells = (one & two, one & ~two, ~one & two, ~one & ~two)
    return PairedCounts(*(np.bincount(index[cell], minlength=count).astype(np.float64) for cell in cells))


def as_counts(both: ArrayLike, first_only: ArrayLike, second_only: ArrayLike, neither: ArrayLike) -> PairedCounts:
    """Counts per cluster, each (K,), checked; a cluster without samples says nothing and is left out.

    Raises:
        NotEstimable: counts that are not whole numbers from 0 or do not match.
        TooFewSamples: no samples.
    """
    cells = [np.asarray(cell, dtype=np.float64) for cell in (both, first_only, second_only, neither)]
    if cells[0].ndim != 1 or any(cell.shape != cells[0].shape for cell in cells):
        raise NotEstimable("The four counts are not given for the same clusters.")
    if any(not np.isfinite(cell).all() or (cell < 0).any() or (cell % 1 != 0).any() for cell in cells):
        raise NotEstimable("A count is not a whole number from 0.")
    used = np.sum(cells, axis=0) > 0
    if not used.any():
        raise TooFewSamples("There are no samples.")
    return PairedCounts(*(cell[used] for cell in cells))


def mcnemar(counts: PairedCounts) -> ChiSquare:
    """McNemar's statistic without continuity correction, Psychometrika 12:153 (1947), as if every sample were a
    patient: for comparison only, since it rejects too often where samples of a patient are alike.

    Raises:
        NotEstimable: no pair differs.
    """
    _require_discordance(counts)
    return _chi_square(_mcnemar(counts), "McNemar, clusters ignored")


def eliasziw_donner(counts: PairedCounts) -> ChiSquare:
    """McNemar's statistic over a design effect, Eliasziw and Donner, Stat Med 10:1981 (1991).

    The intracluster correlation comes from the analysis of variance of all four outcomes, the effective size of the
    discordant pairs from the clusters that have one. A negative correlation is used as it is.

    Raises:
        NotEstimable: no pair differs, or the correlation or the design effect has no usable value.
        TooFewSamples: fewer than two clusters, or fewer than two with a discordant pair.
    """
    _require_discordance(counts)
    _require_clusters(counts)
    discordant = counts.first_only + counts.second_only
    k, k_discordant = discordant.size, int((discordant > 0).sum())
    if k_discordant < 2:
        raise TooFewSamples("Only one cluster has pairs that differ.", next_step="Use more patients.")
    mean = float(discordant.sum()) / k_discordant
    # The sum runs over all clusters; those without a discordant pair are taken off again.
    spread = float(((discordant - mean) ** 2).sum()) - (k - k_discordant) * mean**2
    s0 = mean - spread / (k_discordant * (k_discordant - 1) * mean)
    effective = s0 + k_discordant * (mean - s0)
    effect = 1.0 + (effective - 1.0) * _correlation(counts)
    if not effect > 0.0:
        raise NotEstimable(f"The design effect comes to {effect:.3g}.", next_step="Take Obuchowski's or Yang's test.")
    return _chi_square(_mcnemar(counts) / effect, "Eliasziw and Donner")


def obuchowski(counts: PairedCounts) -> ChiSquare:
    """Obuchowski, Stat Med 17:1495 (1998), variance under the null: (K − 1)/K · (Σ(b − c))² / Σ(b − c)².

    Raises:
        NotEstimable: b equals c in every cluster.
        TooFewSamples: fewer than two clusters.
    """
    _require_clusters(counts)
    k = counts.gap.size
    return _chi_square((k - 1) / k * _ratio(float(counts.gap.sum()) ** 2, float((counts.gap**2).sum())), "Obuchowski")


def durkalski(counts: PairedCounts) -> ChiSquare:
    """Durkalski et al., Stat Med 22:2417 (2003): every cluster weighs the same, (Σ(b − c)/n)² / Σ((b − c)/n)².

    Raises:
        NotEstimable: b equals c in every cluster.
        TooFewSamples: fewer than two clusters.
    """
    _require_clusters(counts)
    share = counts.gap / counts.size
    return _chi_square(_ratio(float(share.sum()) ** 2, float((share**2).sum())), "Durkalski")


def yang(counts: PairedCounts) -> ChiSquare:
    """Yang, Sun and Hardin, Biometrical J 52:640 (2010): Obuchowski's test with the mean of the variances under the
    null and under the alternative.

    Raises:
        NotEstimable: b equals c in every cluster.
        TooFewSamples: fewer than two clusters.
    """
    _require_clusters(counts)
    k, gap = counts.gap.size, counts.gap
    centred = gap - counts.size * float(gap.sum()) / counts.n
    variance = float((centred**2 + gap**2).sum()) / 2.0
    return _chi_square((k - 1) / k * _ratio(float(gap.sum()) ** 2, variance), "Yang")


def difference(counts: PairedCounts, *, level: float = 0.95) -> Estimate:
    """Share positive by the first less share positive by the second, with a Wald interval cut to [−1, 1].

    Variance of a ratio over clusters, K/(K − 1) · Σ(b − c − n·δ)² / N² (Obuchowski 1998; Rao and Scott, Biometrics
    48:577, 1992). ``Estimate.positives`` counts samples that either reading calls positive.

    Raises:
        NotEstimable: the difference shows no variance, or a level outside (0, 1).
        TooFewSamples: fewer than two clusters.
    """
    value, error = _difference(counts)
    half = normal_quantile(level) * error
    low, high = max(value - half, -1.0), min(value + half, 1.0)
    return Estimate(value, low, high, level, "Obuchowski, clustered, Wald", counts.n, _positives(counts))


def non_inferior_share(counts: PairedCounts, *, margin: float, alpha: float = 0.025) -> NonInferiority:
    """Is the share right by the first (new) no more than ``margin`` below that by the second (reference)?

    Count right answers, on samples with the finding for sensitivity, without it for specificity; variance as in
    ``difference``, test as in ``non_inferiority``. Needs some thirty clusters to hold its error.

    Raises:
        NotEstimable, TooFewSamples: as ``difference`` and ``non_inferiority.non_inferiority``.
    """
    check_margin(margin, alpha)
    value, error = _difference(counts)
    sampled = Sampled("Obuchowski, clustered, Wald", counts.n, _positives(counts))
    return non_inferiority(value, error, sampled, margin=margin, alpha=alpha)


def _difference(counts: PairedCounts) -> tuple[float, float]:
    _require_clusters(counts)
    k, value = counts.gap.size, float(counts.gap.sum()) / counts.n
    error = math.sqrt(k / (k - 1) * float(((counts.gap - counts.size * value) ** 2).sum())) / counts.n
    if error == 0.0:
        raise NotEstimable("The readings differ alike in every cluster: their difference shows no variance.")
    return value, error


def _positives(counts: PairedCounts) -> int:
    return counts.n - int(counts.neither.sum())


def _mcnemar(counts: PairedCounts) -> float:
    b, c = float(counts.first_only.sum()), float(counts.second_only.sum())
    return (b - c) ** 2 / (b + c)


def _correlation(counts: PairedCounts) -> float:
    """Intracluster correlation of discordance, from mean squares between and within clusters over the four outcomes."""
    cells, size = np.stack([counts.both, counts.first_only, counts.second_only, counts.neither]), counts.size
    k, mean = size.size, float(size.mean())
    if mean <= 1.0:
        raise NotEstimable("No cluster has two samples: there is no correlation.", next_step="Take McNemar's test.")
    shares = cells.sum(axis=1) / size.sum()
    between = float(((cells - shares[:, None] * size) ** 2 / size).sum()) / k
    within = float((cells * (size - cells) / size).sum()) / (k * (mean - 1.0))
    n0 = mean - float(((size - mean) ** 2).sum()) / (k * (k - 1) * mean)
    overall = _ratio(between - within, between + (n0 - 1.0) * within)
    return _ratio(overall, overall + float(shares[1] + shares[2]) * (1.0 - overall))


def _ratio(numerator: float, denominator: float) -> float:
    if denominator == 0.0:
        raise NotEstimable("The readings do not differ in a way that shows any variance.")
    return numerator / denominator


def _chi_square(statistic: float, method: str) -> ChiSquare:
    return ChiSquare(statistic, chi_square_tail(statistic, 1), method)


def _require_discordance(counts: PairedCounts) -> None:
    if not (counts.first_only.any() or counts.second_only.any()):
        raise NotEstimable("The two readings never differ.")


def _require_clusters(counts: PairedCounts) -> None:
    if counts.size.size < 2:
        raise TooFewSamples("One cluster alone has no variance.", next_step="Use more patients.")
