"""What validation measures of a variant beside its results: disturbed films, maps, the champion on the same films."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from domain.errors import NotEstimable, OneClassOnly, TooFewSamples
from domain.model_version import ModelManifest
from evidence.adaptation import adaptation
from evidence.plan import Against
from evidence.planned_limits import Rival
from evidence.record import Adaptation, Comparison, MapFaithfulness, RobustnessResult
from evidence.report import LEVEL, compare_with
from evidence.scored_set import ScoredSet
from models.champion import read_champion, score_champion
from models.checkpoints import TrainedModel
from models.faithfulness import faithfulness
from models.inference import Scorer
from models.robustness import robustness
from models.scoring import Scored

T = TypeVar("T")


@dataclass(frozen=True)
class ScoredChampion:
    """The champion's manifest with its scores of the present test set."""

    manifest: ModelManifest
    scored: ScoredSet

    @property
    def rival(self) -> Rival:
        """Its scores with its own threshold."""
        return Rival(self.scored, self.manifest.operating_point.threshold)


@dataclass(frozen=True)
class Measured:
    """All of it for one variant; what could not be measured stands in ``not_measured``, a sentence each."""

    robustness: tuple[RobustnessResult, ...] = ()
    faithfulness: MapFaithfulness | None = None
    champion: Comparison | None = None
    adaptation: Adaptation | None = None
    rivals: Mapping[Against, Rival] = field(default_factory=dict)
    not_measured: tuple[str, ...] = ()


def scored_champion(folder: Path | None, *, task: str, prepared: Path) -> ScoredChampion | None:
    """The champion laid out in a folder with its scores; ``None`` without a folder, or where there is no champion.

    Raises:
        DataProblem, DigestMismatch: as ``read_champion``.
    """
    champion = read_champion(folder, task=task) if folder is not None else None
    return ScoredChampion(champion.manifest, score_champion(champion, prepared=prepared)) if champion else None


def measure(
    trained: TrainedModel, *, model: bytes, part: Scored, test: ScoredSet, full: bytes | None = None,
    baseline: Rival | None = None, champion: ScoredChampion | None = None,
) -> Measured:  # fmt: skip
    """Measure one variant on its scored test set (``part`` with the films, ``test`` with the columns, row by row).

    ``model`` serves; ``full`` is its fp32 file where that is another: quantised weights cannot be randomised.

    Raises:
        OneClassOnly, NotEstimable: the test set cannot carry the comparison with the champion.
    """
    refused: list[str] = []
    scorer = Scorer(model, preprocessing=trained.preprocessing, engine=trained.engine, precision=trained.precision)
    threshold = trained.operating_point.threshold

    def disturbed() -> tuple[RobustnessResult, ...]:
        return robustness(part.cohort, scorer, base=test, threshold=threshold)

    def explained() -> MapFaithfulness:
        return faithfulness(part, full or model, scorer, base=test, threshold=threshold)

    rivals: dict[Against, Rival] = {} if baseline is None else {"baseline": baseline}
    found = Measured(
        robustness=_or_reason(disturbed, "robustness", refused) or (),
        faithfulness=_or_reason(explained, "faithfulness of the map", refused) if trained.explains else None,
        rivals=rivals if champion is None else {**rivals, "champion": champion.rival},
        not_measured=tuple(refused),
    )
    if champion is None:
        return found
    return replace(
        found,
        champion=compare_with(champion.scored, test),
        adaptation=adaptation(test, champion.scored, manifest=champion.manifest, level=LEVEL),
    )


def _or_reason(measurement: Callable[[], T], of: str, refused: list[str]) -> T | None:
    try:
        return measurement()
    except (OneClassOnly, TooFewSamples, NotEstimable) as problem:
        refused.append(f"Not measured: {of}. {problem.what}")
        return None
