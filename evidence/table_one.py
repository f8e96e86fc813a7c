"""Table 1: who the samples of each split are (CLAIM 2024, item on the demographics of each partition)."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from domain.dataset import Sample
from evidence.record import TableOne, TableOneRow
from evidence.scored_set import NOT_STATED, age_band, stratum_order

FINDING = ("absent", "present")
GROUPS: tuple[tuple[str, Callable[[Sample], str]], ...] = (
    ("finding", lambda sample: FINDING[sample.label]),
    ("sex", lambda sample: sample.sex or NOT_STATED),
    ("age", lambda sample: age_band(sample.age_years)),
    ("view", lambda sample: sample.view_position or NOT_STATED),
    ("site", lambda sample: sample.site),
    ("subtype", lambda sample: sample.subtype or NOT_STATED),
)


def table_one(splits: Mapping[str, Sequence[Sample]]) -> TableOne:
    """Counts of samples by characteristic, a column for each entry in its order ("train", "tune", "test", "external:
    <source>"); one patient may stand in several rows where their samples differ.
    """
    return TableOne(
        columns=tuple(splits),
        samples=tuple(len(samples) for samples in splits.values()),
        patients=tuple(len({sample.patient_key for sample in samples}) for samples in splits.values()),
        rows=tuple(row for group, of in GROUPS for row in _rows(group, of, splits)),
    )


def _rows(group: str, of: Callable[[Sample], str], splits: Mapping[str, Sequence[Sample]]) -> tuple[TableOneRow, ...]:
    counted = [Counter(of(sample) for sample in samples) for samples in splits.values()]
    values = {value for counts in counted for value in counts}
    ordered = FINDING if group == "finding" else sorted(values, key=stratum_order)
    return tuple(
        TableOneRow(group=group, value=value, counts=tuple(counts[value] for counts in counted)) for value in ordered
    )
