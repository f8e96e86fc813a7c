"""Dataset versions: named by the digest of their manifest, frozen, with FDA's names for the splits."""

import pytest
from pydantic import ValidationError

from domain.dataset import DatasetVersion, Split
from domain.identifiers import sha256_of

VERSION = DatasetVersion(
    source="phantom_chest", distribution="generated", digest=sha256_of(b"manifest"), synthetic=True,
    counts={"train": {"samples": 3, "patients": 2, "positives": 1}}, excluded={"duplicate": 1}, shards={},
)  # fmt: skip


def test_the_name_carries_the_source_and_the_digest() -> None:
    assert VERSION.name == f"phantom_chest@{sha256_of(b'manifest')[:12]}"


def test_other_bytes_are_another_version() -> None:
    assert VERSION.model_copy(update={"digest": sha256_of(b"other")}).name != VERSION.name


def test_a_version_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        VERSION.synthetic = False


def test_the_splits_are_train_tune_and_test() -> None:
    assert [split.value for split in Split] == ["train", "tune", "test"]


def test_a_version_reads_back_from_its_own_json() -> None:
    assert DatasetVersion.model_validate_json(VERSION.model_dump_json()) == VERSION
