"""How sure a version may be of one film: a conformal prediction set, and abstention where the film is unlike all it
learnt from. NumPy only: this travels in the Bento. What it applies was fitted by ``models/uncertainty_fit.py``.
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from domain.errors import DigestMismatch, IntegrityViolation
from domain.identifiers import sha256_of
from domain.model_version import ConformalSets, OutOfDistribution
from domain.prediction import ImageScore, PossibleFinding

UNCERTAINTY_FILE = "uncertainty.npz"
_NEVER = (1980, 1, 1, 0, 0, 0)  # the earliest time a zip archive can state

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Whitening:
    """The training embeddings' mean and the principal axes of their covariance, scaled to unit variance.

    Directions that no axis spans count with one common variance (Tipping and Bishop, J R Stat Soc B 61:611, 1999):
    what is unlike the training data often lies exactly there. ``rest`` is that variance's inverse, 0 where the axes
    span everything.
    """

    mean: Vector  # (d,)
    whitening: Vector  # (r, d)
    variances: Vector  # (r,), of the axes
    rest: Vector  # ()

    def distance(self, embedding: Vector) -> float:
        """The Mahalanobis distance of one embedding (d,)."""
        centred = embedding - self.mean
        squares = np.square(self.whitening @ centred)
        outside = max(float(centred @ centred - squares @ self.variances), 0.0)
        return float(np.sqrt(squares.sum() + float(self.rest) * outside))

    def to_bytes(self) -> bytes:
        """As ``.npz``; the same numbers always give the same bytes (``numpy.savez`` does not promise so)."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
            for field in fields(self):
                array = io.BytesIO()
                np.lib.format.write_array(array, getattr(self, field.name).astype("<f8"), allow_pickle=False)
                archive.writestr(zipfile.ZipInfo(f"{field.name}.npy", _NEVER), array.getvalue())
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> Whitening:
        """What ``to_bytes`` wrote."""
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return cls(**{field.name: arrays[field.name] for field in fields(cls)})


def parameters_of(out_of_distribution: OutOfDistribution | None, folder: Path) -> bytes | None:
    """The bytes of the parameter file that the record names; ``None`` where it names none.

    Raises:
        DigestMismatch: the file is missing, or another one.
    """
    if out_of_distribution is None:
        return None
    path = folder / out_of_distribution.file
    content = path.read_bytes() if path.is_file() else b""
    if sha256_of(content) != out_of_distribution.file_sha256:
        raise DigestMismatch(
            f"{out_of_distribution.file} is not the one that the model version's record names.",
            next_step="Do not serve it; package the model version again.",
        )
    return content


class Judge:
    """Fills in, for each score of one version, what it may be trusted for."""

    def __init__(
        self,
        conformal: ConformalSets | None,
        out_of_distribution: OutOfDistribution | None,
        whitening: Whitening | None,
    ) -> None:
        self._conformal = conformal
        self._limit = out_of_distribution.limit if out_of_distribution else 0.0
        self._whitening = whitening

    @classmethod
    def of(
        cls, conformal: ConformalSets | None, out_of_distribution: OutOfDistribution | None, folder: Path
    ) -> Judge | None:
        """The judge of the version whose files lie in ``folder``; ``None`` where there is nothing to judge by.

        Raises:
            DigestMismatch: the parameter file is not the one the record names.
        """
        content = parameters_of(out_of_distribution, folder)
        if conformal is None and content is None:
            return None
        return cls(conformal, out_of_distribution, None if content is None else Whitening.from_bytes(content))

    def judge(self, score: ImageScore) -> ImageScore:
        """The score with its prediction set, its distance and, above the limit, the reason to abstain.

        Raises:
            IntegrityViolation: the embedding is not of the length that was fitted.
        """
        distance = self._distance(score)
        update = {
            "prediction_set": None if self._conformal is None else prediction_set(score.probability, self._conformal),
            "distance": distance,
            # Not "greater than": a distance that is no number must not pass.
            "abstained": None if distance is None or distance <= self._limit else _reason(distance, self._limit),
        }
        return score.model_copy(update=update)

    def _distance(self, score: ImageScore) -> float | None:
        if self._whitening is None:
            return None
        embedding = np.array(score.embedding, dtype=np.float64)
        if embedding.shape != self._whitening.mean.shape:
            raise IntegrityViolation(
                f"The embedding has {embedding.size} values; the distance was fitted on {self._whitening.mean.size}.",
                next_step="Do not serve it; package the model version again.",
            )
        return self._whitening.distance(embedding)


def prediction_set(probability: float, conformal: ConformalSets) -> tuple[PossibleFinding, ...]:
    """The findings that a probability leaves possible; none, one or both."""
    possible: list[PossibleFinding] = []
    if probability >= conformal.least_present:
        possible.append("present")
    if probability <= conformal.most_absent:
        possible.append("absent")
    return tuple(possible)


def _reason(distance: float, limit: float) -> str:
    # As many digits as tell the two apart.
    digits = next((n for n in (1, 3) if f"{distance:.{n}f}" != f"{limit:.{n}f}"), 6)
    return (
        f"The film is unlike those the model was developed on (distance {distance:.{digits}f}, "
        f"limit {limit:.{digits}f})."
    )
