"""Placements are what counting pairs gives."""

import numpy as np
import pytest

from domain.errors import NotEstimable, OneClassOnly, TooFewSamples
from evidence.statistics.clusters import cluster_index
from evidence.statistics.placements import placements, tie_groups


@pytest.mark.parametrize("decimals", [0, 1, 9])
def test_placements_are_shares_of_the_other_class_with_ties_one_half(decimals: int) -> None:
    draw = np.random.default_rng(decimals)
    labels = draw.integers(0, 2, 60)
    scores = np.round(draw.normal(labels, 1.0, (2, 60)), decimals)
    found = placements(labels, scores)
    for row in range(2):
        above = np.subtract.outer(scores[row, labels == 1], scores[row, labels == 0])
        psi = (above > 0) + 0.5 * (above == 0)
        assert found.of_positives[row] == pytest.approx(psi.mean(axis=1))
        assert found.of_negatives[row] == pytest.approx(psi.mean(axis=0))
        assert found.areas[row] == pytest.approx(psi.mean())


def test_tie_groups_are_runs_of_equals() -> None:
    found = tie_groups(np.array([1.0, 1.0, 2.0, 3.0, 3.0, 3.0]))
    assert (found.start.tolist(), found.end.tolist()) == ([0, 2, 3], [2, 3, 6])


def test_scores_of_one_class_of_three_dimensions_or_of_none_are_refused() -> None:
    with pytest.raises(OneClassOnly):
        placements([0, 0], [1, 2])
    with pytest.raises(NotEstimable):
        placements([0, 1], [[[1, 2]]])
    with pytest.raises(TooFewSamples):
        placements([], [])


def test_cluster_keys_may_be_words_or_numbers() -> None:
    assert cluster_index(["b", "a", "b"], n=3).tolist() == [1, 0, 1]
    assert cluster_index([7, 3, 3], n=3).tolist() == [1, 0, 0]
    assert cluster_index(np.array(["b", "a"], dtype=object), n=2).tolist() == [1, 0]


@pytest.mark.parametrize("keys", [["a", None], ["a", ""], [1.0, float("nan")], ["a"], [["a", "b"]]])
def test_a_sample_without_cluster_is_refused(keys: list[object]) -> None:
    with pytest.raises(NotEstimable):
        cluster_index(keys, n=2)
