"""The guard before a test set is opened: nothing in it may have been seen in training or tuning, nor twice elsewhere.

Preparation excludes copies within one source. Here the finished dataset versions are looked at once more, together with
the external ones, so that an altered manifest or the same film in two sources is found before it flatters a model.
"""

import io
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
from PIL import Image
from pydantic import ValidationError

from data.duplicates import near_pairs_of
from data.quality import THUMBNAIL_PX
from domain.dataset import Sample, Split
from domain.errors import LeakageAcrossSplits, QualityCheckFailed

RULE = (
    "no patient, no image byte for byte, and no nearly equal image (rank of grey levels, docs/adr/0003) may stand in "
    "the test set or an external set and on another side"
)
NAMED_AT_MOST = 10
_WORKERS = 2


@dataclass(frozen=True)
class Film:
    """One film of a dataset version and where it may be used."""

    source: str
    role: str  # "development", "test" or "external"
    sample: Sample
    folder: Path

    @property
    def name(self) -> str:
        """How a message names it."""
        return f"{self.source}/{self.sample.sample_id} ({self.sample.split if self.role != 'external' else 'external'})"


def require_no_leakage(prepared: Path, *, external: Sequence[Path] = ()) -> int:
    """How many films were compared, when none of them stands on both sides.

    Raises:
        LeakageAcrossSplits: a patient, the same bytes, or nearly the same film in the test set or an external one and
            on another side; at most ten are named.
        QualityCheckFailed: a row of a manifest names no patient, or has no such image.
    """
    films = [*_films(prepared, external=False), *(film for path in external for film in _films(path, external=True))]
    _same(films, of=lambda film: f"{film.source}/{film.sample.patient_key}", what="patient")
    _same(films, of=lambda film: film.sample.sha256, what="image, byte for byte,")
    with ThreadPoolExecutor(_WORKERS) as pool:
        thumbnails = np.stack(list(pool.map(_thumbnail, films)))
    pairs = [(films[p.first], films[p.second]) for p in near_pairs_of(thumbnails)]
    _refuse([pair for pair in pairs if pair[0].role != pair[1].role], what="film, nearly,")
    return len(films)


def _films(prepared: Path, *, external: bool) -> Iterator[Film]:
    for number, row in enumerate(pq.read_table(prepared / "samples.parquet").to_pylist()):
        try:
            sample = Sample.model_validate(row)
        except ValidationError as error:
            wrong = ", ".join(str(found["loc"][0]) for found in error.errors())
            raise QualityCheckFailed(
                f"Row {number} of {prepared.name}/samples.parquet has no usable {wrong}.",
                next_step="Prepare the source again.",
            ) from None
        if not sample.patient_key.strip():
            raise QualityCheckFailed(
                f"Row {number} of {prepared.name}/samples.parquet names no patient.",
                next_step="Films without a patient cannot be split: exclude them in the source's file.",
            )
        role = "external" if external else "test" if sample.split is Split.TEST else "development"
        yield Film(prepared.name, role, sample, prepared / "shards")


def _thumbnail(film: Film) -> npt.NDArray[np.uint8]:
    with (film.folder / film.sample.shard).open("rb") as shard:
        shard.seek(film.sample.offset)
        data = shard.read(film.sample.length)
    try:
        with Image.open(io.BytesIO(data), formats=("PNG", "JPEG")) as image:
            # A JPEG decoder halves its output for nothing; two pixels for each of the thumbnail's are left.
            image.draft("L", (2 * THUMBNAIL_PX, 2 * THUMBNAIL_PX))
            grey = image.convert("L").resize((THUMBNAIL_PX, THUMBNAIL_PX), Image.Resampling.BOX)
    except (OSError, SyntaxError, ValueError):
        raise QualityCheckFailed(
            f"{film.name} in {film.sample.shard} is not an image.", next_step="Prepare the source again."
        ) from None
    return np.asarray(grey)


def _same(films: Sequence[Film], *, of: Callable[[Film], str], what: str) -> None:
    first: dict[str, dict[str, Film]] = {}
    for film in films:
        first.setdefault(of(film), {}).setdefault(film.role, film)
    _refuse([tuple(seen.values())[:2] for seen in first.values() if len(seen) > 1], what=what)


def _refuse(pairs: Sequence[tuple[Film, ...]], *, what: str) -> None:
    if pairs:
        named = "; ".join(" and ".join(film.name for film in pair) for pair in pairs[:NAMED_AT_MOST])
        raise LeakageAcrossSplits(
            f"The same {what} stands on two sides {len(pairs)} times: {named}.",
            next_step="The test set was not opened. Exclude one of each in its source's file and prepare again.",
        )
