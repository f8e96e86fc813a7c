"""One set of samples with the probabilities one model version gave them: what every result in a report is computed
from.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from domain.dataset import DatasetVersion, Split
from domain.errors import NotEstimable

NOT_STATED = "not stated"
# The FDA's paediatric words (infant, child, adolescent) and three adult bands.
AGE_BANDS = (
    (2.0, "under 2 years"),
    (12.0, "2–11 years"),
    (18.0, "12–17 years"),
    (40.0, "18–39 years"),
    (65.0, "40–64 years"),
    (float("inf"), "65 years and over"),
)
AGE_BAND_NAMES = tuple(name for _, name in AGE_BANDS)


@dataclass(frozen=True, slots=True)
class ScoredSet:
    """Labels and probabilities of n samples, one row each, by one model version on one split of one dataset version.

    ``subgroups`` maps a name ("sex", "site", "view", "age", "subtype") to n values; ``known_flaws`` are the source
    card's.
    """

    dataset_version: DatasetVersion
    split: Split | Literal["external"]
    model_version: str
    sample_ids: tuple[str, ...]
    patient_keys: tuple[str, ...]
    labels: NDArray[np.int_]
    probabilities: NDArray[np.float64]
    subgroups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    known_flaws: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse columns of different lengths and repeated samples."""
        n = len(self.sample_ids)
        columns = {"patient_keys": self.patient_keys, "labels": self.labels, "probabilities": self.probabilities}
        for name, column in {**columns, **self.subgroups}.items():
            if len(column) != n:
                raise NotEstimable(f"The column {name} has {len(column)} rows for {n} samples.")
        if len(set(self.sample_ids)) != n:
            raise NotEstimable("A sample stands twice in the scored set.")

    @property
    def patients(self) -> int:
        """How many different patients the samples come from."""
        return len(set(self.patient_keys))

    def in_order_of(self, other: "ScoredSet") -> NDArray[np.float64]:
        """These probabilities in the order of another set's samples, for a paired comparison.

        Raises:
            NotEstimable: the two sets do not hold the same samples.
        """
        given = dict(zip(self.sample_ids, self.probabilities.tolist(), strict=True))
        if given.keys() != set(other.sample_ids):
            raise NotEstimable(
                "The two model versions were not scored on the same samples.", next_step="Score both on the test set."
            )
        return np.array([given[sample_id] for sample_id in other.sample_ids])


def age_band(age_years: float | None) -> str:
    """The band an age belongs to, for subgroup results."""
    if age_years is None or not np.isfinite(age_years):
        return NOT_STATED
    return next(name for upper, name in AGE_BANDS if age_years < upper)


def stratum_order(value: str) -> tuple[bool, int, str]:
    """Sorts age bands by age, the rest by name, what is not stated last."""
    return value == NOT_STATED, AGE_BAND_NAMES.index(value) if value in AGE_BAND_NAMES else -1, value
