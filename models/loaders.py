"""A prepared dataset version as arrays: the same decoding and the same preprocessing as in serving."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from domain.dataset import DatasetVersion, Sample, Split
from domain.errors import DataProblem, DigestMismatch
from domain.identifiers import sha256_of
from domain.preprocessing import Preprocessing
from imaging.limits import Limits
from imaging.radiograph import decode
from models import preprocess

_LIMITS = Limits()


@dataclass(frozen=True)
class Cohort:
    """The samples of one split with their images on the model's grid."""

    dataset_version: DatasetVersion
    samples: tuple[Sample, ...]
    grey: NDArray[np.uint8]  # (n, rows, columns)
    labels: NDArray[np.int64]  # (n,)


def dataset_version(prepared: Path) -> DatasetVersion:
    """The version in a prepared folder.

    Raises:
        DigestMismatch: ``samples.parquet`` is not the manifest the version names.
    """
    version = DatasetVersion.model_validate_json((prepared / "dataset.json").read_bytes())
    if sha256_of((prepared / "samples.parquet").read_bytes()) != version.digest:
        raise DigestMismatch(f"samples.parquet is not that of {version.name}.", next_step="Prepare the source again.")
    return version


def samples_of(prepared: Path, split: Split | None) -> tuple[Sample, ...]:
    """The manifest's rows of one split (``None``: of all), in their order."""
    samples = (Sample.model_validate(row) for row in pq.read_table(prepared / "samples.parquet").to_pylist())
    return tuple(sample for sample in samples if split in (None, sample.split))


def radiographs(prepared: Path, samples: Sequence[Sample]) -> Iterator[preprocess.Pixels]:
    """The decoded image of each sample.

    Raises:
        DigestMismatch: an image's bytes are not those the manifest names.
    """
    for sample in samples:
        with (prepared / "shards" / sample.shard).open("rb") as shard:
            shard.seek(sample.offset)
            data = shard.read(sample.length)
        if sha256_of(data) != sample.sha256:
            raise DigestMismatch(
                f"Sample {sample.sample_id} in {sample.shard} is not the image that was prepared.",
                next_step="Prepare the source again.",
            )
        yield decode(data, limits=_LIMITS).pixels


def load(prepared: Path, split: Split | None, *, preprocessing: Preprocessing) -> Cohort:
    """One split of a prepared dataset version; ``None``: all of an external one.

    Raises:
        DataProblem: the split is empty.
    """
    version, samples = dataset_version(prepared), samples_of(prepared, split)
    if not samples:
        raise DataProblem(f"{version.name} has no {split or ''} samples.")
    grey = np.stack([preprocess.to_grey_8bit(pixels, preprocessing) for pixels in radiographs(prepared, samples)])
    return Cohort(version, samples, grey, np.array([sample.label for sample in samples], dtype=np.int64))
