"""How different are two distributions? Population stability, Kullback–Leibler, Jensen–Shannon, Hellinger, Wasserstein.

The first take two histograms over the same cells, reference first; counts are turned into shares. ``cells`` makes the
histograms from raw samples with cells at the reference's quantiles. Logarithms are natural unless ``base`` says
otherwise. None of these numbers is a test: for that see ``kolmogorov_smirnov`` and ``mmd``.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from domain.errors import NotEstimable, TooFewSamples
from evidence.statistics.estimate import as_scores

Vector = NDArray[np.float64]
ZeroRule = Literal["refuse", "floor", "pseudocount"]
Closed = Literal["right", "left"]


@dataclass(frozen=True, slots=True)
class Cells:
    """Counts of two windows in k cells with k − 1 inner edges; the outer cells reach to infinity."""

    edges: Vector
    reference: NDArray[np.int64]
    current: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Divergences:
    """All divergences of two histograms, in nats; see the functions of the same names."""

    psi: float
    kl_reference_current: float
    kl_current_reference: float
    jensen_shannon: float
    hellinger: float


def cells(reference: ArrayLike, current: ArrayLike, *, count: int = 10, closed: Closed = "right") -> Cells:
    """Counts of samples (n,) and (m,) in ``count`` cells whose inner edges are the reference's quantiles.

    Quantiles are interpolated linearly (type 7 of Hyndman and Fan, Am Stat 50:361, 1996). ``closed="right"`` puts a
    value equal to an edge into the cell below, (a, b]; "left" into the cell above. Edges that coincide, because the
    reference repeats a value, are merged: there are then fewer cells.

    Raises:
        NotEstimable: a value not finite, samples not one-dimensional, or fewer than two cells.
        TooFewSamples: fewer reference values than cells, or no current one.
    """
    before, now = as_scores(reference), as_scores(current)
    if before.ndim != 1 or now.ndim != 1 or count < 2:
        raise NotEstimable(f"Samples of shapes {before.shape} and {now.shape} do not fill {count} cells.")
    if before.size < count or now.size < 1:
        raise TooFewSamples(f"{before.size} reference and {now.size} current values do not fill {count} cells.")
    edges = np.unique(np.quantile(before, np.arange(1, count) / count))
    return counted(before, now, edges=edges, closed=closed)


def counted(reference: ArrayLike, current: ArrayLike, *, edges: ArrayLike, closed: Closed = "right") -> Cells:
    """Counts of samples (n,) and (m,) between given inner edges, which must rise.

    Raises:
        NotEstimable: a number not finite, or edges that do not rise.
    """
    before, now, inner = as_scores(reference), as_scores(current), as_scores(edges)
    if inner.ndim != 1 or inner.size == 0 or (np.diff(inner) <= 0).any():
        raise NotEstimable("The edges of the cells do not rise.")
    side: Literal["left", "right"] = "left" if closed == "right" else "right"
    counts = [np.bincount(np.searchsorted(inner, x, side=side), minlength=inner.size + 1) for x in (before, now)]
    return Cells(inner, counts[0], counts[1])


def psi(reference: ArrayLike, current: ArrayLike, *, zeros: ZeroRule = "refuse", small: float = 1e-4) -> float:
    """Population stability index Σ (c − r) ln(c / r) of two histograms (k,): Jeffreys' divergence.

    A cell that one of them leaves empty makes it infinite. ``zeros`` says what is done: "refuse"; "floor" puts the
    share ``small`` in the empty cell and leaves the others as they are (the habit of credit scoring); "pseudocount"
    adds ``small`` to every cell of both, then divides by the new sum.

    Raises:
        NotEstimable: histograms that do not fit or are empty, or an empty cell to be refused.
    """
    before, now = _shares(reference, current)
    if zeros == "pseudocount":
        before, now = _shares(np.asarray(reference) + small, np.asarray(current) + small)
    if zeros == "floor":
        before, now = np.where(before == 0, small, before), np.where(now == 0, small, now)
    if not (before.all() and now.all()):
        raise NotEstimable("A cell is empty in one window.", next_step="Use fewer cells or name a rule for zeros.")
    return float(((now - before) * np.log(now / before)).sum())


def kullback_leibler(reference: ArrayLike, current: ArrayLike, *, base: float = math.e) -> float:
    """Σ r log(r / c) of two histograms (k,): the reference's divergence from the current one (Ann Math Stat 22:79,
    1951). Infinite where the current one leaves a cell empty that the reference fills.

    Raises:
        NotEstimable: histograms that do not fit or are empty.
    """
    before, now = _shares(reference, current)
    if (now[before > 0] == 0).any():
        return math.inf
    filled = before > 0
    return float((before[filled] * np.log(before[filled] / now[filled])).sum()) / math.log(base)


def jensen_shannon(reference: ArrayLike, current: ArrayLike, *, base: float = math.e) -> float:
    """Jensen–Shannon *divergence* of two histograms (k,) (Lin, IEEE Trans Inf Theory 37:145, 1991): at most log 2,
    empty cells allowed. ``jensen_shannon_distance`` is its square root, which scipy calls ``jensenshannon``.

    Raises:
        NotEstimable: histograms that do not fit or are empty.
    """
    before, now = _shares(reference, current)
    middle = (before + now) / 2.0
    return max((kullback_leibler(before, middle, base=base) + kullback_leibler(now, middle, base=base)) / 2.0, 0.0)


def jensen_shannon_distance(reference: ArrayLike, current: ArrayLike, *, base: float = math.e) -> float:
    """Square root of the divergence: a metric (Endres and Schindelin, IEEE Trans Inf Theory 49:1858, 2003).

    Raises:
        NotEstimable: histograms that do not fit or are empty.
    """
    return math.sqrt(jensen_shannon(reference, current, base=base))


def hellinger(reference: ArrayLike, current: ArrayLike) -> float:
    """Hellinger distance √(1 − Σ √(r c)) of two histograms (k,), in [0, 1]; others give it √2 or 2 times as large.

    Raises:
        NotEstimable: histograms that do not fit or are empty.
    """
    before, now = _shares(reference, current)
    # The sum of squares keeps its digits where the histograms are nearly equal.
    return float(np.linalg.norm(np.sqrt(before) - np.sqrt(now))) / math.sqrt(2.0)


def wasserstein(reference: ArrayLike, current: ArrayLike) -> float:
    """Wasserstein-1 distance of raw samples (n,) and (m,): the area between their distribution functions, in the unit
    of the values.

    Raises:
        NotEstimable: a value not finite, or samples not one-dimensional.
        TooFewSamples: a sample is empty.
    """
    from scipy.stats import wasserstein_distance  # late: it costs a second

    before, now = as_scores(reference), as_scores(current)
    if before.ndim != 1 or now.ndim != 1:
        raise NotEstimable(f"Samples of shapes {before.shape} and {now.shape} are not one-dimensional.")
    if min(before.size, now.size) == 0:
        raise TooFewSamples("A window of no samples cannot be compared.")
    return float(wasserstein_distance(before, now))


def divergences(
    reference: ArrayLike, current: ArrayLike, *, zeros: ZeroRule = "refuse", small: float = 1e-4
) -> Divergences:
    """Every divergence of two histograms (k,); ``zeros`` and ``small`` as for ``psi``, which alone they touch.

    Raises:
        NotEstimable: as ``psi``.
    """
    return Divergences(
        psi(reference, current, zeros=zeros, small=small),
        kullback_leibler(reference, current),
        kullback_leibler(current, reference),
        jensen_shannon(reference, current),
        hellinger(reference, current),
    )


def _shares(reference: ArrayLike, current: ArrayLike) -> tuple[Vector, Vector]:
    before, now = as_scores(reference), as_scores(current)
    if before.ndim != 1 or before.shape != now.shape:
        raise NotEstimable(f"Histograms of shapes {before.shape} and {now.shape} do not share their cells.")
    if min(before.sum(), now.sum()) <= 0 or min(before.min(), now.min()) < 0:
        raise NotEstimable("A histogram is empty or has a negative cell.")
    return before / before.sum(), now / now.sum()
