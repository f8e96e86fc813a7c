"""Which films are measured follows from their names, patient by patient."""

import numpy as np

from domain.dataset import Sample
from models.loaders import Cohort
from models.selection import films_of, films_of_whole_patients


def names(samples: tuple[Sample, ...], rows: tuple[int, ...]) -> list[str]:
    return [samples[row].sample_id for row in rows]


def turned(samples: tuple[Sample, ...]) -> tuple[Sample, ...]:
    return tuple(samples[i] for i in np.random.default_rng(5).permutation(len(samples)))


def test_the_same_films_are_chosen_in_any_order(striped_cohort: Cohort) -> None:
    samples, other = striped_cohort.samples, turned(striped_cohort.samples)

    chosen = names(samples, films_of_whole_patients(samples, at_most=20))
    assert chosen == names(other, films_of_whole_patients(other, at_most=20)) == sorted(chosen)
    every = range(len(samples))
    assert names(samples, films_of(samples, every, at_most=7)) == names(other, films_of(other, every, at_most=7))


def test_a_patient_is_taken_whole_or_not_at_all(striped_cohort: Cohort) -> None:
    samples = striped_cohort.samples
    rows = films_of_whole_patients(samples, at_most=20)

    chosen = {samples[row].patient_key for row in rows}
    assert 18 < len(rows) <= 20
    assert {row for row, sample in enumerate(samples) if sample.patient_key in chosen} == set(rows)


def test_how_many_films_a_patient_has_does_not_decide_whether_they_are_taken(striped_cohort: Cohort) -> None:
    made = striped_cohort.samples[0]
    samples = [
        made.model_copy(update={"sample_id": f"{p}-{i}", "patient_key": str(p)})
        for p in range(600)
        for i in range(1 + 5 * (p % 2))
    ]
    rows = films_of_whole_patients(samples, at_most=1050)

    many = {samples[row].patient_key for row in rows if int(samples[row].patient_key) % 2}
    few = {samples[row].patient_key for row in rows if not int(samples[row].patient_key) % 2}
    assert abs(len(many) - len(few)) < 50


def test_all_films_are_taken_where_they_fit(striped_cohort: Cohort) -> None:
    assert len(films_of_whole_patients(striped_cohort.samples, at_most=60)) == 60
