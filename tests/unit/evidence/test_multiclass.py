"""Hand and Till's M agrees with scikit-learn's one-vs-one area and with pair counting."""

import numpy as np
import pytest

from domain.errors import NotEstimable, OneClassOnly
from evidence.statistics import multiclass, roc
from evidence.statistics.bootstrap import Resampling


def graded(n: int = 240, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Grades 1, 2, 4 and a score with ties that rises with them."""
    draw = np.random.default_rng(seed)
    grades = draw.choice([1, 2, 4], n, p=[0.5, 0.3, 0.2])
    return grades, np.round(draw.normal(grades / 2, 1.0), 1)


def softmax(n: int = 300, c: int = 4, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    classes = draw.integers(0, c, n)
    logits = draw.normal(0, 1, (n, c)) + 1.2 * np.eye(c)[classes]
    return classes, np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


def test_m_of_probabilities_is_scikit_learns_one_vs_one_macro_average() -> None:
    from sklearn.metrics import roc_auc_score

    classes, probabilities = softmax()
    expected = roc_auc_score(classes, probabilities, multi_class="ovo", average="macro")
    assert multiclass.hand_till(classes, probabilities).m == pytest.approx(expected)


def test_pair_areas_are_chances_that_a_sample_of_the_class_scores_higher_for_it() -> None:
    classes, probabilities = softmax(n=60, c=3)
    found = multiclass.hand_till(classes, probabilities)
    assert [(pair.first, pair.second) for pair in found.pairs] == [(0, 1), (0, 2), (1, 2)]
    pair = found.pairs[1]
    zero, two = probabilities[classes == 0], probabilities[classes == 2]
    assert pair.first_given == pytest.approx(np.mean(zero[:, None, 0] > two[None, :, 0]))
    assert pair.second_given == pytest.approx(np.mean(two[:, None, 2] > zero[None, :, 2]))
    assert pair.area == pytest.approx((pair.first_given + pair.second_given) / 2)


def test_columns_in_another_order_are_found_by_name() -> None:
    classes, probabilities = softmax()
    words = np.array(["mass", "cyst", "none", "scar"])[classes]
    found = multiclass.hand_till(words, probabilities, order=("mass", "cyst", "none", "scar"))
    assert found.m == pytest.approx(multiclass.hand_till(classes, probabilities).m)


def test_two_classes_are_the_ordinary_area() -> None:
    grades, scores = graded()
    two = grades != 4
    expected = roc.auroc(grades[two] == 2, scores[two]).value
    assert multiclass.hand_till(grades[two], scores[two], direction="higher").m == pytest.approx(expected)


def test_fixed_directions_add_up_to_one_and_the_best_is_the_largest() -> None:
    grades, scores = graded(seed=1)
    found = {d: multiclass.hand_till(grades, scores, direction=d).m for d in ("higher", "lower", "best", "medians")}
    assert found["higher"] + found["lower"] == pytest.approx(1.0)
    assert max(found.values()) == found["best"] >= 0.5


def test_medians_may_choose_a_direction_below_one_half() -> None:
    # Medians 2 and 3, yet more pairs the other way round.
    classes = np.repeat([0, 1], 5)
    scores = np.array([1.9, 1.9, 2.0, 9.0, 9.0, 0.0, 0.0, 3.0, 3.1, 3.2])
    by_medians = multiclass.hand_till(classes, scores)
    assert by_medians.m < 0.5 < multiclass.hand_till(classes, scores, direction="best").m


def test_m_does_not_depend_on_how_common_a_class_is() -> None:
    grades, scores = graded()
    more = np.concatenate([np.flatnonzero(grades == 4)] * 5)
    bigger = np.concatenate([grades, grades[more]]), np.concatenate([scores, scores[more]])
    assert multiclass.hand_till(*bigger).m == pytest.approx(multiclass.hand_till(grades, scores).m)


@pytest.mark.parametrize(
    ("classes", "scores", "order"),
    [
        ([0, 1, 2], [[0.1, 0.9], [0.2, 0.8], [0.3, 0.7]], None),
        ([0, 1], [[0.1, 0.9], [0.2, 0.8]], (0, 2)),
        ([0, 1], [[0.1, 0.9], [0.2, 0.8]], (0, 0)),
        ([0, 1], [0.1, 0.2, 0.3], None),
        ([0, 1], [0.1, np.nan], None),
        (["a", None], [0.1, 0.2], None),
        (["a", ""], [0.1, 0.2], None),
    ],
)
def test_inputs_that_do_not_fit_are_refused(
    classes: list[object], scores: list[object], order: tuple[int] | None
) -> None:
    with pytest.raises(NotEstimable):
        multiclass.hand_till(classes, scores, order=order)


def test_one_class_is_refused_by_name() -> None:
    with pytest.raises(OneClassOnly):
        multiclass.hand_till(["a", "a"], [0.1, 0.2])


@pytest.mark.parametrize("columns", [False, True])
def test_interval_holds_the_value(columns: bool) -> None:
    classes, scores = softmax(c=3) if columns else graded()
    found = multiclass.hand_till_interval(
        classes, scores, np.arange(classes.size) // 2, resampling=Resampling("percentile", resamples=200)
    )
    assert found.low < found.value < found.high
    assert found.n == classes.size
