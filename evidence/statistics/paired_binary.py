"""Two decisions on the same samples: McNemar's tests, intervals of the difference, and non-inferiority.

Fagerland, Lydersen and Laake, Statistical Analysis of Contingency Tables (2017), chapter 8. Every difference is that of
the first test minus the second, (b − c) / n. Assumes independent pairs: several films of one patient make the p-values
too small and the intervals too narrow; clustered tests are for those.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from domain.errors import NotEstimable, TooFewSamples
from evidence.statistics.estimate import Estimate, Labels, as_labels, normal_quantile
from evidence.statistics.paired_intervals import METHODS, Method, limits, score_z


@dataclass(frozen=True, slots=True)
class PairedTable:
    """How often both tests, one, or neither says yes. ``first_only`` is b and ``second_only`` is c in the papers.

    ``positives`` says how many of the samples carry the finding by the reference standard.
    """

    both: int
    first_only: int
    second_only: int
    neither: int
    positives: int = 0

    def __post_init__(self) -> None:
        if min(self.both, self.first_only, self.second_only, self.neither) < 0:
            raise NotEstimable("A count is negative.")
        if not 0 <= self.positives <= self.n:
            raise NotEstimable(f"{self.positives} of {self.n} samples cannot carry the finding.")

    @property
    def n(self) -> int:
        """All pairs."""
        return self.both + self.first_only + self.second_only + self.neither

    @property
    def discordant(self) -> int:
        """Pairs on which the tests disagree: the only ones that McNemar's tests look at."""
        return self.first_only + self.second_only


@dataclass(frozen=True, slots=True)
class McNemar:
    """Two-sided tests of equal shares of yes; ``z`` > 0 where the first test says yes more often.

    ``asymptotic`` is z² on one degree of freedom, ``continuity_corrected`` Edwards' version of it, ``exact`` the
    binomial test of the discordant pairs, ``mid_p`` the same less the probability of the table seen.
    """

    z: float
    asymptotic: float
    continuity_corrected: float
    exact: float
    mid_p: float
    discordant: int


@dataclass(frozen=True, slots=True)
class MarginTest:
    """One-sided score test of H0: difference ≤ ``bound`` (minus the margin, or 0 for superiority).

    ``difference`` carries Tango's interval of level 1 − 2·alpha, whose lower limit lies above ``bound`` exactly when
    ``met`` (p ≤ alpha).
    """

    difference: Estimate
    bound: float
    z: float
    p_value: float
    alpha: float
    met: bool


def paired_table(first: ArrayLike, second: ArrayLike) -> PairedTable:
    """Counts of two rows of decisions 0/1, each (n,), on the same samples.

    Raises:
        NotEstimable, TooFewSamples: values other than 0 and 1, lengths that differ, no samples.
    """
    yes_first = as_labels(first, n=np.asarray(first).size)
    yes_second = as_labels(second, n=yes_first.size)
    return PairedTable(
        both=int((yes_first & yes_second).sum()),
        first_only=int((yes_first & ~yes_second).sum()),
        second_only=int((~yes_first & yes_second).sum()),
        neither=int((~yes_first & ~yes_second).sum()),
    )


def sensitivity_table(labels: ArrayLike, first: ArrayLike, second: ArrayLike) -> PairedTable:
    """Calls (n,) of two tests on the samples that carry the finding; a difference is one of sensitivities.

    Raises:
        TooFewSamples: no sample carries the finding.
        NotEstimable: values other than 0 and 1, or lengths that differ.
    """
    truth, yes_first, yes_second = _decisions(labels, first, second)
    if not truth.any():
        raise TooFewSamples("No sample carries the finding: there is no sensitivity.")
    table = paired_table(yes_first[truth], yes_second[truth])
    return PairedTable(table.both, table.first_only, table.second_only, table.neither, positives=table.n)


def specificity_table(labels: ArrayLike, first: ArrayLike, second: ArrayLike) -> PairedTable:
    """Negative calls of two tests on the samples without the finding; a difference is one of specificities.

    ``first`` and ``second`` are calls (n,), 1 meaning that the finding is called present, as for ``sensitivity_table``.

    Raises:
        TooFewSamples: every sample carries the finding.
        NotEstimable: values other than 0 and 1, or lengths that differ.
    """
    truth, yes_first, yes_second = _decisions(labels, first, second)
    if truth.all():
        raise TooFewSamples("Every sample carries the finding: there is no specificity.")
    return paired_table(~yes_first[~truth], ~yes_second[~truth])


