"""From a source's files to a dataset version: curation, quality, duplicates, split by patient, shards and manifest."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from data.archives import TarWriter
from data.card import render
from data.curation import curate
from data.duplicates import merged_patients, near_pairs, without_duplicates
from data.folders import written_whole
from data.obtain import file_digest, verified
from data.quality import Inspected, inspect_all
from data.source import Source
from data.splits import split
from domain.dataset import DatasetVersion, Sample, Split
from domain.identifiers import Sha256

SHARD_BYTES = 64 << 20
SAMPLES, OPACITIES, SHARDS, VERSION, CARD = "samples.parquet", "opacities.parquet", "shards", "dataset.json", "card.md"

SAMPLE_SCHEMA = pa.schema(
    [
        pa.field("sample_id", pa.string(), nullable=False), pa.field("patient_key", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False), pa.field("label", pa.int8(), nullable=False),
        pa.field("subtype", pa.string()), pa.field("site", pa.string(), nullable=False),
        pa.field("view_position", pa.string()), pa.field("age_years", pa.float64()), pa.field("sex", pa.string()),
        pa.field("sha256", pa.string(), nullable=False), pa.field("shard", pa.string(), nullable=False),
        pa.field("offset", pa.int64(), nullable=False), pa.field("length", pa.int64(), nullable=False),
        pa.field("rows", pa.int32(), nullable=False), pa.field("columns", pa.int32(), nullable=False),
    ]
)  # fmt: skip
OPACITY_SCHEMA = pa.schema(
    [pa.field("sample_id", pa.string(), nullable=False)]
    + [pa.field(name, pa.float64(), nullable=False) for name in ("x_px", "y_px", "radius_x_px", "radius_y_px")]
)


def prepare(source: Source, *, raw: Path, out: Path) -> DatasetVersion:
    """Build the dataset version in ``out``, whole or not at all; the same files give the same bytes.

    Raises:
        DistributionMissing, DigestMismatch: the files in ``raw`` are not those of a known distribution.
        QualityCheckFailed: films are corrupt, of the wrong size or without a label.
        LeakageAcrossSplits: the same film or patient stands in two splits.
    """
    distribution = verified(source, raw=raw)
    films, excluded = curate(source.films(raw, distribution=distribution), exclusions=source.exclusions)
    inspected = inspect_all(sorted(films, key=lambda f: f.record.sample_id), min_side_px=source.min_side_px)
    patients = merged_patients(inspected)
    splits = split(inspected, patients=patients, shares=source.shares, source=source.name)
    kept, copies = without_duplicates(inspected, splits=splits, pairs=near_pairs(inspected))
    with written_whole(out) as fresh:
        samples = _write_shards(
            [inspected[k] for k in kept],
            splits=[splits[k] for k in kept],
            patients=patients,
            folder=fresh / SHARDS,
        )
        _write_table(fresh / SAMPLES, [sample.model_dump(mode="json") for sample in samples], schema=SAMPLE_SCHEMA)
        if source.card.synthetic:
            _write_table(fresh / OPACITIES, _opacities([inspected[k] for k in kept]), schema=OPACITY_SCHEMA)
        version = DatasetVersion(
            source=source.name,
            distribution=distribution,
            digest=file_digest(fresh / SAMPLES),
            synthetic=source.card.synthetic,
            counts=counts_of(samples),
            excluded={**excluded, **copies},
            shards={path.name: file_digest(path) for path in sorted((fresh / SHARDS).iterdir())},
        )
        (fresh / VERSION).write_text(version.model_dump_json(indent=2) + "\n", encoding="utf-8")
        merged = len(patients) - len(set(patients.values()))
        rules = [exclusion.reason for exclusion in source.exclusions]
        card = render(source.card, version=version, samples=samples, rules=rules, merged=merged)
        (fresh / CARD).write_text(card, encoding="utf-8")
    return version


def counts_of(samples: Sequence[Sample]) -> dict[str, dict[str, int]]:
    """Samples, patients and positives in each split."""
    counts: dict[str, dict[str, int]] = {}
    for part in Split:
        inside = [sample for sample in samples if sample.split is part]
        counts[part.value] = {
            "samples": len(inside),
            "patients": len({sample.patient_key for sample in inside}),
            "positives": sum(sample.label for sample in inside),
        }
    return counts


def _write_shards(
    films: Sequence[Inspected], *, splits: Sequence[Split], patients: dict[str, str], folder: Path
) -> list[Sample]:
    folder.mkdir()
    samples: list[Sample] = []
    remaining = list(zip(films, splits, strict=True))
    while remaining:
        name, start = f"{len(list(folder.iterdir())):05d}.tar", len(samples)
        with (folder / name).open("wb") as file:
            tar = TarWriter(file)
            for film, part in remaining:
                if file.tell() > SHARD_BYTES:
                    break
                member = f"{film.record.sample_id.replace('/', '__')}.{film.suffix}"
                place = tar.add(member, film.film.read())
                samples.append(_sample(film, split=part, patients=patients, shard=name, place=place))
            tar.close()
        remaining = remaining[len(samples) - start :]
    return samples


def _sample(film: Inspected, *, split: Split, patients: dict[str, str], shard: str, place: tuple[int, int]) -> Sample:
    record = film.record
    return Sample(
        sample_id=record.sample_id, patient_key=patients[record.patient_key], split=split, label=record.label or 0,
        subtype=record.subtype, site=record.site, view_position=record.view_position, age_years=record.age_years,
        sex=record.sex, sha256=Sha256(film.sha256), shard=shard, offset=place[0], length=place[1],
        rows=film.rows, columns=film.columns,
    )  # fmt: skip


def _opacities(films: Sequence[Inspected]) -> list[dict[str, object]]:
    return [
        {"sample_id": film.record.sample_id, **opacity.model_dump()}
        for film in films
        for opacity in film.record.opacities
    ]


def _write_table(path: Path, rows: list[dict[str, object]], *, schema: pa.Schema) -> None:
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path, compression="zstd")
