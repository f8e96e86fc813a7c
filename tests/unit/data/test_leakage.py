"""Nothing in a test set was seen in training, under any name: patients, bytes and nearly the same pixels."""

import io
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from data.leakage import require_no_leakage
from data.obtain import obtain
from data.prepare import SAMPLE_SCHEMA, prepare
from data.source import Record, Source
from domain.errors import LeakageAcrossSplits, QualityCheckFailed
from domain.identifiers import sha256_of

Publish = Callable[..., tuple[Source, Path]]


@pytest.fixture
def prepared(published: Publish, record: Callable[..., Record], image: Callable[..., bytes], tmp_path: Path) -> Path:
    entries = [
        (record(f"p{p:02d}-f{f}.png", patient=f"p{p:02d}", label=p % 2), image(f"{p}-{f}"))
        for p in range(40)
        for f in range(2)
    ]
    source, mirror = published(entries)
    obtain(source, mirror=mirror, raw=tmp_path / "raw")
    prepare(source, raw=tmp_path / "raw", out=tmp_path / "prepared")
    return tmp_path / "prepared"


def rows_of(prepared: Path) -> list[dict[str, object]]:
    return list(pq.read_table(prepared / "samples.parquet").to_pylist())


def rewrite(prepared: Path, rows: list[dict[str, object]], *, schema: pa.Schema = SAMPLE_SCHEMA) -> None:
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), prepared / "samples.parquet")


def first(rows: list[dict[str, object]], split: str) -> dict[str, object]:
    return next(row for row in rows if row["split"] == split)


def image_of(prepared: Path, row: dict[str, object]) -> bytes:
    shard = (prepared / "shards" / str(row["shard"])).read_bytes()
    return shard[int(str(row["offset"])) : int(str(row["offset"])) + int(str(row["length"]))]


def test_a_prepared_source_has_no_leak(prepared: Path) -> None:
    assert require_no_leakage(prepared) == len(rows_of(prepared))


def test_a_patient_on_both_sides_is_named_by_the_films(prepared: Path) -> None:
    rows = rows_of(prepared)
    first(rows, "train")["patient_key"] = first(rows, "test")["patient_key"]
    rewrite(prepared, rows)
    with pytest.raises(LeakageAcrossSplits, match=r"same patient .*prepared/p\d\d-f\d.png \(t"):
        require_no_leakage(prepared)


def test_the_same_bytes_in_training_and_test_stop_the_validation(prepared: Path) -> None:
    rows = rows_of(prepared)
    train, test = first(rows, "train"), first(rows, "test")
    train.update({name: test[name] for name in ("sha256", "shard", "offset", "length")})
    rewrite(prepared, rows)
    with pytest.raises(LeakageAcrossSplits, match="byte for byte"):
        require_no_leakage(prepared)


def test_a_film_exported_again_is_found_in_an_external_set(prepared: Path, tmp_path: Path) -> None:
    rows = rows_of(prepared)
    with Image.open(io.BytesIO(image_of(prepared, first(rows, "train")))) as film:
        other = film.convert("L").point(lambda grey: 0.8 * grey + 20)
        again = io.BytesIO()
        other.resize((other.width * 2, other.height * 2)).save(again, "JPEG", quality=70)
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "shards").mkdir(parents=True)
    (elsewhere / "shards" / "00000.tar").write_bytes(again.getvalue())
    row = {**first(rows, "train"), "sample_id": "x.jpg", "patient_key": "x", "sha256": sha256_of(again.getvalue())}
    rewrite(elsewhere, [{**row, "shard": "00000.tar", "offset": 0, "length": len(again.getvalue())}])
    with pytest.raises(LeakageAcrossSplits, match=r"nearly.*elsewhere/x.jpg \(external\)"):
        require_no_leakage(prepared, external=[elsewhere])


def test_a_row_without_a_patient_is_refused(prepared: Path) -> None:
    rows = rows_of(prepared)
    rows[3]["patient_key"] = " "
    rewrite(prepared, rows)
    with pytest.raises(QualityCheckFailed, match=r"Row 3 of prepared/samples.parquet names no patient"):
        require_no_leakage(prepared)
    rows[3]["patient_key"] = None
    nullable = pa.schema([field.with_nullable(True) for field in SAMPLE_SCHEMA])
    rewrite(prepared, rows, schema=nullable)
    with pytest.raises(QualityCheckFailed, match=r"Row 3 .* no usable patient_key"):
        require_no_leakage(prepared)
