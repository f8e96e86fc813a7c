"""The two windows that are compared: the reference, from the test-set predictions, and the current one, from feature
rows.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from domain.drift import IMAGE_FEATURES, FeatureRow
from domain.errors import DataProblem, NotEstimable

FEATURE, EMBEDDING = "feature.", "embedding."
PROBABILITY, FINDING, PATIENT = "probability", "finding_present", "patient_key"
FEATURE_COLUMNS = tuple(f"{FEATURE}{name}" for name in IMAGE_FEATURES)


def reference_from_predictions(path: Path, *, split: str = "test", one_per_patient: bool = True) -> pd.DataFrame:
    """The reference window: the predictions table of a validated model version, test set only.

    One film per patient, the first by ``sample_id``: films of one patient resemble each other, and a two-sample test
    that takes them for independent raises false alarms several times too often (docs/adr/0007-drift-test.md).

    Raises:
        DataProblem: the table lacks a column or has no row of that split.
    """
    table = pd.read_parquet(path)
    missing = {"split", PATIENT, "sample_id", PROBABILITY, FINDING, *FEATURE_COLUMNS} - set(table.columns)
    if missing:
        raise DataProblem(
            f"The predictions table lacks {', '.join(sorted(missing))}.", next_step="Validate the task again."
        )
    chosen = table[table["split"] == split].sort_values("sample_id", kind="stable")
    if chosen.empty:
        raise DataProblem(
            f"The predictions table has no row of the split {split!r}.", next_step="Validate the task again."
        )
    if one_per_patient:
        chosen = chosen.drop_duplicates(PATIENT)
    return chosen[[PATIENT, *_measured(chosen)]].reset_index(drop=True)


def current_from_rows(rows: Sequence[FeatureRow]) -> pd.DataFrame:
    """The current window, one row per scored image, with the same columns as the reference but for the patient.

    Raises:
        NotEstimable: a row lacks an image feature, or the embeddings differ in length (two model versions in one
        window).
    """
    lengths = {len(row.embedding) for row in rows}
    if len(lengths) > 1:
        raise NotEstimable(
            f"The window mixes embeddings of {' and '.join(map(str, sorted(lengths)))} numbers.",
            next_step="Compare one model version at a time.",
        )
    return pd.DataFrame([_record(row) for row in rows])


def embedding_of(window: pd.DataFrame) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """The embeddings as (n, d), in the order of their index; d is 0 when the model has none."""
    columns = sorted(
        (c for c in window.columns if c.startswith(EMBEDDING)), key=lambda c: int(c.removeprefix(EMBEDDING))
    )
    return window[columns].to_numpy(dtype=np.float64)


def _record(row: FeatureRow) -> Mapping[str, float | bool]:
    missing = set(IMAGE_FEATURES) - row.image_features.keys()
    if missing:
        raise NotEstimable(f"A feature row lacks {', '.join(sorted(missing))}.", next_step="Leave older rows out.")
    return {
        PROBABILITY: row.probability,
        FINDING: row.finding_present,
        **{f"{FEATURE}{name}": row.image_features[name] for name in IMAGE_FEATURES},
        **{f"{EMBEDDING}{k}": value for k, value in enumerate(row.embedding)},
    }


def _measured(table: pd.DataFrame) -> list[str]:
    embeddings = [str(column) for column in table.columns if str(column).startswith(EMBEDDING)]
    return [PROBABILITY, FINDING, *FEATURE_COLUMNS, *embeddings]
