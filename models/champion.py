"""The champion as validation needs it: its manifest and its bytes, laid out in a folder, and its scores.

The folder is one of two kinds: ``manifest.json`` and ``model.onnx``, or ``none.json``. An empty or missing folder is
neither: a comparison that was forgotten must not look like one that was not possible.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from domain.dataset import Split
from domain.errors import DataProblem, DigestMismatch
from domain.identifiers import sha256_of
from domain.model_version import ModelManifest
from evidence.scored_set import ScoredSet
from models import loaders, preprocess
from models.inference import MANIFEST_FILE, MODEL_FILE, Scorer

NONE_FILE = "none.json"


@dataclass(frozen=True)
class Champion:
    """The model version that serves, with the bytes its manifest names."""

    manifest: ModelManifest
    model: bytes


def read_champion(folder: Path, *, task: str) -> Champion | None:
    """The champion laid out in the folder; ``None`` where ``none.json`` says that there is none.

    Raises:
        DataProblem: nothing is laid out, or both kinds, or another task's champion.
        DigestMismatch: ``model.onnx`` is not the model the manifest names.
    """
    if (folder / NONE_FILE).is_file() == (folder / MANIFEST_FILE).is_file():
        raise DataProblem(
            f"{folder.name} does not say whether {task} has a champion.", next_step="Lay the champion out again."
        )
    if (folder / NONE_FILE).is_file():
        return None
    manifest = ModelManifest.model_validate_json((folder / MANIFEST_FILE).read_bytes())
    if manifest.task != task:
        raise DataProblem(f"The champion laid out for {task} is {manifest.model_version}.")
    model = (folder / MODEL_FILE).read_bytes()
    _require_named(manifest, model)
    return Champion(manifest, model)


def score_champion(champion: Champion, *, prepared: Path) -> ScoredSet:
    """The champion's probabilities of the prepared test set, by its own preprocessing and engine; without subgroups."""
    spec = champion.manifest.preprocessing
    cohort = loaders.load(prepared, Split.TEST, preprocessing=spec)
    engine, precision = champion.manifest.engine, champion.manifest.precision
    scorer = Scorer(champion.model, preprocessing=spec, engine=engine, precision=precision)
    return ScoredSet(
        dataset_version=cohort.dataset_version,
        split=Split.TEST,
        model_version=champion.manifest.model_version,
        sample_ids=tuple(sample.sample_id for sample in cohort.samples),
        patient_keys=tuple(sample.patient_key for sample in cohort.samples),
        labels=cohort.labels,
        probabilities=scorer.probabilities(preprocess.normalise(cohort.grey[:, np.newaxis], spec)),
    )


def lay_out(folder: Path, manifest: ModelManifest | None, model: bytes | None) -> None:
    """Write a champion, or that there is none; a crash leaves the old folder, the new one or none, never a mixture.

    Raises:
        DataProblem: a manifest without model, or a model without manifest.
        DigestMismatch: the model is not the one the manifest names.
    """
    if (manifest is None) != (model is None):
        raise DataProblem("A champion is a manifest and a model, not one of the two.")
    if manifest is not None and model is not None:
        _require_named(manifest, model)
    beside, aside = (folder.with_name(f".{folder.name}.{role}") for role in ("new", "old"))
    for left_over in (beside, aside):
        if left_over.exists():
            shutil.rmtree(left_over)
    beside.mkdir(parents=True)
    if manifest is None or model is None:
        (beside / NONE_FILE).write_text(json.dumps({"champion": None}) + "\n")
    else:
        (beside / MANIFEST_FILE).write_text(manifest.model_dump_json(indent=2) + "\n")
        (beside / MODEL_FILE).write_bytes(model)
    if folder.exists():
        folder.replace(aside)
    beside.replace(folder)
    if aside.exists():
        shutil.rmtree(aside)


def _require_named(manifest: ModelManifest, model: bytes) -> None:
    if sha256_of(model) != manifest.model_sha256:
        raise DigestMismatch(
            f"{MODEL_FILE} is not the model that the manifest of {manifest.model_version} names.",
            next_step="Lay the champion out again from its Bento.",
        )
