"""Does the map show what the probability rests on, and does it come from what was learned?

Deletion and insertion: Petsiuk et al., BMVC 2018. The map's strongest pixels become the film's mean grey, or appear on
the film blurred until a finding is no longer seen; the area under the probability is set against that of pixels in
random order. Randomised weights: Adebayo et al., NeurIPS 2018; the values of each weight tensor are shuffled.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import ArrayLike, NDArray
from onnx import numpy_helper
from PIL import Image, ImageFilter

from domain.acceptance import MetricValue
from domain.errors import NotEstimable, TooFewSamples
from evidence.record import MapFaithfulness
from evidence.results import metric
from evidence.scored_set import ScoredSet
from evidence.statistics import clustered_mean
from evidence.statistics.rank_correlation import spearman
from models import preprocess
from models.determinism import seed_of
from models.explanation import enlarge
from models.inference import Scorer
from models.scoring import Scored
from models.selection import films_of, part

FILMS = 48
STEPS = 12
RANDOMISATIONS = 5  # a single one may by luck order a film's places as the trained weights do, or in reverse
LEVEL = 0.95
_BLUR = 0.1  # σ, of the side

Map = NDArray[np.float64]
Film = NDArray[np.uint8]
Ranks = NDArray[np.intp]  # of each pixel, 0 the first to go


@dataclass(frozen=True)
class _Explained:
    """One film that the model calls present, with its map."""

    sample_id: str
    grey: Film
    activation_map: Map


def faithfulness(
    scored: Scored, model: bytes, scorer: Scorer, *, base: ScoredSet, threshold: float, at_most: int = FILMS
) -> MapFaithfulness:
    """All three on at most so many films that the model calls present, chosen by their names; patients are independent.

    ``model`` is the fp32 file of what the scorer runs, ``base`` the scorer's probabilities of ``scored``, row by row.

    Raises:
        TooFewSamples: fewer than two patients have a film with a map that the model calls present.
        NotEstimable: the model has no weights to randomise.
    """
    called = [
        row
        for row, score in enumerate(scored.scores)
        if score.probability >= threshold and score.activation_map is not None
    ]
    rows = films_of(scored.cohort.samples, called, at_most=at_most)
    chosen = part(base, rows)
    if chosen.patients < 2:
        raise TooFewSamples(f"{len(rows)} films with a map are called present: its faithfulness cannot be measured.")
    films = [
        _Explained(name, scored.cohort.grey[row], np.array(scored.scores[row].activation_map))
        for row, name in zip(rows, chosen.sample_ids, strict=True)
    ]
    curves = [_advantages(film, scorer) for film in films]
    return MapFaithfulness(
        deletion=_mean(chosen, "deletion", [deletion for deletion, _ in curves]),
        insertion=_mean(chosen, "insertion", [insertion for _, insertion in curves]),
        randomised_similarity=_mean(chosen, "randomised_similarity", _similarities(films, model, scorer)),
        films=len(films),
    )


def randomised(model: bytes, *, seed: int) -> bytes:
    """The model with the values of every floating-point initialiser of two or more dimensions shuffled.

    Raises:
        NotEstimable: it has none.
    """
    graph = onnx.load_from_string(model)
    shuffled = 0
    for tensor in graph.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.ndim >= 2 and np.issubdtype(values.dtype, np.floating):
            random = np.random.default_rng(seed_of("randomised", seed, shuffled))
            mixed = random.permutation(values.reshape(-1)).reshape(values.shape)
            tensor.CopyFrom(numpy_helper.from_array(mixed, tensor.name))
            shuffled += 1
    if not shuffled:
        raise NotEstimable("The model has no weights to randomise.")
    return bytes(graph.SerializeToString())


def _mean(chosen: ScoredSet, name: str, values: ArrayLike) -> MetricValue:
    positives = int(chosen.labels.sum())
    found = clustered_mean.mean(values, chosen.patient_keys, level=LEVEL, positives=positives)
    return metric(chosen, name, found, subgroup="films called present")


def _advantages(film: _Explained, scorer: Scorer) -> tuple[float, float]:
    """Areas of deletion and of insertion in the map's order, each less that in random order."""
    side = film.grey.shape[1]
    random = np.random.default_rng(seed_of("pixel order", film.sample_id)).permutation(film.grey.size)
    by_map = _ranks(enlarge(film.activation_map, rows=film.grey.shape[0], columns=side), ties=random)
    by_chance = random.reshape(film.grey.shape)
    blank = np.full_like(film.grey, round(float(film.grey.mean())))
    blurred = np.asarray(Image.fromarray(film.grey).filter(ImageFilter.GaussianBlur(_BLUR * side)))

    def area(ranks: Ranks, *, before: Film, after: Film) -> float:
        shown = [np.where(ranks < ranks.size * step / STEPS, after, before) for step in range(STEPS + 1)]
        inputs = preprocess.normalise(np.stack(shown)[:, np.newaxis], scorer.preprocessing)
        probabilities = scorer.probabilities(inputs)
        return float((probabilities[1:] + probabilities[:-1]).sum() / (2 * STEPS))

    def advantage(before: Film, after: Film) -> float:
        return area(by_map, before=before, after=after) - area(by_chance, before=before, after=after)

    return advantage(film.grey, blank), advantage(blurred, film.grey)


def _ranks(values: NDArray[np.float32], *, ties: Ranks) -> Ranks:
    """The largest value first; equal ones in the random order, so that a map that says nothing is no better than it."""
    order = np.lexsort((ties, -values.reshape(-1)))
    ranks = np.empty(values.size, dtype=np.intp)
    ranks[order] = np.arange(values.size)
    return ranks.reshape(values.shape)


def _similarities(films: list[_Explained], model: bytes, scorer: Scorer) -> Map:
    """For each film the mean rank correlation of its map with those by randomised weights."""
    grey = np.stack([film.grey for film in films])[:, np.newaxis]
    inputs = preprocess.normalise(grey, scorer.preprocessing)
    similar = np.zeros(len(films))
    for seed in range(RANDOMISATIONS):
        other = Scorer(randomised(model, seed=seed), preprocessing=scorer.preprocessing, engine="onnxruntime")
        scores = other.score_prepared(inputs)
        similar += [
            _similarity(film.activation_map, score.activation_map) for film, score in zip(films, scores, strict=True)
        ]
    return similar / RANDOMISATIONS


def _similarity(trained: Map, by_chance: tuple[tuple[float, ...], ...] | None) -> float:
    """0 where one of the maps is flat: it ranks nothing."""
    other = np.array(by_chance)
    if np.ptp(trained) == 0 or np.ptp(other) == 0:
        return 0.0
    return spearman(trained, other)
