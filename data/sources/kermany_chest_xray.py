"""Chest films of children in Guangzhou, normal or with pneumonia (Kermany, Zhang, Goldbaum 2018)."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from pydantic import HttpUrl

from data.archives import indexed_tar, zip_images
from data.source import Film, Record, Source, SplitShares
from domain.dataset import Distribution, File, SourceCard, Split
from domain.errors import QualityCheckFailed
from domain.identifiers import Sha256

# The publisher's file names: train/NORMAL/IM-0637-0001.jpeg, train/NORMAL/NORMAL2-IM-1090-0001.jpeg,
# test/PNEUMONIA/person39_virus_85.jpeg. The number after "person" counts patients anew for bacteria, virus and split.
NORMAL = re.compile(r"(?P<split>train|test)/NORMAL/(?P<patient>(?:NORMAL2-)?IM-\d+)(?:-\d+)+\.jpeg")
PNEUMONIA = re.compile(
    r"(?P<split>train|test)/PNEUMONIA/person(?P<patient>\d+)_(?P<subtype>bacteria|virus)(?:_\d+)+\.jpeg"
)


class KermanyChestXray(Source):
    """5,840 films; the publisher's test set is kept."""

    shares: ClassVar[SplitShares] = SplitShares(tune=0.15, test=0.0)
    min_side_px: ClassVar[int] = 96
    card = SourceCard(
        name="kermany_chest_xray",
        title="Chest X-ray images of children, normal and pneumonia",
        synthetic=False,
        licence="CC BY 4.0",
        citation=(
            "Kermany D, Zhang K, Goldbaum M. Labeled Optical Coherence Tomography (OCT) and Chest X-Ray Images for "
            "Classification. Mendeley Data, v2, 2018, doi:10.17632/rscbjbr9sj.2. "
            "Kermany DS et al. Cell 2018; 172(5):1122-1131."
        ),
        homepage=HttpUrl("https://data.mendeley.com/datasets/rscbjbr9sj/2"),
        reference_standard=(
            "Two expert physicians graded each film after low-quality films were removed; "
            "a third expert checked the publisher's evaluation set."
        ),
        population=(
            "Children of 1 to 5 years, routine care, Guangzhou Women and Children's Medical Center; "
            "anterior-posterior films. Neither age nor sex is given for a film."
        ),
        known_flaws=(
            "30 groups of byte-identical films (32 copies), 6 of the copies in the test set, one group under two "
            "patient keys, none across splits or labels.",
            "No age and no sex per film: results by these subgroups are impossible.",
            "The publisher's test set differs in acquisition from its training set: tuning AUROC is near 0.99 while "
            "test is 0.93 to 0.97.",
            "A threshold of 0.5 gives a poor specificity on the test set: choose it deliberately, on tuning data.",
            "Patients are known from file names alone; the same child may stand under a bacterial and a viral number.",
            "Films come as JPEG, already windowed; their bit depth and exposure are lost.",
        ),
        use="development",
        distributions=(
            Distribution(
                name="mirror-224",
                files=(
                    File(
                        name="images_224.tar",
                        sha256=Sha256("51e32b5a4e27af8975de9c458030568b5b0f297d5cc5ffc39a66eacac5b0a2dc"),
                    ),
                    File(
                        name="index.csv",
                        sha256=Sha256("e0ca8ea0978702d954d499677d16411f846c62a644898a8b7181d6bff246af31"),
                    ),
                ),
                note="Recompressed mirror: the publisher's train and test folders at 224 × 224 pixels.",
            ),
            Distribution(
                name="publisher-v2",
                files=(
                    File(
                        name="ChestXRay2017.zip",
                        sha256=None,
                        url=HttpUrl(
                            "https://data.mendeley.com/public-files/datasets/rscbjbr9sj/files/"
                            "f12eaf6d-6023-432f-acc9-80c9d7393433/file_downloaded"
                        ),
                    ),
                ),
                note=(
                    "The publisher's original, full-size JPEG, about 1.2 GB. We have not seen its bytes, so no digest "
                    "is recorded: take the SHA-256 from the publisher and give it to fetch."
                ),
            ),
        ),
    )

    def films(self, raw: Path, *, distribution: str) -> Iterator[Film]:
        """The films of either distribution; both keep the publisher's file names, from which all is read."""
        if distribution == "publisher-v2":
            for name, read in zip_images(raw / "ChestXRay2017.zip", suffix=".jpeg"):
                yield Film(record=record_of(name.removeprefix("chest_xray/")), read=read)
            return
        for row, read in indexed_tar(raw, tar="images_224.tar"):
            yield Film(record=record_of(row["path"]), read=read)


def record_of(path: str) -> Record:
    """All that the publisher's file name tells.

    Raises:
        QualityCheckFailed: the name is none of the publisher's.
    """
    match = NORMAL.fullmatch(path) or PNEUMONIA.fullmatch(path)
    if match is None:
        raise QualityCheckFailed(f"The file name {path} follows none of the publisher's patterns.")
    found = match.groupdict()
    subtype = found.get("subtype", "normal")
    return Record(
        sample_id=path.removesuffix(".jpeg"),
        patient_key=f"{found['split']}-{subtype}-{found['patient']}",
        label=int(subtype != "normal"),
        subtype=subtype,
        site="guangzhou-wcmc",
        view_position="AP",
        published_split=Split(found["split"]),
    )


SOURCE = KermanyChestXray()
