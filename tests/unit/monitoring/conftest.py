"""Windows of feature rows whose distribution is known."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from monitoring.windows import FEATURE_COLUMNS

Window = Callable[..., pd.DataFrame]


@pytest.fixture
def window() -> Window:
    def make(
        n: int, *, seed: int, shift: dict[str, float] | None = None, embedding: int = 0, films: int = 1
    ) -> pd.DataFrame:
        """n rows, ``films`` of each patient; films of one patient share most of what they are."""
        draw = np.random.default_rng(seed)
        columns = [*FEATURE_COLUMNS, *(f"embedding.{k}" for k in range(embedding))]
        patients = np.arange(n) // films
        own = draw.normal(size=(n, len(columns)))
        if films > 1:
            own = 0.95 * draw.normal(size=(patients.max() + 1, len(columns)))[patients] + 0.3 * own
        table = pd.DataFrame(own, columns=columns)
        for name, by in (shift or {}).items():
            table[name] += by
        table["patient_key"] = [f"p{patient:04d}" for patient in patients]
        table["probability"] = draw.random(n)
        table["finding_present"] = table["probability"] >= 0.5
        return table

    return make
