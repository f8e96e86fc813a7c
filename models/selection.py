"""Which films of a test set a costly measurement is made on: decided by their names, so the same in any order."""

from collections.abc import Sequence
from dataclasses import replace

from domain.dataset import Sample
from evidence.scored_set import ScoredSet
from models.determinism import seed_of


def films_of_whole_patients(samples: Sequence[Sample], *, at_most: int) -> tuple[int, ...]:
    """Rows of at most so many films, sorted by ``sample_id``; a patient's films are all in or all out.

    Patients come in the order of a hash of their first film's name, so that the number of films says nothing about who
    is taken; the first patient whose films no longer fit ends it.
    """
    films: dict[str, list[int]] = {}
    for row in sorted(range(len(samples)), key=lambda row: samples[row].sample_id):
        films.setdefault(samples[row].patient_key, []).append(row)
    taken: list[int] = []
    for rows in sorted(films.values(), key=lambda rows: _place(samples[rows[0]])):
        if len(taken) + len(rows) > at_most:
            break
        taken += rows
    return _by_name(taken, samples)


def films_of(samples: Sequence[Sample], rows: Sequence[int], *, at_most: int) -> tuple[int, ...]:
    """At most so many of these rows by a hash of the film's name, sorted by ``sample_id``."""
    return _by_name(sorted(rows, key=lambda row: _place(samples[row]))[:at_most], samples)


def _place(sample: Sample) -> int:
    return seed_of("selection", sample.sample_id)


def _by_name(rows: Sequence[int], samples: Sequence[Sample]) -> tuple[int, ...]:
    return tuple(sorted(rows, key=lambda row: samples[row].sample_id))


def part(scored: ScoredSet, rows: Sequence[int]) -> ScoredSet:
    """These rows of a scored set, in this order."""
    kept = list(rows)
    return replace(
        scored,
        sample_ids=tuple(scored.sample_ids[row] for row in kept),
        patient_keys=tuple(scored.patient_keys[row] for row in kept),
        labels=scored.labels[kept],
        probabilities=scored.probabilities[kept],
        subgroups={name: tuple(values[row] for row in kept) for name, values in scored.subgroups.items()},
    )
