"""Faithfulness tells a map that shows what the model looks at from one that does not."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from domain.errors import NotEstimable, TooFewSamples
from evidence.record import MapFaithfulness
from evidence.scored_set import ScoredSet
from models.faithfulness import faithfulness, randomised
from models.inference import Scorer
from models.loaders import Cohort
from models.scoring import Scored

ScoredBy = Callable[[Cohort, bytes], tuple[Scored, ScoredSet, Scorer]]
Measure = Callable[..., MapFaithfulness]
THRESHOLD = 0.5


@pytest.fixture
def measure(striped_cohort: Cohort, scored_by: ScoredBy) -> Measure:
    def run(model: bytes, **changes: float) -> MapFaithfulness:
        part, base, scorer = scored_by(striped_cohort, model)
        return faithfulness(part, model, scorer, base=base, **{"threshold": THRESHOLD, **changes})

    return run


def test_the_map_of_a_model_that_looks_at_the_finding_deletes_it_faster_and_inserts_it_sooner_than_chance(
    measure: Measure, looking_model: Callable[..., bytes]
) -> None:
    found = measure(looking_model())

    assert found.deletion.interval[1] < 0
    assert found.insertion.interval[0] > 0
    assert found.films == found.deletion.n == found.insertion.n


def test_a_map_turned_upside_down_is_worse_than_chance(
    striped_cohort: Cohort, scored_by: ScoredBy, looking_model: Callable[..., bytes]
) -> None:
    model = looking_model()
    part, base, scorer = scored_by(striped_cohort, model)
    opposite = [
        score.model_copy(update={"activation_map": tuple(tuple(-v for v in row) for row in score.activation_map or ())})
        for score in part.scores
    ]

    found = faithfulness(replace(part, scores=tuple(opposite)), model, scorer, base=base, threshold=THRESHOLD)

    assert found.insertion.interval[1] < 0


def test_a_model_that_answers_always_the_same_gives_its_map_no_advantage(
    measure: Measure, looking_model: Callable[..., bytes]
) -> None:
    found = measure(looking_model(slope=0.0))

    assert (found.deletion.value, found.insertion.value) == (0, 0)
    assert found.deletion.method == "all values the same"


def test_randomised_weights_give_another_map(measure: Measure, looking_model: Callable[..., bytes]) -> None:
    similarity = measure(looking_model()).randomised_similarity

    assert max(abs(end) for end in similarity.interval) < 0.5


def test_a_map_that_owes_nothing_to_the_weights_is_found_out(
    measure: Measure, looking_model: Callable[..., bytes]
) -> None:
    assert measure(looking_model(pooled=True)).randomised_similarity.value == pytest.approx(1)


def test_randomising_moves_the_weights_and_keeps_their_values(looking_model: Callable[..., bytes]) -> None:
    once, again, other = (randomised(looking_model(), seed=seed) for seed in (1, 1, 2))
    before, after = ({t.name: numpy_helper.to_array(t) for t in onnx.load_from_string(m).graph.initializer}
                     for m in (looking_model(), once))  # fmt: skip

    assert once == again != other
    assert np.array_equal(np.sort(before["kernel"].ravel()), np.sort(after["kernel"].ravel()))
    assert not np.array_equal(before["kernel"], after["kernel"])
    assert all(np.array_equal(before[name], after[name]) for name in before if name != "kernel")


def test_a_model_without_weights_cannot_be_randomised(tiny_model_bytes: bytes) -> None:
    with pytest.raises(NotEstimable):
        randomised(tiny_model_bytes, seed=1)


def test_only_films_called_present_are_played_and_no_more_than_asked_for(
    measure: Measure, looking_model: Callable[..., bytes], striped_cohort: Cohort
) -> None:
    called, few = measure(looking_model()), measure(looking_model(), at_most=5)

    assert called.films < len(striped_cohort.samples)
    assert called.deletion.positives <= called.films
    assert few.films == 5
    assert few.deletion.subgroup == "films called present"


def test_a_model_that_calls_nothing_present_has_no_faithfulness(
    measure: Measure, looking_model: Callable[..., bytes]
) -> None:
    with pytest.raises(TooFewSamples):
        measure(looking_model(), threshold=1.1)
