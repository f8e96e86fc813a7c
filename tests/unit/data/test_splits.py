"""Splits: by patient, kept when the dataset grows, the publisher's test set untouched."""

from collections.abc import Callable

import pytest

from data.quality import Inspected
from data.source import SplitShares
from data.splits import split, split_of
from domain.dataset import Split
from domain.errors import LeakageAcrossSplits

SHARES = SplitShares(tune=0.15, test=0.2)
Inspect = Callable[..., list[Inspected]]


def test_the_split_of_a_patient_depends_on_nobody_else() -> None:
    # Written out: a change of key or rule moves patients between training and test, and must not pass unseen.
    fixed = " ".join(split_of(f"p{k}", shares=SHARES, source="s") for k in range(1, 13))
    assert fixed == "test test train train train test train train train train train train"


def test_shares_are_met_to_within_sampling_error() -> None:
    found = [split_of(f"patient-{k}", shares=SHARES, source="s") for k in range(20_000)]
    assert found.count(Split.TUNE) / len(found) == pytest.approx(0.15, abs=0.01)
    assert found.count(Split.TEST) / len(found) == pytest.approx(0.20, abs=0.01)


def test_another_source_splits_the_same_keys_otherwise() -> None:
    keys = [f"patient-{k}" for k in range(500)]
    assert [split_of(k, shares=SHARES, source="a") for k in keys] != [
        split_of(k, shares=SHARES, source="b") for k in keys
    ]


def test_an_external_source_is_all_test() -> None:
    shares = SplitShares(tune=0.0, test=1.0)
    assert {split_of(f"patient-{k}", shares=shares, source="s") for k in range(1000)} == {Split.TEST}


def test_all_films_of_a_patient_stand_in_one_split(inspected: Inspect, image: Callable[..., bytes]) -> None:
    films = inspected(*((f"{p}-{f}", f"p{p}", image(f"{p}-{f}")) for p in range(30) for f in range(3)))
    patients = {film.record.patient_key: film.record.patient_key for film in films}
    chosen = split(films, patients=patients, shares=SHARES, source="s")
    assert all(len(set(chosen[k : k + 3])) == 1 for k in range(0, len(films), 3))
    assert set(chosen) == set(Split)


def test_the_publishers_test_set_is_kept_and_its_training_set_never_becomes_test(
    inspected: Inspect, image: Callable[..., bytes]
) -> None:
    theirs = inspected(*((f"t{k}", f"t{k}", image(f"t{k}")) for k in range(20)), split=Split.TEST)
    ours = inspected(*((f"d{k}", f"d{k}", image(f"d{k}")) for k in range(40)), split=Split.TRAIN)
    films = theirs + ours
    patients = {film.record.patient_key: film.record.patient_key for film in films}
    chosen = split(films, patients=patients, shares=SHARES, source="s")
    assert set(chosen[:20]) == {Split.TEST}
    assert set(chosen[20:]) == {Split.TRAIN, Split.TUNE}


def test_a_merged_patient_in_two_published_splits_stops_the_stage(
    inspected: Inspect, image: Callable[..., bytes]
) -> None:
    films = inspected(("a", "p1", image("a")), split=Split.TRAIN) + inspected(("b", "p2", image("b")), split=Split.TEST)
    with pytest.raises(LeakageAcrossSplits, match="two of the publisher's splits"):
        split(films, patients={"p1": "p1", "p2": "p1"}, shares=SHARES, source="s")
