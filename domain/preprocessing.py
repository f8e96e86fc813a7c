"""How pixels become a model's input: data, so that it travels inside the manifest and is the same everywhere."""

from typing import Literal

from pydantic import BaseModel, ConfigDict


class Preprocessing(BaseModel):
    """Grey-scale radiograph → float32 input of shape (1, size_px, size_px). Carried out by ``models/preprocess.py``."""

    model_config = ConfigDict(frozen=True)

    version: Literal[1] = 1
    size_px: int
    lower_percentile: float = 1.0  # of the pixels; mapped to 0
    upper_percentile: float = 99.0  # mapped to 1
    mean: float = 0.5  # subtracted after that
    standard_deviation: float = 0.25  # divided by after that
