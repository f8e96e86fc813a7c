"""The engine that serves, confirmed on test data against the trained model itself."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from evidence.engine_parity import agreement
from evidence.engine_record import EngineReport
from evidence.scored_set import ScoredSet
from models import baseline, checkpoints, engines, preprocess, torch_engine
from models.checkpoints import TrainedModel
from models.loaders import Cohort
from models.task import Task


def confirmed(
    task: Task, trained: TrainedModel, *, folder: Path, cohort: Cohort, test: ScoredSet
) -> EngineReport | None:
    """The choice and how far the engine's scores in ``test`` are from the trained model's of the same films.

    ``None`` where no engine was chosen by measurement. Imports torch for a network.

    Raises:
        DigestMismatch: the folder holds other weights than the record names.
    """
    if trained.engine_choice is None:
        return None
    reference = _trained(task, trained, folder=folder, cohort=cohort)
    against: Literal["torch", "scikit-learn"] = "torch" if trained.kind == "network" else "scikit-learn"
    found = agreement(test, reference, precision=trained.precision, against=against)
    return EngineReport(choice=trained.engine_choice, confirmation=found)


def _trained(task: Task, trained: TrainedModel, *, folder: Path, cohort: Cohort) -> NDArray[np.float64]:
    inputs = preprocess.normalise(cohort.grey[:, np.newaxis], trained.preprocessing)
    if trained.kind == "network":
        spec = task.preset(trained.preset).network
        return engines.probabilities(torch_engine.stored(folder, trained, spec=spec), inputs)
    weights = checkpoints.read_weights(folder)
    checkpoints.require_weights(weights, expected=trained.weights_sha256, name=checkpoints.BASELINE_WEIGHTS_FILE)
    return baseline.probabilities(weights, inputs)
