"""How many samples? What every sample-size computation shares: how samples are drawn, and what a design states.

``power_proportion``, ``power_auroc`` and ``power_paired`` each size one kind of primary endpoint. A design says what
was assumed, because an assumption that turns out wrong is why a study fails.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist

from domain.errors import NotEstimable


def inside(name: str, value: float, *, low: float = 0.0, high: float = 1.0, high_allowed: bool = False) -> float:
    """The value, when it lies in (low, high), or (low, high] where that is allowed. Raises NotEstimable otherwise."""
    if low < value < high or (high_allowed and value == high):
        return value
    raise NotEstimable(
        f"A {name} of {value} cannot be planned for.", next_step=f"State one between {low:g} and {high:g}."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How the samples that count come about.

    ``share`` of all samples enter the endpoint: the prevalence for a sensitivity, one minus it for a specificity.
    Samples come in clusters (images of a patient) of mean size ``cluster_size`` whose sizes vary with coefficient of
    variation ``cluster_size_cv``, and are correlated within a cluster by ``icc``.

    Raises:
        NotEstimable: a share outside (0, 1], a cluster size below 1, a correlation outside [0, 1] or a negative
            coefficient of variation.
    """

    share: float = 1.0
    cluster_size: float = 1.0
    cluster_size_cv: float = 0.0
    icc: float = 0.0

    def __post_init__(self) -> None:
        inside("share of samples that count", self.share, low=0.0, high=1.0, high_allowed=True)
        if not (1.0 <= self.cluster_size < math.inf and 0.0 <= self.cluster_size_cv < math.inf):
            raise NotEstimable("A mean cluster size is at least 1, and its coefficient of variation at least 0.")
        if not 0.0 <= self.icc <= 1.0:
            raise NotEstimable(f"An intracluster correlation of {self.icc} cannot be planned for.")

    @property
    def design_effect(self) -> float:
        """1 + ((cv² + 1)·m − 1)·icc: by how much clusters multiply the number of samples (Eldridge, Ashby, Kerry, Int J
        Epidemiol 35:1292, 2006; Kish 1965 where all clusters are of one size).
        """
        return 1.0 + ((self.cluster_size_cv**2 + 1.0) * self.cluster_size - 1.0) * self.icc


EVERY_SAMPLE = Sampling()


@dataclass(frozen=True, slots=True)
class Design:
    """A study of a size, and why it has that size.

    ``needed`` is the number of independent samples that must enter the endpoint, before rounding; ``counted`` are those
    that enter after the design effect, ``n`` all samples to collect, ``clusters`` the patients that give them.
    ``power`` is that of the study as rounded, or None where it is planned for the width of an interval. ``alpha`` is of
    a test with that many ``sides``. ``assumed`` holds every number that was put in.
    """

    endpoint: str
    method: str
    needed: float
    counted: int
    n: int
    clusters: int
    power: float | None
    alpha: float
    sides: int
    assumed: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """What is tested, and how strictly: one part of a design."""

    endpoint: str
    method: str
    alpha: float
    sides: int

    @property
    def z_alpha(self) -> float:
        """Normal quantile that the statistic must pass."""
        return NormalDist().inv_cdf(1.0 - self.alpha / self.sides)


def planned(
    needed: float, *, test: Hypothesis, power: float | None, sampling: Sampling, assumed: Mapping[str, float]
) -> Design:
    """The design that has ``needed`` independent samples in its endpoint; rounded up once, at the end."""
    return _design(needed, needed * sampling.design_effect, test, power, sampling, assumed)


def as_given(n: int, *, test: Hypothesis, power: float, sampling: Sampling, assumed: Mapping[str, float]) -> Design:
    """The design of ``n`` samples in all, whose power was computed.

    Raises:
        NotEstimable: ``n`` is below 1.
    """
    found = _design(effective(n, sampling), n * sampling.share, test, power, sampling, assumed)
    return Design(
        found.endpoint, found.method, found.needed, math.floor(n * sampling.share + 1e-9), n, found.clusters,
        power, test.alpha, test.sides, found.assumed,
    )  # fmt: skip


def effective(n: int, sampling: Sampling) -> float:
    """Independent samples that ``n`` collected ones are worth in the endpoint. Raises NotEstimable for n below 1."""
    if n < 1:
        raise NotEstimable(f"A study of {n} samples has no power.")
    return n * sampling.share / sampling.design_effect


def achieved(needed: float, sampling: Sampling) -> float:
    """Independent samples in the endpoint once ``n`` is rounded up."""
    return effective(_up(needed * sampling.design_effect / sampling.share), sampling)


def normal_size(distance: float, *, variances: tuple[float, float], test: Hypothesis, power: float) -> float:
    """Samples for (z_α·√V₀ + z_β·√V₁)² / distance², with the variances of one sample under H0 and H1.

    Raises:
        NotEstimable: H1 lies on the wrong side of H0, or the power is outside (0, 1).
    """
    if not distance > 0.0:
        raise NotEstimable(
            "What is expected does not lie beyond the bound: no number of samples shows that it does.",
            next_step="Expect more, or lower the bound.",
        )
    z_beta = NormalDist().inv_cdf(inside("power", power))
    null, alternative = (math.sqrt(v) for v in variances)
    return max((test.z_alpha * null + z_beta * alternative) / distance, 0.0) ** 2


def normal_power(n: float, distance: float, *, variances: tuple[float, float], test: Hypothesis) -> float:
    """Power of the test of ``normal_size`` with ``n`` independent samples; the far tail is left out."""
    null, alternative = (math.sqrt(v) for v in variances)
    beyond = distance * math.sqrt(n) - test.z_alpha * null
    if alternative == 0.0:
        return float(beyond >= 0.0)
    return NormalDist().cdf(beyond / alternative)


def _design(
    needed: float,
    counted: float,
    test: Hypothesis,
    power: float | None,
    sampling: Sampling,
    assumed: Mapping[str, float],
) -> Design:
    n = _up(counted / sampling.share)
    everything = {
        **assumed,
        "share": sampling.share,
        "cluster_size": sampling.cluster_size,
        "cluster_size_cv": sampling.cluster_size_cv,
        "icc": sampling.icc,
        "design_effect": sampling.design_effect,
    }
    clusters = _up(n / sampling.cluster_size)
    return Design(
        test.endpoint, test.method, needed, _up(counted), n, clusters, power, test.alpha, test.sides, everything
    )


def _up(value: float) -> int:
    """Rounded up, at least 1; a whole number that rounding raised by a hair stays."""
    return max(math.ceil(value - 1e-9 * max(value, 1.0)), 1)
