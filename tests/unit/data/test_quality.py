"""Quality checks: a film that cannot be trusted stops the stage, and is named."""

from collections.abc import Callable

import numpy as np
import pytest

from data.quality import inspect_all
from data.source import Film, Record
from domain.errors import QualityCheckFailed


def _failure(*films: tuple[Record, bytes]) -> str:
    with pytest.raises(QualityCheckFailed) as failure:
        inspect_all([Film(record=record, read=lambda data=data: data) for record, data in films], min_side_px=32)
    return str(failure.value)


def test_a_truncated_film_is_named_as_corrupt(record: Callable[..., Record], image: Callable[..., bytes]) -> None:
    message = _failure((record("good"), image("a")), (record("bad"), image("b")[:-300]))
    assert "bad: corrupt" in message
    assert "good" not in message


def test_bytes_that_are_no_image_are_named_as_corrupt(record: Callable[..., Record]) -> None:
    assert "bad: corrupt" in _failure((record("bad"), b"not an image"))


def test_a_film_below_the_smallest_side_is_named(record: Callable[..., Record], image: Callable[..., bytes]) -> None:
    assert "small: wrong size (16 × 16)" in _failure((record("small"), image("a", side=16)))


def test_a_film_without_label_is_named(record: Callable[..., Record], image: Callable[..., bytes]) -> None:
    assert "unlabelled: no label" in _failure((record("unlabelled", label=None), image("a")))


def test_a_label_that_is_neither_0_nor_1_is_none(record: Callable[..., Record], image: Callable[..., bytes]) -> None:
    assert "two: no label" in _failure((record("two", label=2), image("a")))


def test_a_blank_film_is_named(record: Callable[..., Record], encode: Callable[[np.ndarray], bytes]) -> None:
    assert "grey: blank" in _failure((record("grey"), encode(np.full((64, 64), 90, dtype=np.uint8))))


def test_a_sample_id_used_twice_is_named(record: Callable[..., Record], image: Callable[..., bytes]) -> None:
    assert "the same sample id twice" in _failure((record("a"), image("a")), (record("a"), image("b")))


def test_a_long_list_is_cut_and_its_length_stated(record: Callable[..., Record]) -> None:
    message = _failure(*((record(f"film-{k}"), b"no") for k in range(50)))
    assert message.startswith("50 films fail")
    assert "and 30 more" in message


def test_an_empty_cohort_is_refused() -> None:
    assert "No film is left" in _failure()
