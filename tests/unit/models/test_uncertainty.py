"""Prediction sets keep their coverage, unlike films lie far away, and an altered file is not served."""

import time
import zipfile
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import beta, chi2

from domain.errors import DigestMismatch, IntegrityViolation, TooFewSamples
from domain.model_version import ConformalSets, OutOfDistribution
from domain.prediction import ImageScore
from models.uncertainty import UNCERTAINTY_FILE, Judge, Whitening, prediction_set
from models.uncertainty_fit import AXES, WIDE, Uncertainty, conformal_sets, limit_of, upper_quantile, whiten

Values = NDArray[np.float64]


def drawn(n: int, *, seed: int) -> tuple[NDArray[np.int64], Values]:
    """Labels and overlapping, badly calibrated probabilities: coverage may depend on neither."""
    draw = np.random.default_rng(seed)
    labels = draw.integers(0, 2, n)
    return labels, 1 / (1 + np.exp(-3 * draw.normal(1.2 * labels - 0.9, 1.0)))


def score(probability: float = 0.5, embedding: tuple[float, ...] = ()) -> ImageScore:
    return ImageScore(probability=probability, image_features={}, embedding=embedding)


def fitted(embeddings: Values, tuning: Values, *, quantile: float = 0.99) -> tuple[Whitening, OutOfDistribution]:
    whitening = whiten(embeddings)
    content = whitening.to_bytes()
    return whitening, limit_of(whitening, tuning, parameters=content, quantile=quantile, fitted_on="films tune")


@pytest.fixture
def version(tmp_path: Path) -> tuple[Whitening, OutOfDistribution, Path]:
    """A whitening of 20 dimensions in its file, and its limit."""
    draw = np.random.default_rng(5)
    whitening, out = fitted(draw.normal(size=(600, 20)), draw.normal(size=(300, 20)))
    (tmp_path / UNCERTAINTY_FILE).write_bytes(whitening.to_bytes())
    return whitening, out, tmp_path


# Prediction sets


@pytest.mark.parametrize("coverage", [0.8, 0.9, 0.95])
def test_each_class_is_covered_as_often_as_promised(coverage: float) -> None:
    """The mean over many cohorts lies at the promise, or above it by what a whole rank costs."""
    covered: dict[int, list[float]] = {0: [], 1: []}
    for seed in range(300):
        sets = conformal_sets(*drawn(120, seed=seed), coverage=coverage, fitted_on="t")
        labels, probabilities = drawn(400, seed=10_000 + seed)
        for label, finding in ((0, "absent"), (1, "present")):
            films = probabilities[labels == label]
            covered[label].append(float(np.mean([finding in prediction_set(p, sets) for p in films])))
    for shares in covered.values():
        error = 4 * np.std(shares) / np.sqrt(len(shares))
        assert coverage - error <= np.mean(shares) <= coverage + 1 / 50 + error


def test_coverage_of_one_cohort_varies_as_theory_says() -> None:
    covered = []
    for seed in range(400):
        labels = np.repeat([0, 1], 99)
        sets = conformal_sets(labels, np.random.default_rng(seed).random(198), coverage=0.9, fitted_on="t")
        covered.append(sets.most_absent)  # of uniform probabilities the threshold is the coverage
    assert np.mean(covered) == pytest.approx(beta(90, 10).mean(), abs=0.005)
    assert np.std(covered) == pytest.approx(beta(90, 10).std(), rel=0.15)


def test_the_quantile_is_that_of_one_more_value_than_there_are() -> None:
    nine = np.arange(1.0, 10.0)
    assert upper_quantile(nine, 0.9, of="films") == 9.0  # ⌈10 · 0.9⌉ = 9, though 10 · 0.9 may round up in binary
    assert upper_quantile(nine, 0.5, of="films") == 5.0
    assert upper_quantile(np.arange(1.0, 20.0), 0.9, of="films") == 18.0
    assert upper_quantile(np.arange(1.0, 200.0), 0.995, of="films") == 199.0


