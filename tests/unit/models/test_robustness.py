"""Robustness says how far a model moves when its films are disturbed, the same in any order."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from domain.errors import TooFewSamples
from evidence.area_difference import IDENTICAL
from evidence.scored_set import ScoredSet
from models.inference import Scorer
from models.loaders import Cohort
from models.robustness import robustness
from models.scoring import Scored

ScoredBy = Callable[[Cohort, bytes], tuple[Scored, ScoredSet, Scorer]]
THRESHOLD = 0.5


def turned(cohort: Cohort) -> Cohort:
    order = np.random.default_rng(8).permutation(len(cohort.samples))
    return replace(
        cohort, samples=tuple(cohort.samples[i] for i in order), grey=cohort.grey[order], labels=cohort.labels[order]
    )


def test_the_order_of_the_films_changes_nothing(
    striped_cohort: Cohort, looking_model: Callable[..., bytes], scored_by: ScoredBy
) -> None:
    found = []
    for cohort in (striped_cohort, turned(striped_cohort)):
        _, base, scorer = scored_by(cohort, looking_model())
        found.append(robustness(cohort, scorer, base=base, threshold=THRESHOLD, at_most=40))

    assert found[0] == found[1]


def test_a_model_that_looks_for_fine_stripes_suffers_from_blur_and_turning_but_not_from_a_shift_of_grey(
    striped_cohort: Cohort, looking_model: Callable[..., bytes], scored_by: ScoredBy
) -> None:
    _, base, scorer = scored_by(striped_cohort, looking_model())

    found = {(r.disturbance, r.strength): r for r in robustness(striped_cohort, scorer, base=base, threshold=THRESHOLD)}

    turn, shift = found["rotation", "10° either way"], found["window", "12 grey levels up or down"]
    assert len(found) == 12
    assert turn.auroc_difference.value < -0.05
    assert turn.changed_calls > 0.1
    assert shift.changed_calls == 0
    assert turn.auroc.n == turn.auroc_difference.n == 60
    assert turn.auroc.positives == int(striped_cohort.labels.sum())
    assert turn.auroc.subgroup == "all"


def test_on_a_choice_of_films_each_number_says_so(
    striped_cohort: Cohort, looking_model: Callable[..., bytes], scored_by: ScoredBy
) -> None:
    _, base, scorer = scored_by(striped_cohort, looking_model())

    result = robustness(striped_cohort, scorer, base=base, threshold=THRESHOLD, at_most=40)[0]

    assert 38 < result.auroc.n <= 40
    assert result.auroc.subgroup == f"{result.auroc.n} films of whole patients"


def test_a_model_that_answers_always_the_same_is_robust_and_says_why(
    striped_cohort: Cohort, looking_model: Callable[..., bytes], scored_by: ScoredBy
) -> None:
    _, base, scorer = scored_by(striped_cohort, looking_model(slope=0.0))

    for result in robustness(striped_cohort, scorer, base=base, threshold=THRESHOLD):
        assert result.auroc.value == 0.5
        assert (result.auroc_difference.interval, result.changed_calls) == ((0, 0), 0)
        assert result.auroc_difference.method == IDENTICAL


def test_two_patients_are_too_few(
    striped_cohort: Cohort, looking_model: Callable[..., bytes], scored_by: ScoredBy
) -> None:
    _, base, scorer = scored_by(striped_cohort, looking_model())

    with pytest.raises(TooFewSamples):
        robustness(striped_cohort, scorer, base=base, threshold=THRESHOLD, at_most=3)
