"""Windows hold what was measured, of one model version, with each patient once in the reference."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from domain.drift import IMAGE_FEATURES, FeatureRow
from domain.errors import DataProblem, NotEstimable
from domain.identifiers import PredictionId
from monitoring.windows import FEATURE_COLUMNS, current_from_rows, embedding_of, reference_from_predictions


def row(
    number: int, *, embedding: tuple[float, ...] = (0.1, 0.2), features: dict[str, float] | None = None
) -> FeatureRow:
    return FeatureRow(
        prediction_id=PredictionId(f"pr_{number}"),
        recorded_at=datetime(2026, 1, 1, tzinfo=UTC),
        task="chest_xray_pneumonia",
        model_version="chest_xray_pneumonia@1",
        site="site",
        probability=number / 10,
        finding_present=number > 5,
        image_features=features or {name: float(k + number) for k, name in enumerate(IMAGE_FEATURES)},
        embedding=embedding,
    )


@pytest.fixture
def predictions(window: Callable[..., pd.DataFrame], tmp_path: Path) -> Path:
    table = window(60, seed=0, embedding=12, films=3)
    table["sample_id"] = [f"s{k:03d}" for k in range(60)][::-1]
    table["split"] = ["test"] * 45 + ["external"] * 15
    table.to_parquet(tmp_path / "predictions.parquet")
    return tmp_path / "predictions.parquet"


def test_reference_is_the_test_set_with_one_film_of_each_patient(predictions: Path) -> None:
    reference = reference_from_predictions(predictions)
    assert len(reference) == 15
    assert reference["patient_key"].is_unique
    assert len(reference_from_predictions(predictions, one_per_patient=False)) == 45
    assert len(reference_from_predictions(predictions, split="external")) == 5


def test_reference_takes_the_same_film_whatever_the_order_of_the_table(predictions: Path) -> None:
    first = reference_from_predictions(predictions)
    pd.read_parquet(predictions).sample(frac=1, random_state=0).to_parquet(predictions)
    pd.testing.assert_frame_equal(reference_from_predictions(predictions), first)


def test_a_table_without_features_or_rows_is_refused(predictions: Path) -> None:
    with pytest.raises(DataProblem, match="no row"):
        reference_from_predictions(predictions, split="tune")
    pd.read_parquet(predictions).drop(columns="feature.mean").to_parquet(predictions)
    with pytest.raises(DataProblem, match=r"feature\.mean"):
        reference_from_predictions(predictions)


def test_current_window_has_the_reference_columns_and_nothing_of_a_patient(predictions: Path) -> None:
    current = current_from_rows([row(k, embedding=(0.0,) * 12) for k in range(10)])
    reference = reference_from_predictions(predictions)
    assert set(current.columns) == set(reference.columns) - {"patient_key"}
    assert current["feature.standard_deviation"].tolist() == [float(k + 1) for k in range(10)]
    assert set(FEATURE_COLUMNS) <= set(current.columns)


def test_embeddings_come_in_the_order_of_their_numbers() -> None:
    numbers = tuple(float(k) for k in range(12))
    assert embedding_of(current_from_rows([row(1, embedding=numbers)])).tolist() == [list(numbers)]
    assert embedding_of(current_from_rows([row(1, embedding=())])).shape == (1, 0)


def test_windows_that_mix_model_versions_or_lack_features_are_refused() -> None:
    with pytest.raises(NotEstimable, match="2 and 3"):
        current_from_rows([row(1), row(2, embedding=(1.0, 2.0, 3.0))])
    with pytest.raises(NotEstimable, match="skewness"):
        current_from_rows([row(1, features={name: 0.0 for name in IMAGE_FEATURES if name != "skewness"})])