@pytest.mark.parametrize(("n", "level", "needed"), [(8, 0.9, 9), (198, 0.995, 199), (0, 0.9, 9)])
def test_too_few_films_promise_nothing(n: int, level: float, needed: int) -> None:
    with pytest.raises(TooFewSamples, match=f"{n} films on tuning data, {needed} needed"):
        upper_quantile(np.zeros(n), level, of="films")
    upper_quantile(np.zeros(needed), level, of="films")


def test_a_class_too_small_gives_no_sets() -> None:
    labels = np.array([1] * 8 + [0] * 100)
    with pytest.raises(TooFewSamples, match="8 films with the finding"):
        conformal_sets(labels, np.linspace(0, 1, 108), coverage=0.9, fitted_on="t")


@pytest.mark.parametrize(
    ("probability", "expected"), [(0.1, ("absent",)), (0.5, ("present", "absent")), (0.9, ("present",))]
)
def test_a_probability_that_fits_both_classes_leaves_both_possible(
    probability: float, expected: tuple[str, ...]
) -> None:
    sets = ConformalSets(
        coverage=0.9, least_present=0.3, most_absent=0.6, n_present=50, n_absent=50, fitted_on="films tune"
    )
    assert prediction_set(probability, sets) == expected
    apart = sets.model_copy(update={"least_present": 0.7, "most_absent": 0.3})
    assert prediction_set(0.5, apart) == ()
    assert prediction_set(0.7, apart) == ("present",)
    assert prediction_set(0.3, apart) == ("absent",)


# Distance


def test_distances_of_gaussian_embeddings_follow_the_chi_distribution() -> None:
    draw = np.random.default_rng(1)
    mixing = np.eye(12) + 0.2 * draw.normal(size=(12, 12))
    whitening = whiten(draw.normal(size=(4000, 12)) @ mixing + 3.0)
    squares = [whitening.distance(x) ** 2 for x in draw.normal(size=(2000, 12)) @ mixing + 3.0]
    assert np.mean(squares) == pytest.approx(12.0, rel=0.05)
    assert np.quantile(squares, 0.99) == pytest.approx(chi2(12).ppf(0.99), rel=0.1)


def test_a_wide_embedding_keeps_few_axes_and_still_sees_what_lies_beside_them() -> None:
    draw = np.random.default_rng(2)
    d, n = WIDE + 60, 1500
    spread = np.geomspace(10.0, 0.1, d)
    films = draw.normal(size=(n, d)) * spread
    whitening = whiten(films)
    assert whitening.whitening.shape == (AXES, d)
    usual = np.quantile([whitening.distance(x) for x in draw.normal(size=(500, d)) * spread], 0.995)
    beside = np.zeros(d)
    beside[-1] = 30.0  # in the direction that varies least, which is none of the axes
    assert whitening.distance(beside) > 2 * usual
    assert replace(whitening, rest=np.array(0.0)).distance(beside) < usual


def test_a_film_like_the_tuning_data_is_seldom_abstained_on_and_an_unlike_one_always() -> None:
    draw = np.random.default_rng(3)
    shares = []
    for _ in range(100):
        whitening, out = fitted(draw.normal(size=(300, 8)), draw.normal(size=(250, 8)), quantile=0.98)
        shares.append(np.mean([whitening.distance(x) > out.limit for x in draw.normal(size=(200, 8))]))
        assert whitening.distance(np.full(8, 6.0)) > out.limit
    assert np.mean(shares) <= 0.02 + 4 * np.std(shares) / 10


def test_embeddings_that_never_differ_carry_no_distance() -> None:
    with pytest.raises(TooFewSamples, match="all the same"):
        whiten(np.ones((50, 3)))


def test_fewer_films_than_dimensions_still_give_finite_distances() -> None:
    draw = np.random.default_rng(4)
    whitening = whiten(draw.normal(size=(30, 100)))
    assert np.isfinite(whitening.distance(draw.normal(size=100)))


# The file


