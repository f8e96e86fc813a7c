"""Each reader's figure of merit with each test, and how these figures vary together because cases were sampled.

Four estimates of that covariance: the jackknife over cases (any figure, any design), DeLong's and the unbiased
U-statistic (areas only), and the bootstrap of cases. Obuchowski and Rockette, Commun Stat Simul Comput 24:285 (1995);
Hillis, Stat Med 26:596 (2007).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from domain.errors import NotEstimable
from evidence.statistics.mrmc_figures import FigureOfMerit, empirical_auc, placements
from evidence.statistics.mrmc_study import Design, ReaderStudy

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class ReaderFigures:
    """Figures of merit (tests, readers), NaN where a reader did not use a test, and their covariance
    (tests, readers, tests, readers) over cases.

    ``leave_one_out`` (tests, readers, cases) holds the figures without each case, where they were computed; ``n`` and
    ``positives`` count all cases of the study, ``resampled`` those the figure looks at.
    """

    tests: tuple[str, ...]
    readers: tuple[str, ...]
    figure: str
    bounds: tuple[float, float]
    design: Design
    values: Array
    covariance: Array
    method: str
    n: int
    positives: int
    resampled: int
    leave_one_out: Array | None = None


def jackknife(study: ReaderStudy, figure: FigureOfMerit | None = None) -> ReaderFigures:
    """Covariance by leaving out one case at a time: (n − 1)/n times the sum of squares and products about the mean,
    n being all cases of the study that the figure looks at (Efron, *The Jackknife*, SIAM 1982).

    A figure of positive (negative) cases alone is jackknifed over these alone. A case that a reader did not read leaves
    that reader's figure as it is.

    Raises:
        OneClassOnly, NotEstimable: a reader's cases do not give the figure, with or without some case.
    """
    chosen = figure or empirical_auc()
    used = chosen.used(study.truth)
    values = np.full(study.read.shape[:2], np.nan)
    left_out = np.full((*values.shape, int(used.sum())), np.nan)
    for test, reader in np.argwhere(study.read.any(axis=2)):
        mine = study.read[test, reader]
        truth, ratings = study.truth[mine], study.ratings[test, reader, mine]
        values[test, reader] = _checked(chosen.value(truth, ratings))
        without = np.full(mine.size, values[test, reader])
        without[mine] = _without_each(chosen, truth, ratings, value=float(values[test, reader]))
        left_out[test, reader] = without[used]
    return figures_of(study, chosen, values, jackknife_covariance(left_out), method="jackknife", left_out=left_out)


def delong(study: ReaderStudy) -> ReaderFigures:
    """Empirical areas with DeLong's covariance (Biometrics 44:837, 1988), for readers who share all cases or none.

    Raises:
        OneClassOnly: a reader saw one class only.
        NotEstimable: a class of fewer than two cases, or two readings that share some of their cases.
    """
    shared = _shared(study)
    own = np.einsum("trtr->tr", shared)
    if ((shared > 0) & ((shared != own) | (shared != own[..., None, None]))).any():
        raise NotEstimable(
            "DeLong's covariance needs readings of the same cases.", next_step="Use the jackknife or the unbiased one."
        )
    values = np.full(own.shape, np.nan)
    influence = np.zeros(study.ratings.shape)
    for test, reader in np.argwhere(own > 0):
        mine = study.read[test, reader]
        truth = study.truth[mine]
        parts = placements(truth, study.ratings[test, reader, mine])
        values[test, reader] = parts[0].mean()
        for part, chosen in zip(parts, (study.truth, ~study.truth), strict=True):
            if part.size < 2:
                raise NotEstimable("One case of a class gives no variance.")
            influence[test, reader, mine & chosen] = (part - part.mean()) / np.sqrt(part.size * (part.size - 1))
    return figures_of(study, empirical_auc(), values, _products(influence), method="DeLong")


def bootstrap(
    study: ReaderStudy, figure: FigureOfMerit | None = None, *, resamples: int = 2000, seed: int = 0
) -> ReaderFigures:
    """Covariance over bootstrap samples of cases, drawn within truth and within groups read by the same readers.

    Raises:
        OneClassOnly, NotEstimable: as ``jackknife``; fewer than two resamples.
    """
    if resamples < 2:
        raise NotEstimable(f"{resamples} bootstrap samples give no variance.")
    chosen = figure or empirical_auc()
    patterns = np.concatenate([study.truth[None], study.read.reshape(-1, study.truth.size)]).T
    _, stratum = np.unique(patterns, axis=0, return_inverse=True)
    groups = [np.flatnonzero(stratum == one) for one in range(int(stratum.max()) + 1)]
    draw = np.random.default_rng(seed)
    cells = np.argwhere(study.read.any(axis=2))
    values = _cell_values(study, chosen, cells, np.arange(study.truth.size))
    drawn = np.empty((resamples, *values.shape))
    for b in range(resamples):
        picked = np.concatenate([draw.choice(group, size=group.size) for group in groups])
        drawn[b] = _cell_values(study, chosen, cells, picked)
    about = np.moveaxis(drawn - drawn.mean(axis=0), 0, 2)
    covariance = _products(about) / (resamples - 1)
    return figures_of(study, chosen, values, covariance, method=f"bootstrap, {resamples} resamples")


def jackknife_covariance(left_out: Array) -> Array:
    """Covariance (tests, readers, tests, readers) of figures computed without each case (tests, readers, cases)."""
    n = left_out.shape[2]
    if n < 2:
        raise NotEstimable("One case gives no variance.")
    return np.asarray(_products(left_out - left_out.mean(axis=2, keepdims=True)) * ((n - 1) / n))


def figures_of(
    study: ReaderStudy,
    figure: FigureOfMerit,
    values: Array,
    covariance: Array,
    *,
    method: str,
    left_out: Array | None = None,
) -> ReaderFigures:
    """Put figures and covariance together; readings that share no case are independent, so their covariance is 0."""
    apart = _shared(study) == 0
    missing = np.isnan(values)
    covariance = np.where(apart, 0.0, covariance)
    covariance[missing] = covariance[:, :, missing] = np.nan
    return ReaderFigures(
        tests=study.tests,
        readers=study.readers,
        figure=figure.name,
        bounds=figure.bounds,
        design=study.design,
        values=values,
        covariance=covariance,
        method=method,
        n=study.truth.size,
        positives=int(study.truth.sum()),
        resampled=int(figure.used(study.truth).sum()),
        leave_one_out=left_out,
    )


def _shared(study: ReaderStudy) -> NDArray[np.int64]:
    """Number of cases two readings share: (tests, readers, tests, readers)."""
    return np.rint(_products(study.read.astype(np.float64))).astype(np.int64)


def _products(rows: Array) -> Array:
    """Sums of products over the last axis: (tests, readers, n) to (tests, readers, tests, readers)."""
    flat = rows.reshape(-1, rows.shape[2])
    return np.asarray((flat @ flat.T).reshape(rows.shape[:2] * 2))


def _without_each(figure: FigureOfMerit, truth: NDArray[np.bool_], ratings: Array, *, value: float) -> Array:
    if figure.leave_one_out is not None:
        return figure.leave_one_out(truth, ratings)
    without = np.full(truth.size, value)
    kept = np.ones(truth.size, dtype=np.bool_)
    for case in np.flatnonzero(figure.used(truth)):
        kept[case] = False
        without[case] = _checked(figure.value(truth[kept], ratings[kept]))
        kept[case] = True
    return without


def _cell_values(
    study: ReaderStudy, figure: FigureOfMerit, cells: NDArray[np.int64], picked: NDArray[np.int64]
) -> Array:
    values = np.full(study.read.shape[:2], np.nan)
    for test, reader in cells:
        mine = picked[study.read[test, reader, picked]]
        values[test, reader] = _checked(figure.value(study.truth[mine], study.ratings[test, reader, mine]))
    return values


def _checked(value: float) -> float:
    if not np.isfinite(value):
        raise NotEstimable("A reader's cases do not give the figure of merit.", next_step="See which class is missing.")
    return value
