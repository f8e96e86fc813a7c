"""Small real sources: films written as a distribution with digests, as a mirror would hold them."""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data.archives import TarWriter, indexed_tar, text_or_none
from data.obtain import file_digest
from data.phantoms.draw import Draw
from data.phantoms.shapes import enlarged
from data.quality import Inspected, inspect_all
from data.source import Exclusion, Film, Record, Source, SplitShares
from domain.dataset import Distribution, File, SourceCard, Split

Entry = tuple[Record, bytes]


class TarSource(Source):
    """Reads `images.tar` and `index.csv`, as the real mirrors are laid out."""

    min_side_px = 32

    def __init__(self, card: SourceCard, *, exclusions: tuple[Exclusion, ...], shares: SplitShares) -> None:
        self.card, self.exclusions, self.shares = card, exclusions, shares  # type: ignore[misc]

    def films(self, raw: Path, *, distribution: str) -> Iterator[Film]:
        for row, read in indexed_tar(raw, tar="images.tar"):
            record = Record(
                sample_id=row["path"],
                patient_key=row["patient"],
                label=int(row["label"]) if row["label"] else None,
                site="site",
                published_split=Split(row["split"]) if text_or_none(row["split"]) else None,
            )
            yield Film(record=record, read=read)


def _png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def pixels() -> Callable[..., np.ndarray]:
    """Grey levels of an imaginary film: the same name gives the same picture, another name another one."""

    def draw(name: str, *, side: int = 64) -> np.ndarray:
        lattice = Draw("test", name).octets(1, 6, 6).astype(np.float32)
        return enlarged(lattice, side)[0].astype(np.uint8)

    return draw


@pytest.fixture
def image(pixels: Callable[..., np.ndarray]) -> Callable[..., bytes]:
    """The same as PNG bytes."""
    return lambda name, side=64: _png(pixels(name, side=side))


@pytest.fixture
def encode() -> Callable[[np.ndarray], bytes]:
    """Pixels as PNG bytes."""
    return _png


@pytest.fixture
def published(tmp_path: Path) -> Callable[..., tuple[Source, Path]]:
    """A source with these films, and the mirror folder that holds its distribution."""

    def publish(
        entries: Sequence[Entry],
        *,
        exclusions: tuple[Exclusion, ...] = (),
        shares: SplitShares | None = None,
        name: str = "test_source",
    ) -> tuple[Source, Path]:
        folder = tmp_path / "mirror" / name
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "images.tar").open("wb") as images, (folder / "index.csv").open("w", newline="") as index:
            writer = csv.writer(index, lineterminator="\n")
            writer.writerow(("path", "patient", "label", "split"))
            tar = TarWriter(images)
            for record, data in entries:
                tar.add(record.sample_id, data)
                label = "" if record.label is None else record.label
                writer.writerow((record.sample_id, record.patient_key, label, record.published_split or ""))
            tar.close()
        files = tuple(File(name=f, sha256=file_digest(folder / f)) for f in ("images.tar", "index.csv"))
        card = SourceCard(
            name=name, title="Test films", synthetic=False, licence="none", citation="none", homepage=None,
            reference_standard="by hand", population="nobody", known_flaws=("none of them is real",),
            use="development", distributions=(Distribution(name="mirror", files=files),),
        )  # fmt: skip
        source = TarSource(card, exclusions=exclusions, shares=shares or SplitShares(tune=0.2, test=0.2))
        return source, folder.parent

    return publish


@pytest.fixture
def record() -> Callable[..., Record]:
    """A record with what matters to the test."""

    def make(sample_id: str, *, patient: str = "", label: int | None = 0, split: Split | None = None) -> Record:
        return Record(
            sample_id=sample_id, patient_key=patient or sample_id, label=label, site="site", published_split=split
        )

    return make


@pytest.fixture
def inspected(record: Callable[..., Record]) -> Callable[..., list[Inspected]]:
    """Films as the quality check leaves them, from (sample id, patient, bytes) or with label and published split."""

    def inspect(*films: tuple[str, str, bytes], label: int = 0, split: Split | None = None) -> list[Inspected]:
        made = [
            Film(record=record(sample_id, patient=patient, label=label, split=split), read=lambda data=data: data)
            for sample_id, patient, data in films
        ]
        return inspect_all(made, min_side_px=32)

    return inspect
