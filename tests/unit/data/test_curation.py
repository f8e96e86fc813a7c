"""Curation: who is in the cohort."""

from collections.abc import Callable

from data.curation import curate
from data.source import Exclusion, Film, Record


def test_each_exclusion_is_counted_under_the_first_rule_that_applies(record: Callable[..., Record]) -> None:
    films = [Film(record=record(name, label=label), read=lambda: b"") for name, label in (("a", 0), ("b", 1), ("c", 1))]
    rules = (
        Exclusion(reason="named c", applies=lambda r: r.sample_id == "c"),
        Exclusion(reason="has the finding", applies=lambda r: r.label == 1),
        Exclusion(reason="never", applies=lambda r: False),
    )
    kept, counts = curate(films, exclusions=rules)
    assert [film.record.sample_id for film in kept] == ["a"]
    assert counts == {"named c": 1, "has the finding": 1, "never": 0}