def test_the_same_fit_gives_the_same_bytes_at_any_time(monkeypatch: pytest.MonkeyPatch) -> None:
    embeddings = np.random.default_rng(6).normal(size=(200, 10))
    first = whiten(embeddings).to_bytes()
    monkeypatch.setattr(time, "time", lambda: 4e9)
    assert whiten(embeddings.copy()).to_bytes() == first
    with zipfile.ZipFile(BytesIO(first)) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_a_read_file_gives_the_same_distances(version: tuple[Whitening, OutOfDistribution, Path]) -> None:
    whitening, _, folder = version
    again = Whitening.from_bytes((folder / UNCERTAINTY_FILE).read_bytes())
    embedding = np.random.default_rng(7).normal(size=20)
    assert again.distance(embedding) == whitening.distance(embedding)


@pytest.mark.parametrize("alter", ["a bit", "gone", "another fit"])
def test_an_altered_file_is_refused(alter: str, version: tuple[Whitening, OutOfDistribution, Path]) -> None:
    whitening, out, folder = version
    path = folder / UNCERTAINTY_FILE
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    if alter == "gone":
        path.unlink()
    else:
        other = replace(whitening, mean=whitening.mean + 1).to_bytes()
        path.write_bytes(bytes(content) if alter == "a bit" else other)
    with pytest.raises(DigestMismatch, match=UNCERTAINTY_FILE):
        Judge.of(None, out, folder)


def test_a_training_without_a_distance_leaves_no_file_of_an_earlier_one(tmp_path: Path) -> None:
    Uncertainty(None, None, (), b"earlier").write(tmp_path)
    assert (tmp_path / UNCERTAINTY_FILE).read_bytes() == b"earlier"
    Uncertainty(None, None, (), None).write(tmp_path)
    assert list(tmp_path.iterdir()) == []


# The judge


def test_above_the_limit_the_reason_is_told_in_plain_words(version: tuple[Whitening, OutOfDistribution, Path]) -> None:
    _, out, folder = version
    judge = Judge.of(None, out, folder)
    assert judge is not None
    far = judge.judge(score(0.9, (9.0,) * 20))
    assert far.distance is not None
    assert far.distance > out.limit
    assert far.abstained == (
        f"The film is unlike those the model was developed on (distance {far.distance:.1f}, limit {out.limit:.1f})."
    )
    near = judge.judge(score(0.9, (0.1,) * 20))
    assert (near.abstained, near.prediction_set, near.probability) == (None, None, 0.9)


def test_the_limit_itself_is_answered_and_what_is_just_above_is_told_apart_from_it(
    version: tuple[Whitening, OutOfDistribution, Path],
) -> None:
    whitening, out, _ = version
    embedding = (1.5,) * 20
    distance = whitening.distance(np.array(embedding))
    at, below = (Judge(None, out.model_copy(update={"limit": x}), whitening) for x in (distance, distance - 0.004))
    assert at.judge(score(embedding=embedding)).abstained is None
    assert f"distance {distance:.3f}, limit {distance - 0.004:.3f}" in str(
        below.judge(score(embedding=embedding)).abstained
    )


def test_a_distance_that_is_no_number_abstains(version: tuple[Whitening, OutOfDistribution, Path]) -> None:
    _, out, folder = version
    judge = Judge.of(None, out, folder)
    assert judge is not None
    assert judge.judge(score(embedding=(float("nan"),) * 20)).abstained is not None


def test_an_embedding_of_another_length_is_no_film_of_this_version(
    version: tuple[Whitening, OutOfDistribution, Path],
) -> None:
    _, out, folder = version
    judge = Judge.of(None, out, folder)
    assert judge is not None
    with pytest.raises(IntegrityViolation):
        judge.judge(score(embedding=(0.0,) * 19))


def test_a_version_without_either_has_no_judge(tmp_path: Path) -> None:
    assert Judge.of(None, None, tmp_path) is None


@pytest.mark.parametrize("d", [WIDE, 1024])
def test_judging_costs_little(d: int) -> None:
    draw = np.random.default_rng(8)
    r = d if d <= WIDE else AXES
    whitening = Whitening(np.zeros(d), draw.normal(size=(r, d)), np.ones(r), np.array(0.0))
    embedding = draw.normal(size=d)
    best = min(_seconds(lambda: whitening.distance(embedding)) for _ in range(20))
    assert best < 500e-6  # measured 10 to 40 µs; the bound is for a loaded machine


def _seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    for _ in range(20):
        call()
    return (time.perf_counter() - began) / 20
