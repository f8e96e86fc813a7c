"""What every phantom source shares: writing the generated distribution and reading it back."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from data.archives import Row, TarWriter, indexed_tar, text_or_none
from data.phantoms.cohort import Cohort, entries
from data.source import Film, Opacity, Record, Source, SplitShares

COLUMNS = ("path", "patient_key", "label", "subtype", "site", "view", "age_years", "sex", "opacities")


class PhantomSource(Source):
    """A source whose one distribution is drawn by ``data/phantoms``."""

    cohort: ClassVar[Cohort]
    shares: ClassVar[SplitShares] = SplitShares(tune=0.15, test=0.22)
    min_side_px: ClassVar[int] = 64

    def generate(self, raw: Path) -> None:
        """Draw all films and write them with their index."""
        tar_name = f"images_{self.cohort.size_px}.tar"
        with (
            (raw / tar_name).open("wb") as images,
            (raw / "index.csv").open("w", newline="", encoding="utf-8") as index,
        ):
            writer = csv.DictWriter(index, COLUMNS, lineterminator="\n")
            writer.writeheader()
            tar = TarWriter(images)
            for record, image in entries(self.cohort):
                tar.add(f"{record.sample_id}.png", image)
                writer.writerow(_row(record))
            tar.close()

    def films(self, raw: Path, *, distribution: str) -> Iterator[Film]:
        """The generated films."""
        for row, read in indexed_tar(raw, tar=f"images_{self.cohort.size_px}.tar"):
            yield Film(record=_record(row), read=read)


def _row(record: Record) -> dict[str, str | int | float | None]:
    places = (f"{o.x_px}:{o.y_px}:{o.radius_x_px}:{o.radius_y_px}" for o in record.opacities)
    return {
        "path": f"{record.sample_id}.png", "patient_key": record.patient_key, "label": record.label,
        "subtype": record.subtype, "site": record.site, "view": record.view_position, "age_years": record.age_years,
        "sex": record.sex, "opacities": " ".join(places),
    }  # fmt: skip


def _record(row: Row) -> Record:
    return Record(
        sample_id=row["path"].removesuffix(".png"),
        patient_key=row["patient_key"],
        label=int(row["label"]) if row["label"] else None,
        subtype=text_or_none(row["subtype"]),
        site=row["site"],
        view_position=text_or_none(row["view"]),
        age_years=float(row["age_years"]),
        sex=text_or_none(row["sex"]),
        opacities=tuple(_opacity(place) for place in row["opacities"].split()),
    )


def _opacity(place: str) -> Opacity:
    x, y, radius_x, radius_y = (float(part) for part in place.split(":"))
    return Opacity(x_px=x, y_px=y, radius_x_px=radius_x, radius_y_px=radius_y)
