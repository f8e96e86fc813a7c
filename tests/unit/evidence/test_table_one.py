"""Table 1 counts who the samples of each split are."""

from collections.abc import Callable
from typing import Any

import pytest

from domain.dataset import Sample, Split
from domain.identifiers import sha256_of
from evidence.record import TableOne
from evidence.scored_set import NOT_STATED
from evidence.table_one import table_one


@pytest.fixture(scope="module")
def sample() -> Callable[..., Sample]:
    def make(name: str, **changes: Any) -> Sample:
        stated = {
            "sample_id": name, "patient_key": name, "split": Split.TRAIN, "label": 0, "site": "a",
            "sha256": sha256_of(b"film"), "shard": "0.tar", "offset": 0, "length": 1, "rows": 8, "columns": 8,
        }  # fmt: skip
        return Sample.model_validate({**stated, **changes})

    return make


def counts(table: TableOne, group: str) -> dict[str, tuple[int, ...]]:
    return {row.value: row.counts for row in table.rows if row.group == group}


def test_each_characteristic_adds_up_to_the_samples_of_each_column(sample: Callable[..., Sample]) -> None:
    train = [
        sample("1", sex="F", age_years=1.0),
        sample("2", label=1, subtype="virus", age_years=70.0, patient_key="1"),
    ]
    table = table_one({"train": train, "external: elsewhere": [sample("3", sex="M", site="b", view_position="PA")]})
    assert (table.columns, table.samples, table.patients) == (("train", "external: elsewhere"), (2, 1), (1, 1))
    for group in ("finding", "sex", "age", "view", "site", "subtype"):
        assert tuple(sum(column) for column in zip(*counts(table, group).values(), strict=True)) == (2, 1)
    assert counts(table, "finding") == {"absent": (1, 1), "present": (1, 0)}
    assert counts(table, "site") == {"a": (2, 0), "b": (0, 1)}


def test_ages_stand_in_the_order_of_life_and_what_is_not_stated_last(sample: Callable[..., Sample]) -> None:
    ages = (70.0, None, 1.0, 15.0, 5.0)
    table = table_one({"test": [sample(str(i), age_years=age) for i, age in enumerate(ages)]})
    assert list(counts(table, "age")) == ["under 2 years", "2–11 years", "12–17 years", "65 years and over", NOT_STATED]


def test_a_split_without_samples_counts_zero(sample: Callable[..., Sample]) -> None:
    table = table_one({"train": [sample("1")], "tune": []})
    assert table.samples == (1, 0)
    assert all(row.counts[1] == 0 for row in table.rows)
    assert table_one({}).columns == ()
