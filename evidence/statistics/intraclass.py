"""Intraclass correlation of measurements: the six forms of Shrout and Fleiss, with intervals.

Shrout, Fleiss, Psychol Bull 86:420 (1979); McGraw, Wong, Psychol Methods 1:30 (1996). Assumes normal effects and a
complete matrix; a missing measurement is refused, not filled in. Negative values and limits are not cut. The estimates'
``positives`` is 0 (no reference standard), ``n`` the number of subjects.
"""

from dataclasses import dataclass
from typing import Literal

from numpy.typing import ArrayLike

from domain.errors import NotEstimable
from evidence.statistics.estimate import Estimate, normal_quantile
from evidence.statistics.ratings import Floats, as_numbers

Model = Literal["one-way random", "two-way random", "two-way mixed"]


@dataclass(frozen=True, slots=True)
class MeanSquares:
    """The two-way analysis of variance without replication: n subjects, k raters."""

    subjects: float
    raters: float
    error: float
    within: float
    n: int
    k: int


@dataclass(frozen=True, slots=True)
class IccForm:
    """One coefficient. ``f``, its degrees of freedom and ``p_value`` test that it is 0 (one-sided, as published).

    ``satterthwaite_df`` are the degrees of freedom of the interval of an agreement form, and ``satterthwaite_p`` is the
    p of ``f`` with those in the place of ``df2``, as R irr prints it; None for the others.
    """

    name: str
    mcgraw_wong_name: str
    estimate: Estimate
    f: float
    df1: float
    df2: float
    p_value: float
    satterthwaite_df: float | None = None
    satterthwaite_p: float | None = None


@dataclass(frozen=True, slots=True)
class Intraclass:
    """Six forms. ``icc1``: each subject has its own raters; ``icc2``: raters are a sample, their offsets count
    (agreement); ``icc3``: these raters alone, offsets do not count (consistency). ``k``: of the mean of the k raters.

    ICC(2,k) has two intervals: ``icc2k`` carries Shrout and Fleiss's (the limits of ICC(2,1) stepped up by
    Spearman–Brown, as R psych), ``icc2k_mcgraw_wong`` the one whose Satterthwaite degrees of freedom put the average
    coefficient in the place of the single one (as R irr calls McGraw and Wong's). The coefficient is the same.
    """

    icc1: IccForm
    icc2: IccForm
    icc3: IccForm
    icc1k: IccForm
    icc2k: IccForm
    icc3k: IccForm
    icc2k_mcgraw_wong: IccForm
    mean_squares: MeanSquares

    @property
    def forms(self) -> tuple[IccForm, ...]:
        """The six in the order of Shrout and Fleiss: single 1, 2, 3, then average 1, 2, 3."""
        return (self.icc1, self.icc2, self.icc3, self.icc1k, self.icc2k, self.icc3k)


def intraclass(ratings: ArrayLike, *, level: float = 0.95) -> Intraclass:
    """All six intraclass correlations of measurements (n subjects, k raters).

    Raises:
        NotEstimable: a gap, subjects who do not differ, or raters who differ by a constant only (no error: the
            coefficients are 1 and no interval exists).
        TooFewSamples: fewer than two subjects or raters.
    """
    normal_quantile(level)  # refuses a level that does not exist
    squares = mean_squares(as_numbers(ratings))
    one, one_k = _pair(squares, "1", squares.within, level=level)
    three, three_k = _pair(squares, "3", squares.error, level=level)
    single, average, rival = _agreement(squares, level=level)
    return Intraclass(one, single, three, one_k, average, three_k, rival, squares)


def mean_squares(matrix: Floats) -> MeanSquares:
    """Mean squares of a complete matrix (n subjects, k raters).

    Raises:
        NotEstimable: subjects do not differ, or the raters leave no error.
    """
    n, k = matrix.shape
    centred = matrix - matrix.mean()
    by_subject, by_rater = centred.mean(axis=1), centred.mean(axis=0)
    subjects = k * float((by_subject**2).sum()) / (n - 1)
    raters = n * float((by_rater**2).sum()) / (k - 1)
    error = float(((centred - by_subject[:, None] - by_rater) ** 2).sum()) / ((n - 1) * (k - 1))
    within = float(((centred - by_subject[:, None]) ** 2).sum()) / (n * (k - 1))
    scale = float((matrix**2).sum())
    if subjects <= 1e-20 * scale:
        raise NotEstimable("The subjects do not differ: there is no variation to share.")
    if error <= 1e-14 * subjects:
        raise NotEstimable("The raters differ by a constant at most: no error is left, and no interval exists.")
    return MeanSquares(subjects, raters, error, within, n, k)


