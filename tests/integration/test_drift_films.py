"""On films: another hospital is drift; the same hospital's films recompressed or resized are not."""

import io
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from data.phantoms.cohort import Cohort, entries
from data.sources import phantom_chest, phantom_chest_elsewhere
from domain.preprocessing import Preprocessing
from models import image_features, preprocess
from monitoring import data_drift
from monitoring.windows import FEATURE

pytestmark = pytest.mark.slow

WINDOW = 200
GRID = Preprocessing(size_px=64)
Film = Image.Image


def films(cohort: Cohort, *, patients: int) -> list[Film]:
    """The first film of each patient."""
    drawn = replace(cohort, patients=patients, copies=0, shared_films=0, re_exports=0)
    first: dict[str, bytes] = {}
    for record, data in entries(drawn):
        first.setdefault(record.patient_key, data)
    return [Image.open(io.BytesIO(data)).convert("L") for data in first.values()]


def measured(images: list[Film]) -> pd.DataFrame:
    """A window of image features, as serving computes them."""
    rows = [image_features.measure(preprocess.apply(np.asarray(image), GRID)) for image in images]
    return pd.DataFrame(rows).add_prefix(FEATURE)


def jpeg(film: Film, quality: int) -> Film:
    """The film after a lossy round trip."""
    buffer = io.BytesIO()
    film.save(buffer, "JPEG", quality=quality)
    return Image.open(io.BytesIO(buffer.getvalue()))


def scaled(film: Film, factor: float) -> Film:
    """The film with other pixel counts."""
    return film.resize((round(film.width * factor), round(film.height * factor)), Image.Resampling.BICUBIC)


@pytest.fixture(scope="module")
def home() -> list[Film]:
    return films(phantom_chest.COHORT, patients=2 * WINDOW + 20)


@pytest.fixture(scope="module")
def reference(home: list[Film]) -> pd.DataFrame:
    return measured(home[WINDOW:])


def test_another_hospitals_films_are_found(reference: pd.DataFrame) -> None:
    elsewhere = measured(films(phantom_chest_elsewhere.COHORT, patients=WINDOW))
    assert data_drift.find(reference, elsewhere).drifted


@pytest.mark.parametrize(
    "artefact",
    [
        lambda film: film,
        lambda film: jpeg(film, 50),
        lambda film: jpeg(film, 75),
        lambda film: jpeg(film, 95),
        lambda film: scaled(film, 0.75),
        lambda film: scaled(film, 2.0),
        lambda film: jpeg(scaled(film, 1.5), 60),
    ],
    ids=["as drawn", "quality 50", "quality 75", "quality 95", "three quarters", "doubled", "enlarged, quality 60"],
)
def test_file_artefacts_on_the_same_hospitals_films_raise_no_alarm(
    artefact: Callable[[Film], Film], home: list[Film], reference: pd.DataFrame
) -> None:
    current = measured([artefact(film) for film in home[:WINDOW]])
    drifted = [f.feature for f in data_drift.find(reference, current).features if f.drifted]
    assert drifted == []


def test_false_alarms_on_one_hospitals_films_stay_at_the_designed_rate(home: list[Film]) -> None:
    found = data_drift.false_alarms(measured(home), n_current=WINDOW, resamples=200, alpha=0.05)
    assert found.low < 0.05
    assert found.value < 0.085  # 99th percentile of Binomial(200, 0.05)
