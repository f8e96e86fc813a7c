"""Training reads exactly the bytes that were prepared."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from domain.dataset import DatasetVersion, Sample, Split
from domain.errors import DataProblem, DigestMismatch
from domain.identifiers import sha256_of
from domain.preprocessing import Preprocessing
from models import loaders, preprocess

SPEC = Preprocessing(size_px=32)
SPLITS = (Split.TRAIN, Split.TUNE, Split.TRAIN)


@pytest.fixture
def prepared(tmp_path: Path, film: Callable[[int], np.ndarray]) -> Path:
    """Three films in one shard, as the preparation writes them."""
    (tmp_path / "shards").mkdir()
    rows, shard = [], b""
    for i, split in enumerate(SPLITS):
        encoded = io.BytesIO()
        Image.fromarray(film(i)).save(encoded, "PNG")
        data = encoded.getvalue()
        sample = Sample(
            sample_id=f"s{i}", patient_key=f"p{i}", split=split, label=i % 2, site="here", sha256=sha256_of(data),
            shard="00000.tar", offset=len(shard), length=len(data), rows=120, columns=100,
        )  # fmt: skip
        rows.append(sample.model_dump())
        shard += data
    (tmp_path / "shards" / "00000.tar").write_bytes(shard)
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "samples.parquet")
    version = DatasetVersion(
        source="tiny", distribution="generated", digest=sha256_of((tmp_path / "samples.parquet").read_bytes()),
        synthetic=True, counts={}, excluded={}, shards={"00000.tar": sha256_of(shard)},
    )  # fmt: skip
    (tmp_path / "dataset.json").write_text(version.model_dump_json())
    return tmp_path


def test_a_split_is_read_in_the_manifests_order(prepared: Path, film: Callable[[int], np.ndarray]) -> None:
    cohort = loaders.load(prepared, Split.TRAIN, preprocessing=SPEC)

    assert [sample.sample_id for sample in cohort.samples] == ["s0", "s2"]
    assert cohort.labels.tolist() == [0, 0]
    assert np.array_equal(cohort.grey[1], preprocess.to_grey_8bit(film(2), SPEC))


def test_an_external_set_is_read_whole(prepared: Path) -> None:
    assert len(loaders.load(prepared, None, preprocessing=SPEC).samples) == 3


def test_an_empty_split_is_a_problem_of_the_data(prepared: Path) -> None:
    with pytest.raises(DataProblem):
        loaders.load(prepared, Split.TEST, preprocessing=SPEC)


def test_one_altered_byte_of_an_image_is_noticed(prepared: Path) -> None:
    shard = prepared / "shards" / "00000.tar"
    data = bytearray(shard.read_bytes())
    data[-20] ^= 1
    shard.write_bytes(bytes(data))

    with pytest.raises(DigestMismatch, match="s2"):
        loaders.load(prepared, Split.TRAIN, preprocessing=SPEC)


def test_an_altered_manifest_is_noticed(prepared: Path) -> None:
    table = pq.read_table(prepared / "samples.parquet").to_pylist()
    table[0]["label"] = 1
    pq.write_table(pa.Table.from_pylist(table), prepared / "samples.parquet")

    with pytest.raises(DigestMismatch):
        loaders.load(prepared, Split.TRAIN, preprocessing=SPEC)
