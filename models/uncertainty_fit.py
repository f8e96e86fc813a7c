"""What ``models/uncertainty.py`` applies, fitted once a model is trained: sets and limit on tuning data, which chose no
weight, and the whitening on training data.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from domain.errors import TooFewSamples
from domain.identifiers import sha256_of
from domain.model_version import ConformalSets, OutOfDistribution
from domain.prediction import ImageScore
from domain.preprocessing import Preprocessing
from models import preprocess
from models.loaders import Cohort
from models.task import Task
from models.uncertainty import UNCERTAINTY_FILE, Whitening

WIDE = 192  # embeddings beyond it keep ``AXES`` axes, so that a distance stays below 50 µs
AXES = 128

Values = NDArray[np.float64]


class Scores(Protocol):
    """What scores prepared inputs: the bytes that will serve, in the engine that will run them."""

    @property
    def preprocessing(self) -> Preprocessing: ...

    def score_prepared(self, inputs: NDArray[np.float32]) -> list[ImageScore]: ...


@dataclass(frozen=True)
class Uncertainty:
    """What was fitted; of what could not be, the reason."""

    conformal: ConformalSets | None
    out_of_distribution: OutOfDistribution | None
    not_fitted: tuple[str, ...]
    parameters: bytes | None

    def recorded(self) -> dict[str, Any]:
        """The fields of a ``TrainedModel``."""
        return {
            "conformal": self.conformal,
            "out_of_distribution": self.out_of_distribution,
            "uncertainty_not_fitted": self.not_fitted,
        }

    def write(self, folder: Path) -> None:
        """Put the parameters beside the model; without any, none of an earlier training stay there."""
        path = folder / UNCERTAINTY_FILE
        if self.parameters is None:
            path.unlink(missing_ok=True)
        else:
            path.write_bytes(self.parameters)


def fit(scorer: Scores, train: Cohort, tune: Cohort, *, task: Task, learnt_features: bool) -> Uncertainty:
    """Fit both for one exported model.

    ``learnt_features``: its embedding was learnt for the finding. The baseline's are principal components of the
    training data: what is unlike those lies outside their span, so no distance within it tells.
    """
    on = f"{tune.dataset_version.name} tune"
    scores = _scores(scorer, tune)
    refused: list[str] = []
    conformal = out_of_distribution = parameters = None
    try:
        probabilities = np.array([score.probability for score in scores], dtype=np.float64)
        conformal = conformal_sets(tune.labels, probabilities, coverage=task.conformal_coverage, fitted_on=on)
    except TooFewSamples as problem:
        refused.append(f"No prediction set: {problem.what}")
    try:
        if not learnt_features:
            raise TooFewSamples("the model learns no features of its own.")
        whitening = whiten(_embeddings(_scores(scorer, train)))
        parameters = whitening.to_bytes()
        out_of_distribution = limit_of(
            whitening, _embeddings(scores), parameters=parameters, quantile=task.abstention_quantile, fitted_on=on
        )
    except TooFewSamples as problem:
        parameters = None
        refused.append(f"Never abstains: {problem.what}")
    return Uncertainty(conformal, out_of_distribution, tuple(refused), parameters)


def conformal_sets(
    labels: NDArray[np.int64], probabilities: Values, *, coverage: float, fitted_on: str
) -> ConformalSets:
    """Split conformal prediction within each class: the finite-sample quantile of how well each film's own class fits.

    Raises:
        TooFewSamples: a class is so small that no threshold can promise the coverage.
    """
    present, absent = probabilities[labels == 1], probabilities[labels == 0]
    return ConformalSets(
        coverage=coverage,
        least_present=-upper_quantile(-present, coverage, of="films with the finding"),
        most_absent=upper_quantile(absent, coverage, of="films without the finding"),
        n_present=len(present),
        n_absent=len(absent),
        fitted_on=fitted_on,
    )


def upper_quantile(values: Values, level: float, *, of: str) -> float:
    """The ⌈(n + 1) · level⌉-th smallest of n values: one more exchangeable value lies at or below it with chance
    ``level`` or more, whatever the distribution (Vovk, Gammerman and Shafer 2005; Lei et al., JASA 113:1094, 2018).

    Raises:
        TooFewSamples: that rank is above n.
    """
    wanted = Fraction(str(level))  # as written: 0.9 · 10 is 9, not a little more
    rank = math.ceil((len(values) + 1) * wanted)
    if rank > len(values):
        needed = math.ceil(wanted / (1 - wanted))
        raise TooFewSamples(f"{len(values)} {of} on tuning data, {needed} needed for a level of {level:g}.")
    return float(np.sort(values)[rank - 1])


def whiten(embeddings: Values) -> Whitening:
    """Mean and whitening of training embeddings (n, d), by Ledoit and Wolf's shrunk covariance (J Multivar Anal 88:365,
    2004): with few films a direction that hardly varied among them would otherwise call everything unlike.

    Raises:
        TooFewSamples: the embeddings do not differ at all.
    """
    from sklearn.covariance import ledoit_wolf

    mean = embeddings.mean(axis=0)
    covariance, _ = ledoit_wolf(embeddings - mean, assume_centered=True)
    variances, directions = np.linalg.eigh(np.atleast_2d(covariance))
    if not variances[-1] > 0.0:
        raise TooFewSamples(f"the embeddings of {len(embeddings)} training films are all the same.")
    variances, directions = np.maximum(variances[::-1], 1e-12 * variances[-1]), directions[:, ::-1].T
    # An eigenvector's sign is arbitrary; fixed, so that the same embeddings give the same bytes.
    largest = np.abs(directions).argmax(axis=1)
    directions = directions * np.sign(directions[np.arange(len(directions)), largest])[:, np.newaxis]
    kept = len(variances) if len(variances) <= WIDE else AXES
    left = variances[kept:]
    return Whitening(
        mean=mean,
        whitening=directions[:kept] / np.sqrt(variances[:kept])[:, np.newaxis],
        variances=variances[:kept],
        rest=np.array(1.0 / left.mean() if left.size else 0.0),
    )


def limit_of(
    whitening: Whitening, tuning: Values, *, parameters: bytes, quantile: float, fitted_on: str
) -> OutOfDistribution:
    """The limit that a film like the tuning data exceeds with chance 1 − ``quantile`` at most; ``parameters`` are the
    whitening's bytes.

    Raises:
        TooFewSamples: there are too few films for so high a quantile.
    """
    distances = np.array([whitening.distance(embedding) for embedding in tuning])
    return OutOfDistribution(
        file=UNCERTAINTY_FILE,
        file_sha256=sha256_of(parameters),
        limit=upper_quantile(distances, quantile, of="films"),
        quantile=quantile,
        n=len(tuning),
        fitted_on=fitted_on,
    )


def _scores(scorer: Scores, cohort: Cohort) -> list[ImageScore]:
    return scorer.score_prepared(preprocess.normalise(cohort.grey[:, np.newaxis], scorer.preprocessing))


def _embeddings(scores: Sequence[ImageScore]) -> Values:
    return np.array([score.embedding for score in scores], dtype=np.float64)
