"""Training, tuning and test data, split by patient: a keyed hash decides, so a growing dataset moves nobody."""

import hashlib
import hmac
from collections.abc import Mapping, Sequence

from data.quality import Inspected
from data.source import SplitShares
from domain.dataset import Split
from domain.errors import LeakageAcrossSplits

KEY = b"fiducial split 1"  # another key would be another split: a change of the dataset version


def split_of(patient_key: str, *, shares: SplitShares, source: str) -> Split:
    """The split of a patient for whom the publisher gives none."""
    digest = hmac.new(KEY, f"{source}\0{patient_key}".encode(), hashlib.sha256).digest()
    position = int.from_bytes(digest[:8], "big") / 2**64
    if position < shares.test:
        return Split.TEST
    return Split.TUNE if position < shares.test + shares.tune else Split.TRAIN


def split(films: Sequence[Inspected], *, patients: Mapping[str, str], shares: SplitShares, source: str) -> list[Split]:
    """One split for each film. The publisher's test patients stay test; its training patients feed training and tuning.

    Raises:
        LeakageAcrossSplits: a patient, after merging, stands in the publisher's training and test data.
    """
    published = _published(films, patients=patients)
    chosen: list[Split] = []
    for film in films:
        patient = patients[film.record.patient_key]
        hashed = split_of(patient, shares=shares, source=source)
        given = published.get(patient)
        keep = given in (Split.TEST, Split.TUNE) or (given is Split.TRAIN and hashed is Split.TEST)
        chosen.append(given if given is not None and keep else hashed)
    return chosen


def _published(films: Sequence[Inspected], *, patients: Mapping[str, str]) -> dict[str, Split]:
    published: dict[str, Split] = {}
    for film in films:
        if film.record.published_split is None:
            continue
        patient = patients[film.record.patient_key]
        if published.setdefault(patient, film.record.published_split) is not film.record.published_split:
            raise LeakageAcrossSplits(
                f"A patient of {film.record.sample_id} stands in two of the publisher's splits.",
                next_step="Exclude the training films of that patient in the source's file.",
            )
    return published
