"""Prepare: from a source's files to a dataset version that repeats to the byte."""

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from data.obtain import obtain
from data.prepare import prepare
from data.source import Exclusion, Record, Source
from data.versions import verify
from domain.dataset import Sample, Split
from domain.errors import DigestMismatch, DistributionMissing, LeakageAcrossSplits, QualityCheckFailed
from domain.identifiers import sha256_of

Publish = Callable[..., tuple[Source, Path]]
Entries = list[tuple[Record, bytes]]


@pytest.fixture
def entries(record: Callable[..., Record], image: Callable[..., bytes]) -> Entries:
    return [
        (record(f"p{p:02d}-f{f}.png", patient=f"p{p:02d}", label=p % 2), image(f"{p}-{f}"))
        for p in range(40)
        for f in range(2)
    ]


def _all_bytes(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def _prepared(source: Source, mirror: Path, tmp_path: Path, *, name: str = "prepared") -> Path:
    raw, out = tmp_path / "raw", tmp_path / name
    obtain(source, mirror=mirror, raw=raw)
    prepare(source, raw=raw, out=out)
    return out


def _samples(prepared: Path) -> list[Sample]:
    return [Sample.model_validate(row) for row in pq.read_table(prepared / "samples.parquet").to_pylist()]


def test_preparing_twice_gives_the_same_bytes(published: Publish, entries: Entries, tmp_path: Path) -> None:
    source, mirror = published(entries)
    once = _all_bytes(_prepared(source, mirror, tmp_path, name="once"))
    assert once == _all_bytes(_prepared(source, mirror, tmp_path, name="twice"))
    assert {"samples.parquet", "dataset.json", "card.md", "shards/00000.tar"} == set(once)


def test_each_row_points_at_its_images_bytes(published: Publish, entries: Entries, tmp_path: Path) -> None:
    source, mirror = published(entries)
    prepared = _prepared(source, mirror, tmp_path)
    originals = {record.sample_id: data for record, data in entries}
    for sample in _samples(prepared):
        shard = (prepared / "shards" / sample.shard).read_bytes()
        image = shard[sample.offset : sample.offset + sample.length]
        assert image == originals[sample.sample_id]
        assert sha256_of(image) == sample.sha256


def test_several_shards_are_written_and_verified(
    published: Publish, entries: Entries, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("data.prepare.SHARD_BYTES", 40_000)
    source, mirror = published(entries)
    prepared = _prepared(source, mirror, tmp_path)
    assert len(list((prepared / "shards").iterdir())) > 2
    assert len(_samples(prepared)) == len(entries)
    verify(prepared)


def test_no_patient_stands_in_two_splits(published: Publish, entries: Entries, tmp_path: Path) -> None:
    source, mirror = published(entries)
    of: dict[str, set[Split]] = {}
    for sample in _samples(_prepared(source, mirror, tmp_path)):
        of.setdefault(sample.patient_key, set()).add(sample.split)
    assert all(len(splits) == 1 for splits in of.values())


def test_a_growing_dataset_moves_no_patient(
    published: Publish, entries: Entries, record: Callable[..., Record], image: Callable[..., bytes], tmp_path: Path
) -> None:
    source, mirror = published(entries)
    before = {s.sample_id: s.split for s in _samples(_prepared(source, mirror, tmp_path, name="before"))}
    more = [(record(f"n{k}.png", label=k % 2), image(f"new-{k}")) for k in range(30)]
    source, mirror = published(entries + more)
    (tmp_path / "raw" / "distribution.json").unlink()
    after = {s.sample_id: s.split for s in _samples(_prepared(source, mirror, tmp_path, name="after"))}
    assert len(after) == len(before) + 30
    assert all(after[sample_id] is part for sample_id, part in before.items())


def test_copies_under_two_patients_merge_them_and_are_counted(
    published: Publish, entries: Entries, record: Callable[..., Record], tmp_path: Path
) -> None:
    copy = (record("zz-copy.png", patient="somebody-else", label=0), entries[0][1])
    extra = (record("zz-other.png", patient="somebody-else", label=0), entries[0][1])
    source, mirror = published([*entries, copy, extra])
    prepared = _prepared(source, mirror, tmp_path)
    version = json.loads((prepared / "dataset.json").read_text())
    assert version["excluded"] == {"byte-identical copy": 2, "near-duplicate": 0}
    assert "merged because they share the same bytes: 1." in (prepared / "card.md").read_text()
    assert "somebody-else" not in {sample.patient_key for sample in _samples(prepared)}


def test_the_publishers_split_leaking_a_film_stops_the_stage_and_writes_nothing(
    published: Publish, record: Callable[..., Record], image: Callable[..., bytes], tmp_path: Path
) -> None:
    films = [
        (record("a.png", split=Split.TRAIN), image("same")), (record("b.png", split=Split.TEST), image("same")),
        (record("c.png", split=Split.TRAIN), image("c")),
    ]  # fmt: skip
    source, mirror = published(films)
    with pytest.raises(LeakageAcrossSplits):
        _prepared(source, mirror, tmp_path)
    assert not (tmp_path / "prepared").exists()


def test_a_listed_exclusion_resolves_the_leak_and_is_counted(
    published: Publish, record: Callable[..., Record], image: Callable[..., bytes], tmp_path: Path
) -> None:
    films = [
        (record("a.png", split=Split.TRAIN), image("same")), (record("b.png", split=Split.TEST), image("same")),
        (record("c.png", split=Split.TRAIN), image("c")),
    ]  # fmt: skip
    rule = Exclusion(reason="training copy of a test film", applies=lambda r: r.sample_id == "a.png")
    source, mirror = published(films, exclusions=(rule,))
    version = verify(_prepared(source, mirror, tmp_path))
    assert version.excluded["training copy of a test film"] == 1
    assert version.counts["test"]["samples"] == 1


def test_the_card_counts_the_way_from_the_films_considered_to_those_included(
    published: Publish, entries: Entries, record: Callable[..., Record], tmp_path: Path
) -> None:
    copy = (record("zz-copy.png", patient="p00"), entries[0][1])
    rule = Exclusion(reason="first film of patient 3", applies=lambda r: r.sample_id == "p03-f0.png")
    source, mirror = published([*entries, copy], exclusions=(rule,))
    card = (_prepared(source, mirror, tmp_path) / "card.md").read_text()
    flow = [
        "| considered | 81 |", "| excluded by rule: first film of patient 3 | 1 |",
        "| excluded as byte-identical copy | 1 |", "| excluded as near-duplicate | 0 |", "| included | 79 |",
    ]  # fmt: skip
    assert "\n".join(flow) in card


def test_the_card_of_a_source_without_rules_says_so(published: Publish, entries: Entries, tmp_path: Path) -> None:
    source, mirror = published(entries)
    assert "| excluded by rule (none stated) | 0 |" in (_prepared(source, mirror, tmp_path) / "card.md").read_text()


def test_the_card_counts_each_split_by_what_is_stated_of_its_films_and_names_what_is_not(
    published: Publish, entries: Entries, tmp_path: Path
) -> None:
    source, mirror = published(entries)
    prepared = _prepared(source, mirror, tmp_path)
    counts = json.loads((prepared / "dataset.json").read_text())["counts"]
    films = " | ".join(str(counts[split]["samples"]) for split in ("train", "tune", "test"))
    card = (prepared / "card.md").read_text()
    assert f"| films | training | tuning | test |\n|---|---:|---:|---:|\n| site: site | {films} |\n" in card
    assert "Stated for no film: view, age, sex." in card


def test_a_film_without_label_stops_the_stage_and_keeps_the_previous_version(
    published: Publish, entries: Entries, record: Callable[..., Record], image: Callable[..., bytes], tmp_path: Path
) -> None:
    source, mirror = published(entries)
    before = _all_bytes(_prepared(source, mirror, tmp_path))
    source, mirror = published([*entries, (record("new.png", label=None), image("new"))])
    (tmp_path / "raw" / "distribution.json").unlink()
    with pytest.raises(QualityCheckFailed, match=r"new\.png: no label"):
        _prepared(source, mirror, tmp_path)
    assert _all_bytes(tmp_path / "prepared") == before


def test_an_index_that_names_another_image_stops_the_stage(
    published: Publish, entries: Entries, record: Callable[..., Record], tmp_path: Path
) -> None:
    source, mirror = published([*entries, (record("p00-f0.png"), entries[0][1])])
    with pytest.raises(QualityCheckFailed, match=r"do not name the same images: p00-f0\.png"):
        _prepared(source, mirror, tmp_path)


def test_preparing_before_obtaining_says_what_to_do(published: Publish, entries: Entries, tmp_path: Path) -> None:
    source, _ = published(entries)
    with pytest.raises(DistributionMissing, match="Run the stage obtain first"):
        prepare(source, raw=tmp_path / "raw", out=tmp_path / "prepared")


@pytest.mark.parametrize("victim", ["samples.parquet", "shards/00000.tar", "dataset.json"])
def test_one_altered_byte_is_found(victim: str, published: Publish, entries: Entries, tmp_path: Path) -> None:
    source, mirror = published(entries)
    prepared = _prepared(source, mirror, tmp_path)
    verify(prepared)
    path = prepared / victim
    data = bytearray(path.read_bytes())
    at = data.find(b'"positives": ') + 13 if victim == "dataset.json" else len(data) // 2
    data[at] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(DigestMismatch):
        verify(prepared)


def test_a_shard_too_many_is_found(published: Publish, entries: Entries, tmp_path: Path) -> None:
    source, mirror = published(entries)
    prepared = _prepared(source, mirror, tmp_path)
    (prepared / "shards" / "00001.tar").write_bytes(b"")
    with pytest.raises(DigestMismatch, match=r"00001\.tar"):
        verify(prepared)
