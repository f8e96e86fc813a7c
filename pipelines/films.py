"""Films of a prepared dataset version, as a hospital would send them: encoded bytes with declared attributes."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq

from domain.dataset import Sample, Split
from domain.identifiers import sha256_of
from pipelines.facade import Film

_SUFFIX = {b"\x89PNG": "png", b"\xff\xd8\xff\xe0": "jpeg"}


def samples(prepared: Path, split: Split) -> list[Sample]:
    """Rows of one split, in an order that has nothing to do with label or patient: by the image's digest."""
    rows = pq.read_table(prepared / "samples.parquet", filters=[("split", "=", split.value)]).to_pylist()
    return sorted((Sample.model_validate(row) for row in rows), key=lambda sample: sample.sha256)


def films(prepared: Path, chosen: list[Sample]) -> Iterator[Film]:
    """The films of the chosen samples; the patient travels under the source's key, as a hospital's number would."""
    for sample in chosen:
        with (prepared / "shards" / sample.shard).open("rb") as shard:
            shard.seek(sample.offset)
            content = shard.read(sample.length)
        stated = {
            "patient_id": sample.patient_key,
            "site": sample.site,
            "modality": "DX",
            "body_part_examined": "CHEST",
            "view_position": sample.view_position,
            "age_years": None if sample.age_years is None else f"{sample.age_years:g}",
            "sex": sample.sex,
        }
        name = f"{sha256_of(content)[:12]}.{_SUFFIX.get(content[:4], 'jpeg')}"
        yield Film(name, content, {key: value for key, value in stated.items() if value})
