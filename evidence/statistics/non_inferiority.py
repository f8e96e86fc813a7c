"""Is the new no worse than the reference by more than a margin? For any difference with a normal standard error."""

from dataclasses import dataclass

from domain.errors import NotEstimable
from evidence.statistics.estimate import Estimate
from evidence.statistics.roc import NO_ERROR, PairedDifference, Sampled, difference_of, normal_tail


@dataclass(frozen=True, slots=True)
class NonInferiority:
    """New minus reference, larger being better, against −margin.

    The interval of ``difference`` has level 1 − 2·alpha, so that its lower end is the one-sided limit at ``alpha``;
    ``non_inferior`` says whether that end lies above −margin, which is the same as ``p_value`` < ``alpha``.
    """

    difference: Estimate
    standard_error: float
    margin: float
    alpha: float
    z: float
    p_value: float
    non_inferior: bool

    @property
    def superior(self) -> bool:
        """Whether the lower limit lies above 0 too; may be claimed after non-inferiority at no cost in error."""
        return self.difference.low > 0.0


def non_inferiority(
    difference: float, standard_error: float, sampled: Sampled, *, margin: float, alpha: float = 0.025
) -> NonInferiority:
    """One-sided Wald test of «difference ≤ −margin» (Blackwelder, Control Clin Trials 3:345, 1982).

    ``difference`` is new minus reference of a quantity of which more is better, ``margin`` the largest loss that may
    be accepted, both in the same unit; the estimate must be near normal. The margin is fixed before the data are seen.

    Raises:
        NotEstimable: a margin that is not in (0, 1), an alpha outside (0, 0.5), numbers that are not finite, or a
            difference without variance, from which no limit follows.
    """
    check_margin(margin, alpha)
    if not standard_error > NO_ERROR:
        raise NotEstimable(
            "The difference shows no variance, so that no limit can be held against the margin.",
            next_step="Both score the samples alike or perfectly: use more, or harder, samples.",
        )
    interval: PairedDifference = difference_of(difference, standard_error, sampled, level=1.0 - 2.0 * alpha)
    z = (difference + margin) / standard_error
    return NonInferiority(
        difference=interval.difference,
        standard_error=standard_error,
        margin=margin,
        alpha=alpha,
        z=z,
        p_value=normal_tail(z),
        non_inferior=interval.difference.low > -margin,
    )


def check_margin(margin: float, alpha: float) -> None:
    """Refuse a margin or an alpha that no protocol can mean.

    Raises:
        NotEstimable: a margin outside (0, 1), or an alpha outside (0, 0.5).
    """
    if not 0.0 < margin < 1.0:
        raise NotEstimable(
            f"A non-inferiority margin of {margin} cannot be used.",
            next_step="State the largest acceptable loss as a positive number below 1.",
        )
    if not 0.0 < alpha < 0.5:
        raise NotEstimable(f"A one-sided alpha of {alpha} cannot be used.", next_step="Choose one such as 0.025.")
