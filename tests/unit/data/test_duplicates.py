"""Duplicates: the same film is found however it was exported, different films are kept apart."""

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from data.duplicates import merged_patients, near_pairs, without_duplicates
from data.quality import Inspected
from domain.dataset import Split
from domain.errors import LeakageAcrossSplits, QualityCheckFailed

Inspect = Callable[..., list[Inspected]]


def _jpeg(pixels: np.ndarray, *, quality: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


RE_EXPORTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "darker": lambda p: (p.astype(np.uint16) * 3 // 4).astype(np.uint8),
    "windowed": lambda p: np.clip((p.astype(np.float32) - 20) * 1.2, 0, 255).astype(np.uint8),
    "gamma": lambda p: np.rint(255 * (p / 255.0) ** 1.4).astype(np.uint8),
    "half size": lambda p: np.asarray(Image.fromarray(p).resize((p.shape[1] // 2, p.shape[0] // 2))),
}


@pytest.mark.parametrize("how", sorted(RE_EXPORTS))
def test_a_re_export_is_found(
    how: str, inspected: Inspect, pixels: Callable[..., np.ndarray], encode: Callable[..., bytes]
) -> None:
    original = pixels("one", side=128)
    films = inspected(("a", "p", encode(original)), ("b", "p", encode(RE_EXPORTS[how](original))))
    assert [(pair.first, pair.second) for pair in near_pairs(films)] == [(0, 1)]


def test_a_recompressed_film_is_found(
    inspected: Inspect, pixels: Callable[..., np.ndarray], encode: Callable[..., bytes]
) -> None:
    original = pixels("one", side=128)
    films = inspected(("a", "p", encode(original)), ("b", "p", _jpeg(original, quality=30)))
    assert len(near_pairs(films)) == 1


def test_different_films_and_the_negative_are_no_duplicates(
    inspected: Inspect, pixels: Callable[..., np.ndarray], encode: Callable[..., bytes]
) -> None:
    pictures = [encode(pixels(name)) for name in "abcdefgh"] + [encode(255 - pixels("a"))]
    assert near_pairs(inspected(*((str(k), str(k), data) for k, data in enumerate(pictures)))) == []


def test_pairs_are_found_across_the_blocks_of_the_search(
    inspected: Inspect, image: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("data.duplicates.ROWS_AT_ONCE", 3)
    names = ["a", "b", "c", "d", "e", "a", "f", "d"]
    films = inspected(*((str(k), str(k), image(name)) for k, name in enumerate(names)))
    assert sorted((pair.first, pair.second) for pair in near_pairs(films)) == [(0, 5), (3, 7)]


def test_patients_who_share_bytes_become_one_through_any_chain(inspected: Inspect, image: Callable[..., bytes]) -> None:
    films = inspected(
        ("1", "p3", image("x")), ("2", "p2", image("x")), ("3", "p2", image("y")), ("4", "p1", image("y")),
        ("5", "p9", image("z")),
    )  # fmt: skip
    assert merged_patients(films) == {"p1": "p1", "p2": "p1", "p3": "p1", "p9": "p9"}


def test_the_same_bytes_with_two_labels_stop_the_stage(inspected: Inspect, image: Callable[..., bytes]) -> None:
    films = inspected(("1", "p", image("x")), label=0) + inspected(("2", "p", image("x")), label=1)
    with pytest.raises(QualityCheckFailed, match="1 and 2 are the same bytes with different labels"):
        merged_patients(films)


def test_copies_within_a_split_are_excluded_and_counted(
    inspected: Inspect, image: Callable[..., bytes], pixels: Callable[..., np.ndarray], encode: Callable[..., bytes]
) -> None:
    lighter = encode(RE_EXPORTS["darker"](pixels("x")))
    films = inspected(("1", "p", image("x")), ("2", "p", image("x")), ("3", "p", lighter), ("4", "q", image("y")))
    kept, counts = without_duplicates(films, splits=[Split.TRAIN] * 4, pairs=near_pairs(films))
    assert kept == [0, 3]
    assert counts == {"byte-identical copy": 1, "near-duplicate": 1}


def test_a_near_duplicate_in_another_split_stops_the_stage_and_names_both(
    inspected: Inspect, image: Callable[..., bytes], pixels: Callable[..., np.ndarray], encode: Callable[..., bytes]
) -> None:
    films = inspected(("mine", "p", image("x")), ("theirs", "q", encode(RE_EXPORTS["gamma"](pixels("x")))))
    with pytest.raises(LeakageAcrossSplits, match=r"mine \(train\) and theirs \(test\)"):
        without_duplicates(films, splits=[Split.TRAIN, Split.TEST], pairs=near_pairs(films))
