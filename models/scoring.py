"""Trained variants' scores of whole cohorts: in memory, as a table, and as pictures of what went wrong."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image

from domain.dataset import Split
from domain.prediction import ImageScore
from models import loaders, preprocess
from models.checkpoints import MODEL_FILE, TrainedModel
from models.explanation import enlarge
from models.inference import Scorer
from models.loaders import Cohort
from models.uncertainty import Judge

_PICTURE_PX = 256
_HEAT = np.array([255, 60, 0], dtype=np.float32)


@dataclass(frozen=True)
class Scored:
    """One cohort with one variant's scores, row by row."""

    cohort: Cohort
    split: Split | Literal["external"]
    scores: tuple[ImageScore, ...]

    @property
    def probabilities(self) -> NDArray[np.float64]:
        """One probability per sample."""
        return np.array([score.probability for score in self.scores], dtype=np.float64)


def score_cohorts(
    variants: Sequence[TrainedModel], *, checkpoints: Path, prepared: Path, external: Sequence[Path]
) -> dict[str, tuple[Scored, ...]]:
    """For each variant: tuning data, test data, then each external set, each score judged as the service will judge it;
    images are read once per preprocessing.
    """
    read: dict[str, list[tuple[Cohort, Split | Literal["external"]]]] = {}
    scored = {}
    for trained in variants:
        spec = trained.preprocessing
        cohorts = read.setdefault(spec.model_dump_json(), [])
        if not cohorts:
            cohorts += [
                (loaders.load(prepared, split, preprocessing=spec), split) for split in (Split.TUNE, Split.TEST)
            ]
            cohorts += [(loaders.load(folder, None, preprocessing=spec), "external") for folder in external]
        scorer = Scorer(
            (checkpoints / trained.variant / MODEL_FILE).read_bytes(), preprocessing=spec, engine=trained.engine,
            precision=trained.precision,
        )  # fmt: skip
        judge = Judge.of(trained.conformal, trained.out_of_distribution, checkpoints / trained.variant)
        scored[trained.variant] = tuple(_score(cohort, split, scorer, judge) for cohort, split in cohorts)
    return scored


def _score(cohort: Cohort, split: Split | Literal["external"], scorer: Scorer, judge: Judge | None) -> Scored:
    inputs = preprocess.normalise(cohort.grey[:, np.newaxis], scorer.preprocessing)
    scores = scorer.score_prepared(inputs)
    return Scored(cohort, split, tuple(scores if judge is None else map(judge.judge, scores)))


def write_predictions(parts: Sequence[Scored], trained: TrainedModel, path: Path) -> None:
    """One row per sample: what monitoring takes as its reference window, and what a person may look up."""
    threshold = trained.operating_point.threshold
    rows = [row for part in parts for row in _rows(part, threshold=threshold)]
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path)


def _rows(part: Scored, *, threshold: float) -> list[dict[str, object]]:
    return [
        {
            **sample.model_dump(include={"sample_id", "site", "view_position", "sex", "patient_key", "label"}),
            "age_years": sample.age_years,
            "split": str(part.split),
            "dataset_version": part.cohort.dataset_version.name,
            "probability": score.probability,
            "finding_present": score.probability >= threshold,
            "distance": score.distance,
            "abstained": score.abstained is not None,
            **{f"feature.{name}": value for name, value in score.image_features.items()},
            **{f"embedding.{i}": value for i, value in enumerate(score.embedding)},
        }
        for sample, score in zip(part.cohort.samples, part.scores, strict=True)
    ]


def failure_pictures(sample_ids: Sequence[str], part: Scored) -> dict[str, bytes]:
    """PNG bytes by ``sample_id``: the film as the model saw it and, where it explains, with its activation map."""
    row_of = {sample.sample_id: row for row, sample in enumerate(part.cohort.samples)}
    return {
        sample_id: picture(part.cohort.grey[row_of[sample_id]], part.scores[row_of[sample_id]].activation_map)
        for sample_id in sample_ids
    }


def picture(grey: NDArray[np.uint8], activation_map: tuple[tuple[float, ...], ...] | None) -> bytes:
    """The film, and beside it the film with evidence *for* the finding in red."""
    film = Image.fromarray(grey).resize((_PICTURE_PX, _PICTURE_PX), Image.Resampling.BICUBIC).convert("RGB")
    panels = [film]
    if activation_map is not None:
        evidence = np.clip(enlarge(activation_map, rows=_PICTURE_PX, columns=_PICTURE_PX), 0, None)
        share = (0.6 * evidence / max(float(evidence.max()), 1e-6))[..., np.newaxis]
        panels.append(Image.fromarray((np.asarray(film) * (1 - share) + _HEAT * share).astype(np.uint8)))
    sheet = Image.new("RGB", (_PICTURE_PX * len(panels), _PICTURE_PX))
    for index, panel in enumerate(panels):
        sheet.paste(panel, (_PICTURE_PX * index, 0))
    out = io.BytesIO()
    sheet.save(out, "PNG", optimize=True)
    return out.getvalue()
