"""Figures of merit of localisation studies, with what a study of several readers and tests needs of them.

wAFROC (weighted JAFROC) is the one to use: every case counts alike however many lesions it has, and marks on diseased
cases that miss the lesion neither help nor, on their own, harm. Names and definitions as in Chakraborty, *Observer
Performance Methods for Diagnostic Imaging*, CRC 2017, and R RJafroc; the "1" variants take false marks from all cases,
and are for studies without non-diseased cases; Popescu, Med Phys 38:5690 (2011), for the exponential transform.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from domain.errors import NotEstimable
from evidence.statistics.estimate import Estimate, normal_quantile
from evidence.statistics.froc import FrocStudy, Reading
from evidence.statistics.mrmc_covariance import ReaderFigures, jackknife_covariance
from evidence.statistics.mrmc_figures import share_below

Array = NDArray[np.float64]
FigureName = Literal[
    "wAFROC",
    "AFROC",
    "wAFROC1",
    "AFROC1",
    "FROC",
    "HrAuc",
    "HrSe",
    "HrSp",
    "MaxLLF",
    "MaxNLF",
    "MaxNLFAllCases",
    "ExpTrnsfmSp",
]
NO_MARK = -np.inf


@dataclass(frozen=True, slots=True, eq=False)
class _Comparison:
    """Weighted share of (noise, signal) pairs with the signal rated higher, ties one half.

    ``noise`` (cases, m) where ``is_noise``, ``signal`` (cases, l) with ``weight`` 0 where there is none; the sum over
    pairs is divided by Σ ``noise_size`` · Σ ``signal_size``, both (cases,).
    """

    noise: Array
    is_noise: NDArray[np.bool_]
    signal: Array
    weight: Array
    noise_size: Array
    signal_size: Array

    def with_and_without_each(self) -> tuple[float, Array]:
        """The share of all cases, and (cases,) without each, in O(n log n)."""
        noise, signal = self.noise[self.is_noise], self.signal[self.weight > 0]
        of_signal = np.zeros(self.signal.shape)
        of_signal[self.weight > 0] = share_below(noise, signal) * noise.size if noise.size else 0.0
        by_signal_case = (of_signal * self.weight).sum(axis=1)
        total, within = float(by_signal_case.sum()), self._within()
        left = total - by_signal_case - self._by_noise_case() + within
        noises, signals = self.noise_size.sum() - self.noise_size, self.signal_size.sum() - self.signal_size
        if min(noises.min(), signals.min()) <= 0:
            raise NotEstimable("Without one of its cases the figure of merit does not exist.")
        return total / float(self.noise_size.sum() * self.signal_size.sum()), left / (noises * signals)

    def value(self) -> float:
        """The share of all cases."""
        noise, signal = self.noise[self.is_noise], self.signal[self.weight > 0]
        size = float(self.noise_size.sum() * self.signal_size.sum())
        if size <= 0:
            raise NotEstimable("The figure of merit needs both diseased and non-diseased cases.")
        if noise.size == 0:
            return 0.0
        return float((share_below(noise, signal) * noise.size * self.weight[self.weight > 0]).sum()) / size

    def _by_noise_case(self) -> Array:
        """Sum over signals of weight · [signal above noise], summed over each case's noise (cases,)."""
        weight = self.weight[self.weight > 0]
        order = np.argsort(self.signal[self.weight > 0], kind="stable")
        ordered = self.signal[self.weight > 0][order]
        up_to = np.concatenate([[0.0], np.cumsum(weight[order])])
        below = (
            up_to[np.searchsorted(ordered, self.noise, "left")] + up_to[np.searchsorted(ordered, self.noise, "right")]
        )
        return np.asarray(np.where(self.is_noise, up_to[-1] - below / 2, 0.0).sum(axis=1))

    def _within(self) -> Array:
        """The part of the sum whose noise and signal come from the same case (cases,)."""
        noise, signal = self.noise[:, :, None], self.signal[:, None, :]
        higher = (signal > noise) + 0.5 * (signal == noise)
        return np.asarray((higher * self.is_noise[:, :, None] * self.weight[:, None, :]).sum(axis=(1, 2)))


@dataclass(frozen=True, slots=True, eq=False)
class _Ratio:
    """Σ ``above`` / Σ ``below`` over cases (cases,), then ``shape`` of it."""

    above: Array
    below: Array
    shape: Callable[[Array], Array] = np.asarray

    def with_and_without_each(self) -> tuple[float, Array]:
        below = self.below.sum() - self.below
        if below.min() <= 0:
            raise NotEstimable("Without one of its cases the figure of merit does not exist.")
        return self.value(), np.asarray(self.shape((self.above.sum() - self.above) / below))

    def value(self) -> float:
        if self.below.sum() <= 0:
            raise NotEstimable("The figure of merit needs both diseased and non-diseased cases.")
        return float(self.shape(np.asarray(self.above.sum() / self.below.sum())))


def figure_of_merit(reading: Reading, figure: FigureName = "wAFROC") -> float:
    """One reader's figure with one test.

    wAFROC, AFROC: area under lesion localisations (each case's lesions weighing 1 in all, or each lesion 1) against the
    highest false mark of non-diseased cases; wAFROC1, AFROC1: of all cases. FROC: area left of the lesion ratings over
    all false marks, per case. HrAuc: ROC area of each case's highest mark; HrSe, HrSp: share of diseased cases
    marked, of non-diseased cases not marked. MaxLLF, MaxNLF, MaxNLFAllCases: lesions found, and false marks per
    non-diseased case, or per case; ExpTrnsfmSp: exp(−MaxNLF).

    Raises:
        NotEstimable: no case of a kind the figure needs, or an unknown figure.
    """
    return _parts(reading, figure).value()


