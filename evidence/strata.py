"""The strata of a scored set: who is inside each, and with whom a kind of the finding is compared."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from evidence.scored_set import ScoredSet, stratum_order

SUBTYPE = "subtype"  # a kind of the finding: compared with every sample without the finding


def strata(scored: ScoredSet, group: str) -> Iterator[tuple[str, ScoredSet]]:
    """Each value of the group with its part of the set, in order of ``stratum_order``."""
    present = scored.labels.astype(bool)
    values = np.array(scored.subgroups[group], dtype=object)
    for value in sorted(set(scored.subgroups[group]), key=stratum_order):
        inside = values == value
        if group == SUBTYPE:
            if not (inside & present).any():
                continue
            inside = (inside & present) | ~present
        yield value, part(scored, inside)


def part(scored: ScoredSet, inside: NDArray[np.bool_]) -> ScoredSet:
    """The samples inside, without their subgroups."""
    kept = np.flatnonzero(inside).tolist()
    return replace(
        scored,
        sample_ids=tuple(scored.sample_ids[i] for i in kept),
        patient_keys=tuple(scored.patient_keys[i] for i in kept),
        labels=scored.labels[inside],
        probabilities=scored.probabilities[inside],
        subgroups={},
    )
