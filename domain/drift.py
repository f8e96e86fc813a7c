"""Feature rows, the only thing monitoring sees of a prediction, and what it may find."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from domain.identifiers import PredictionId

# Statistics of the pre-processed image: all films are on one grid and one grey scale, so size and bit depth are gone.
IMAGE_FEATURES = (
    "mean",
    "standard_deviation",
    "skewness",
    "p10",
    "p50",
    "p90",
    "entropy_bits",
    "edge_energy",
    "left_right_asymmetry",
    "centre_minus_border",
    "upper_minus_lower",
    "low_frequency_share",
)


class FeatureRow(BaseModel):
    """One scored image as monitoring sees it: numbers and categories, no identifiers of a patient and no pixels."""

    model_config = ConfigDict(frozen=True)

    prediction_id: PredictionId
    recorded_at: datetime
    task: str
    model_version: str
    site: str
    probability: float
    finding_present: bool
    image_features: dict[str, float]
    embedding: tuple[float, ...] = ()


class DriftedFeature(BaseModel):
    """One feature's two-sample test between the reference and the current window."""

    model_config = ConfigDict(frozen=True)

    feature: str
    statistic: float
    p_value: float
    adjusted_p_value: float
    drifted: bool


class DriftFinding(BaseModel):
    """The outcome of one comparison of windows."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["data_drift", "prediction_drift"]
    drifted: bool
    test: str
    alpha: float
    n_reference: int
    n_current: int
    features: tuple[DriftedFeature, ...]
