"""Checks that every film of a cohort must pass before anything is built on it."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from data.source import Film, Record
from domain.errors import QualityCheckFailed
from domain.identifiers import Sha256, sha256_of

THUMBNAIL_PX = 64
NAMED_AT_MOST = 20
MAX_SIDE_PX = 12_000


@dataclass(frozen=True)
class Inspected:
    """A film that passed, with what its pixels tell."""

    film: Film
    sha256: Sha256
    suffix: str
    rows: int
    columns: int
    thumbnail: npt.NDArray[np.uint8]  # THUMBNAIL_PX square

    @property
    def record(self) -> Record:
        """The film's record."""
        return self.film.record


def inspect_all(films: Sequence[Film], *, min_side_px: int) -> list[Inspected]:
    """Every film, decoded and measured.

    Raises:
        QualityCheckFailed: names the films that are corrupt, of the wrong size, blank, or without label or patient.
    """
    passed: list[Inspected] = []
    problems: list[tuple[str, str]] = []
    seen: set[str] = set()
    for film in films:
        found = _inspected(film, min_side_px=min_side_px)
        if film.record.sample_id in seen:
            found = "the same sample id twice"
        seen.add(film.record.sample_id)
        if isinstance(found, str):
            problems.append((film.record.sample_id, found))
        else:
            passed.append(found)
    if problems:
        raise _failure(problems)
    if not passed:
        raise QualityCheckFailed("No film is left.", next_step="Check the source's exclusions.")
    return passed


def _inspected(film: Film, *, min_side_px: int) -> Inspected | str:
    """The film's measurements, or what is wrong with it."""
    record = film.record
    if record.label not in (0, 1):
        return "no label"
    if not record.patient_key:
        return "no patient key"
    data = film.read()
    try:
        with Image.open(io.BytesIO(data), formats=("PNG", "JPEG")) as image:
            if not min_side_px <= min(image.size) <= max(image.size) <= MAX_SIDE_PX:
                return f"wrong size ({image.height} × {image.width})"
            grey = image.convert("L")
            suffix = str(image.format).lower()
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        return f"corrupt ({type(error).__name__})"
    low, high = grey.getextrema()
    if low == high:
        return "blank"
    thumbnail = np.asarray(grey.resize((THUMBNAIL_PX, THUMBNAIL_PX), Image.Resampling.BOX))
    return Inspected(
        film=film, sha256=sha256_of(data), suffix=suffix, rows=grey.height, columns=grey.width, thumbnail=thumbnail
    )


def _failure(problems: Sequence[tuple[str, str]]) -> QualityCheckFailed:
    named = "; ".join(f"{sample_id}: {problem}" for sample_id, problem in problems[:NAMED_AT_MOST])
    more = f" … and {len(problems) - NAMED_AT_MOST} more" if len(problems) > NAMED_AT_MOST else ""
    return QualityCheckFailed(
        f"{len(problems)} films fail the quality checks: {named}{more}.",
        next_step="Mend the source, or exclude them in its file by a rule with a reason.",
    )