def mcnemar(table: PairedTable) -> McNemar:
    """McNemar's test (Psychometrika 12:153, 1947) in four versions; mid-p as Fagerland, Lydersen, Laake, BMC Med Res
    Methodol 13:91 (2013). Without a discordant pair the tests agree everywhere: z is 0 and every p-value 1.

    Raises:
        TooFewSamples: the table is empty.
    """
    _need_pairs(table)
    b, c = table.first_only, table.second_only
    if b + c == 0:
        return McNemar(0.0, 1.0, 1.0, 1.0, 1.0, 0)
    from scipy.stats import binom  # late: it costs a second

    z = (b - c) / math.sqrt(b + c)
    corrected = max(abs(b - c) - 1, 0) / math.sqrt(b + c)
    tail, seen = float(binom.cdf(min(b, c), b + c, 0.5)), float(binom.pmf(b, b + c, 0.5))
    exact = min(2.0 * tail, 1.0)
    # At b = c the two tails share the table seen, and both halves of it are counted once.
    mid_p = 1.0 - seen / 2.0 if b == c else exact - seen
    return McNemar(z, _two_sided(z), _two_sided(corrected), exact, mid_p, b + c)


def difference(table: PairedTable, *, level: float = 0.95, interval: Method = "tango") -> Estimate:
    """Share of yes of the first test minus that of the second, (b − c) / n, with an interval.

    The methods are named and cited in ``paired_intervals``.

    Raises:
        TooFewSamples: the table is empty.
        NotEstimable: a level outside (0, 1), or no interval of that name.
    """
    _need_pairs(table)
    if interval not in METHODS:
        raise NotEstimable(f"There is no interval named {interval}.", next_step=f"Choose one of {', '.join(METHODS)}.")
    cells = (table.both, table.first_only, table.second_only, table.neither)
    value = (table.first_only - table.second_only) / table.n
    low, high = limits(cells, z=normal_quantile(level), method=interval)
    return Estimate(value, low, high, level, METHODS[interval], table.n, table.positives)


def non_inferiority(table: PairedTable, *, margin: float, alpha: float = 0.025) -> MarginTest:
    """Is the first test worse than the second by less than ``margin``? H0: difference ≤ −margin.

    The score test with the nuisance rate restricted to H0 (Nam, Biometrics 53:1422, 1997; Tango, Stat Med 17:891,
    1998). ``margin`` is a positive difference of shares, fixed before the data are seen.

    Raises:
        TooFewSamples: the table is empty.
        NotEstimable: a margin that is not inside (0, 1), or an alpha outside (0, ½).
    """
    if not 0.0 < margin < 1.0:
        raise NotEstimable(
            f"A non-inferiority margin of {margin} is no loss that could be tolerated.",
            next_step="State it as a positive difference of shares, for example 0.05.",
        )
    return _margin_test(table, bound=-margin, alpha=alpha)


def superiority(table: PairedTable, *, alpha: float = 0.025) -> MarginTest:
    """Does the first test say yes more often? H0: difference ≤ 0; its z is McNemar's.

    Raises:
        TooFewSamples: the table is empty.
        NotEstimable: an alpha outside (0, ½).
    """
    return _margin_test(table, bound=0.0, alpha=alpha)


def _margin_test(table: PairedTable, *, bound: float, alpha: float) -> MarginTest:
    _need_pairs(table)
    if not 0.0 < alpha < 0.5:
        raise NotEstimable(f"A one-sided alpha of {alpha} does not exist.", next_step="Choose one below one half.")
    z = score_z(table.first_only, table.second_only, table.n, bound)
    p_value = NormalDist().cdf(-z)
    found = difference(table, level=1.0 - 2.0 * alpha, interval="tango")
    return MarginTest(found, bound, z, p_value, alpha, met=p_value <= alpha)


def _decisions(labels: ArrayLike, first: ArrayLike, second: ArrayLike) -> tuple[Labels, Labels, Labels]:
    truth = as_labels(labels, n=np.asarray(labels).size)
    return truth, as_labels(first, n=truth.size), as_labels(second, n=truth.size)


def _need_pairs(table: PairedTable) -> None:
    if table.n == 0:
        raise TooFewSamples("A table of no pairs has no difference.")


def _two_sided(z: float) -> float:
    return 2.0 * NormalDist().cdf(-abs(z))