def jackknife(study: FrocStudy, figure: FigureName = "wAFROC") -> ReaderFigures:
    """Figures of all readers and tests with their jackknife covariance, for ``obuchowski_rockette`` or
    ``dorfman_berbaum_metz``.

    Figures of diseased (non-diseased) cases alone are jackknifed over these.

    Raises:
        NotEstimable: a figure that does not exist without one of the cases.
    """
    shape = (len(study.tests), len(study.readers))
    values, left_out = np.empty(shape), np.empty((*shape, len(study.cases)))
    for test, reader in np.ndindex(shape):
        chosen = _parts(study.reading(test, reader), figure)
        if isinstance(chosen, _Ratio):
            used = chosen.below > 0
            value, without = _Ratio(chosen.above[used], chosen.below[used], chosen.shape).with_and_without_each()
        else:
            used = np.ones(len(study.cases), dtype=np.bool_)
            value, without = chosen.with_and_without_each()
        values[test, reader], left_out[test, reader, : without.size] = value, without
    left_out = left_out[:, :, : int(used.sum())]
    return ReaderFigures(
        tests=study.tests,
        readers=study.readers,
        figure=figure,
        bounds=(0.0, np.inf) if figure in ("FROC", "MaxNLF", "MaxNLFAllCases") else (0.0, 1.0),
        design="factorial",
        values=values,
        covariance=jackknife_covariance(left_out),
        method="jackknife",
        n=len(study.cases),
        positives=int((study.lesions > 0).sum()),
        resampled=left_out.shape[2],
        leave_one_out=left_out,
    )


def bootstrap_interval(
    reading: Reading, figure: FigureName = "wAFROC", *, level: float = 0.95, resamples: int = 2000, seed: int = 0
) -> Estimate:
    """One reader's figure with a percentile interval over bootstrap samples of cases, diseased and not separately.

    Raises:
        NotEstimable: as ``figure_of_merit``; a level outside (0, 1); no resamples.
    """
    normal_quantile(level)
    if resamples < 1:
        raise NotEstimable("No bootstrap samples give no interval.")
    draw, drawn = np.random.default_rng(seed), np.empty(resamples)
    groups = [np.flatnonzero(reading.diseased), np.flatnonzero(~reading.diseased)]
    for b in range(resamples):
        picked = np.concatenate([draw.choice(group, size=group.size) for group in groups if group.size])
        drawn[b] = _parts(reading.some(picked), figure).value()
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    method = f"percentile bootstrap of cases, {resamples} resamples"
    value = figure_of_merit(reading, figure)
    n, positives = reading.lesions.size, int(reading.diseased.sum())
    return Estimate(value, min(float(low), value), max(float(high), value), level, method, n, positives)


def _parts(reading: Reading, figure: FigureName) -> _Comparison | _Ratio:
    diseased = reading.diseased.astype(np.float64)
    false_marks = (reading.non_lesion > NO_MARK).sum(axis=1).astype(np.float64)
    highest_false = reading.non_lesion.max(axis=1)
    highest = np.maximum(highest_false, reading.lesion.max(axis=1))
    match figure:
        case "wAFROC" | "AFROC" | "wAFROC1" | "AFROC1":
            return _afroc(reading, weighted=figure[0] == "w", all_cases=figure[-1] == "1")
        case "FROC":
            exists, ones = reading.exists.astype(np.float64), np.ones(diseased.size)
            marked = reading.non_lesion > NO_MARK
            return _Comparison(
                reading.non_lesion, marked, reading.lesion, exists, ones, reading.lesions.astype(np.float64)
            )
        case "HrAuc":
            ratings, normal = highest[:, None], diseased[:, None] == 0
            return _Comparison(ratings, normal, ratings, diseased[:, None], 1 - diseased, diseased)
        case "HrSe":
            return _Ratio(diseased * (highest > NO_MARK), diseased)
        case "HrSp":
            return _Ratio((1 - diseased) * (highest_false == NO_MARK), 1 - diseased)
        case "MaxLLF":
            return _Ratio((reading.lesion > NO_MARK).sum(axis=1).astype(np.float64), reading.lesions.astype(np.float64))
        case "MaxNLF":
            return _Ratio((1 - diseased) * false_marks, 1 - diseased)
        case "MaxNLFAllCases":
            return _Ratio(false_marks, np.ones(diseased.size))
        case "ExpTrnsfmSp":
            return _Ratio((1 - diseased) * false_marks, 1 - diseased, _survival)
    raise NotEstimable(f"There is no figure of merit {figure!r}.")


def _survival(rate: Array) -> Array:
    return np.asarray(np.exp(-rate))


def _afroc(reading: Reading, *, weighted: bool, all_cases: bool) -> _Comparison:
    exists = reading.exists.astype(np.float64)
    normal = np.ones(reading.lesions.size, dtype=np.bool_) if all_cases else ~reading.diseased
    return _Comparison(
        noise=reading.non_lesion.max(axis=1, keepdims=True),
        is_noise=normal[:, None],
        signal=reading.lesion,
        weight=reading.weights if weighted else exists,
        noise_size=normal.astype(np.float64),
        signal_size=(reading.diseased if weighted else reading.lesions).astype(np.float64),
    )