def _pair(squares: MeanSquares, kind: Literal["1", "3"], error: float, *, level: float) -> tuple[IccForm, IccForm]:
    """One-way (error within subjects) or consistency form, of a single rater and of the mean of k."""
    from scipy.stats import f

    n, k = squares.n, squares.k
    df1, df2 = n - 1, n * (k - 1) if kind == "1" else (n - 1) * (k - 1)
    ratio, upper = squares.subjects / error, 0.5 + level / 2.0
    low, high = ratio / float(f.ppf(upper, df1, df2)), ratio * float(f.ppf(upper, df2, df1))
    p_value, prefix = float(f.sf(ratio, df1, df2)), "" if kind == "1" else "C,"

    def single(g: float) -> float:
        return (g - 1.0) / (g + k - 1.0)

    def average(g: float) -> float:
        return 1.0 - 1.0 / g

    return (
        IccForm(
            f"ICC({kind},1)",
            f"ICC({prefix}1)",
            Estimate(single(ratio), single(low), single(high), level, "F", n, 0),
            ratio,
            df1,
            df2,
            p_value,
        ),
        IccForm(
            f"ICC({kind},k)",
            f"ICC({prefix}k)",
            Estimate(average(ratio), average(low), average(high), level, "F", n, 0),
            ratio,
            df1,
            df2,
            p_value,
        ),
    )


def _agreement(squares: MeanSquares, *, level: float) -> tuple[IccForm, IccForm, IccForm]:
    """ICC(2,1), ICC(2,k) after Shrout and Fleiss, and ICC(2,k) after McGraw and Wong."""
    from scipy.stats import f

    n, k, ms, error = squares.n, squares.k, squares.subjects, squares.error
    offset = squares.raters - error
    single = (ms - error) / (ms + (k - 1) * error + k * offset / n)
    average = (ms - error) / (ms + offset / n)
    ratio, df1, df2 = ms / error, n - 1, (n - 1) * (k - 1)
    p_value = float(f.sf(ratio, df1, df2))
    of_single, of_average = _satterthwaite(squares, single), _satterthwaite(squares, average)
    # Of the mean of k: Spearman–Brown of the single limits, written out.
    one = _limits(squares, of_single, k * squares.raters + (k * n - k - n) * error, level=level)
    stepped = _limits(squares, of_single, offset, level=level)
    rival = _limits(squares, of_average, offset, level=level)

    def form(unit: str, value: float, limits: tuple[float, float], freedom: float, method: str) -> IccForm:
        estimate, p = Estimate(value, *limits, level, method, n, 0), float(f.sf(ratio, df1, freedom))
        return IccForm(f"ICC(2,{unit})", f"ICC(A,{unit})", estimate, ratio, df1, df2, p_value, freedom, p)

    return (
        form("1", single, one, of_single, "F, Satterthwaite"),
        form("k", average, stepped, of_single, "F, Satterthwaite (Shrout–Fleiss)"),
        form("k", average, rival, of_average, "F, Satterthwaite (McGraw–Wong)"),
    )


def _satterthwaite(squares: MeanSquares, rho: float) -> float:
    """Degrees of freedom of a · raters + b · error, scaled by n(1 − ρ) so that ρ = 1 is no special case."""
    n, k = squares.n, squares.k
    a, b = k * rho * squares.raters, (n * (1.0 + (k - 1) * rho) - k * rho) * squares.error
    return (a + b) ** 2 / (a**2 / (k - 1) + b**2 / ((n - 1) * (k - 1)))


def _limits(squares: MeanSquares, freedom: float, offset: float, *, level: float) -> tuple[float, float]:
    from scipy.stats import f

    n, ms, error = squares.n, squares.subjects, squares.error
    upper = 0.5 + level / 2.0
    below, above = float(f.ppf(upper, n - 1, freedom)), float(f.ppf(upper, freedom, n - 1))
    low = n * (ms - below * error) / (below * offset + n * ms)
    return low, n * (above * ms - error) / (offset + n * above * ms)
