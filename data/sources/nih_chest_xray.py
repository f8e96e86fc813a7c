"""Chest films of the NIH Clinical Center, mostly adults (Wang et al. 2017): an external set, never trained on."""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from pydantic import HttpUrl

from data.archives import indexed_tar, text_or_none
from data.source import Exclusion, Film, Record, Source, SplitShares
from domain.dataset import Distribution, File, SourceCard
from domain.identifiers import Sha256


class NihChestXray(Source):
    """545 films of 370 patients, 46 of them films of patients under 18."""

    shares: ClassVar[SplitShares] = SplitShares(tune=0.0, test=1.0)
    min_side_px: ClassVar[int] = 96
    exclusions = (
        Exclusion(reason="not a frontal view (AP or PA)", applies=lambda r: r.view_position not in ("AP", "PA")),
    )
    card = SourceCard(
        name="nih_chest_xray",
        title="NIH Clinical Center chest X-rays: no finding and pneumonia, a selection",
        synthetic=False,
        licence=(
            "Free to use with a link to the publisher, the citation, and an acknowledgement of the NIH Clinical Center "
            "as the data provider"
        ),
        citation=(
            "Wang X, Peng Y, Lu L, Lu Z, Bagheri M, Summers RM. ChestX-ray8: Hospital-scale Chest X-ray Database and "
            "Benchmarks on Weakly-Supervised Classification and Localization of Common Thorax Diseases. "
            "IEEE CVPR 2017, pp. 3462-3471. Data provided by the NIH Clinical Center."
        ),
        homepage=HttpUrl("https://nihcc.app.box.com/v/ChestXray-NIHCC"),
        reference_standard="Text-mined from radiology reports (weak labels); positive: the word list names pneumonia.",
        population="In- and outpatients of the NIH Clinical Center, mostly adults; AP and PA films, with age and sex.",
        known_flaws=(
            "The labels are text-mined and often wrong.",
            "The two classes were sampled differently: a linear model on thumbnails tells them apart. Report "
            "performance here only with that caveat, and never train on it.",
            "46 films are of patients under 18; most are of adults, unlike the films of children a task may be for.",
            "Films come as 8-bit PNG, already windowed.",
        ),
        use="external",
        distributions=(
            Distribution(
                name="mirror-320",
                files=(
                    File(
                        name="images_320.tar",
                        sha256=Sha256("f7980a6ac07f0143f1d743bbe2eac07a9dc4b41538b6a5758fb3b89ccc7b21f2"),
                    ),
                    File(
                        name="index.csv",
                        sha256=Sha256("bb27bc2aa9e1b9adaffeda0e315af1c5269d3f8d219b5f3098fd6aec6f5d2251"),
                    ),
                ),
                note=(
                    "Recompressed mirror of a selection: 545 films at 320 × 320 pixels. The publisher offers only the "
                    "whole set of 112,120 films (homepage above), so this selection cannot be fetched."
                ),
            ),
        ),
    )

    def films(self, raw: Path, *, distribution: str) -> Iterator[Film]:
        """The films of the mirror."""
        for row, read in indexed_tar(raw, tar="images_320.tar"):
            findings = frozenset(filter(None, row["finding_labels"].split("|")))
            record = Record(
                sample_id=row["path"].removesuffix(".png"),
                patient_key=f"nih-{row['patient_id']}",
                label=int("Pneumonia" in findings) if findings else None,
                site="nih-clinical-center",
                view_position=text_or_none(row["view"]),
                age_years=float(row["age_years"]) if row["age_years"] else None,
                sex=text_or_none(row["sex"]),
            )
            yield Film(record=record, read=read)


SOURCE = NihChestXray()
