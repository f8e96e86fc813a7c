"""The test set again after its films were disturbed: how far the ROC area moves, and how many calls change."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from evidence.area_difference import area_difference
from evidence.record import RobustnessResult
from evidence.results import area, metric
from evidence.scored_set import ScoredSet
from models import preprocess
from models.disturbances import DISTURBANCES, Disturbance, Film
from models.inference import Scorer
from models.loaders import Cohort
from models.selection import films_of_whole_patients, part

FILMS = 256  # twelve times scored; more would cost more than the rest of a validation
LEVEL = 0.95


def robustness(
    cohort: Cohort, scorer: Scorer, *, base: ScoredSet, threshold: float, at_most: int = FILMS, level: float = LEVEL
) -> tuple[RobustnessResult, ...]:
    """One result for each of ``DISTURBANCES`` on at most so many films of whole patients, chosen by their names.

    ``base`` holds the scorer's probabilities of the undisturbed cohort, row by row. Where films were left out, the
    metrics' ``subgroup`` says so.

    Raises:
        OneClassOnly, TooFewSamples: the chosen films cannot carry a ROC area.
    """
    rows = films_of_whole_patients(cohort.samples, at_most=at_most)
    before, films = part(base, rows), cohort.grey[list(rows)]
    subgroup = "all" if len(rows) == len(cohort.samples) else f"{len(rows)} films of whole patients"
    results = []
    for disturbance in DISTURBANCES:
        after = replace(before, probabilities=_probabilities(disturbance, films, before.sample_ids, scorer))
        difference = area_difference(after, before.probabilities, level=level)
        changed = (after.probabilities >= threshold) != (before.probabilities >= threshold)
        results.append(
            RobustnessResult(
                disturbance=disturbance.kind,
                strength=disturbance.strength,
                auroc=metric(after, "auroc", area(after, level=level), subgroup=subgroup),
                auroc_difference=metric(after, "auroc_difference", difference, subgroup=subgroup),
                changed_calls=float(changed.mean()),
            )
        )
    return tuple(results)


def _probabilities(
    disturbance: Disturbance, films: Film, names: tuple[str, ...], scorer: Scorer
) -> NDArray[np.float64]:
    disturbed = np.stack([disturbance.of(film, name=name) for film, name in zip(films, names, strict=True)])
    return scorer.probabilities(preprocess.normalise(disturbed[:, np.newaxis], scorer.preprocessing))
