"""Datasets: samples, splits, sources and the immutable version that training, tuning and test data come from."""

from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, HttpUrl

from domain.identifiers import Sha256


class Split(StrEnum):
    """FDA's three words. EU AI Act Art. 3(30) calls tuning data "validation data"."""

    TRAIN = "train"
    TUNE = "tune"
    TEST = "test"


class Sample(BaseModel):
    """One row of a dataset version's manifest (``samples.parquet``): where its bytes lie, what is known of it."""

    model_config = ConfigDict(frozen=True)

    sample_id: str  # stable within the source; carries no patient name
    patient_key: str  # after merging patients that share an image
    split: Split
    label: int  # 0 absent, 1 present, by the source's reference standard
    subtype: str | None = None
    site: str
    view_position: str | None = None
    age_years: float | None = None
    sex: str | None = None
    sha256: Sha256  # of the encoded image bytes
    shard: str  # file name below shards/
    offset: int  # of the first byte inside the shard
    length: int  # in bytes
    rows: int
    columns: int


class File(BaseModel):
    """One file of a distribution."""

    model_config = ConfigDict(frozen=True)

    name: str
    sha256: Sha256 | None  # None: not recorded, so whoever fetches must bring the publisher's digest
    url: HttpUrl | None = None  # None: not published in this form, only through a mirror


class Distribution(BaseModel):
    """One published form of a source: the publisher's original, a recompressed mirror, or a generator's output."""

    model_config = ConfigDict(frozen=True)

    name: str
    files: tuple[File, ...]
    note: str = ""


class SourceCard(BaseModel):
    """What a source states of itself; printed in the dataset card."""

    model_config = ConfigDict(frozen=True)

    name: str
    title: str
    synthetic: bool
    licence: str
    citation: str
    homepage: HttpUrl | None
    reference_standard: str
    population: str
    known_flaws: tuple[str, ...]
    use: Literal["development", "external"]  # external: never trained on
    distributions: tuple[Distribution, ...]


class DatasetVersion(BaseModel):
    """One immutable cohort with labels and splits.

    ``digest`` is the SHA-256 of ``samples.parquet``, which names each image's digest.
    """

    model_config = ConfigDict(frozen=True)

    source: str
    distribution: str
    digest: Sha256
    synthetic: bool
    counts: dict[str, dict[str, int]]  # split → {"samples", "patients", "positives"}
    excluded: dict[str, int]  # reason → count, in the order applied
    shards: dict[str, Sha256]  # shard file name → digest

    @property
    def name(self) -> str:
        """Short printable identity, e.g. ``kermany_chest_xray@1a2b3c4d5e6f``."""
        return f"{self.source}@{self.digest[:12]}"
