"""One variant's measures: all that it can have, a reason for what it cannot, and its rivals with their thresholds."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from domain.dataset import Split
from domain.identifiers import Sha256
from domain.model_version import ModelManifest, OperatingPoint
from domain.preprocessing import Preprocessing
from evidence.planned_limits import Rival
from evidence.scored_set import ScoredSet
from models.checkpoints import TrainedModel
from models.inference import Scorer
from models.loaders import Cohort
from models.measures import ScoredChampion, measure, scored_champion
from models.scoring import Scored

ScoredBy = Callable[[Cohort, bytes], tuple[Scored, ScoredSet, Scorer]]
DIGEST = Sha256("0" * 64)


@pytest.fixture
def trained(striped_cohort: Cohort) -> Callable[..., TrainedModel]:
    def make(kind: Literal["network", "baseline"] = "network", *, threshold: float = 0.5) -> TrainedModel:
        return TrainedModel(
            task="tiny", variant=kind, kind=kind, preset="smoke", seed=1, run_id="0" * 32,
            preprocessing=Preprocessing(size_px=32), explains=kind == "network", parameters=1, weights_sha256=DIGEST,
            model_sha256=DIGEST, calibration=None,
            operating_point=OperatingPoint(threshold=threshold, rule="test", chosen_on="tune"), parity=(), tuning=(),
            history=(), best_epoch=None, dataset_version=striped_cohort.dataset_version, git_commit="0" * 40,
            git_dirty=False, seconds=1.0,
        )  # fmt: skip

    return make


@pytest.fixture
def champion(model_folder: Callable[..., Path], striped_cohort: Cohort, scored_by: ScoredBy) -> ScoredChampion:
    folder = model_folder(dataset_version=striped_cohort.dataset_version)
    _, scored, _ = scored_by(striped_cohort, (folder / "model.onnx").read_bytes())
    manifest = ModelManifest.model_validate_json((folder / "manifest.json").read_bytes())
    return ScoredChampion(manifest, replace(scored, model_version=manifest.model_version))


def test_a_network_with_a_champion_has_everything(
    trained: Callable[..., TrainedModel], champion: ScoredChampion, striped_cohort: Cohort, scored_by: ScoredBy,
    looking_model: Callable[..., bytes],
) -> None:  # fmt: skip
    part, test, _ = scored_by(striped_cohort, looking_model())
    baseline = Rival(replace(champion.scored, model_version="tiny/baseline"), 0.3)

    found = measure(trained(), model=looking_model(), part=part, test=test, baseline=baseline, champion=champion)

    assert len(found.robustness) == 12
    assert found.faithfulness is not None
    assert found.champion is not None and found.adaptation is not None
    assert found.champion.baseline_version == found.adaptation.previous == "tiny@1"
    assert found.champion.difference.value == pytest.approx(found.adaptation.learning.value)
    assert {name: rival.threshold for name, rival in found.rivals.items()} == {"baseline": 0.3, "champion": 0.5}
    assert found.not_measured == ()


def test_the_baseline_is_disturbed_but_has_no_map(
    trained: Callable[..., TrainedModel], striped_cohort: Cohort, scored_by: ScoredBy,
    looking_model: Callable[..., bytes],
) -> None:  # fmt: skip
    part, test, _ = scored_by(striped_cohort, looking_model())

    found = measure(trained("baseline"), model=looking_model(), part=part, test=test)

    assert len(found.robustness) == 12
    assert (found.faithfulness, found.champion, found.adaptation, found.not_measured) == (None, None, None, ())


def test_what_cannot_be_measured_is_named_with_the_reason(
    trained: Callable[..., TrainedModel], striped_cohort: Cohort, scored_by: ScoredBy,
    looking_model: Callable[..., bytes],
) -> None:  # fmt: skip
    part, test, _ = scored_by(striped_cohort, looking_model())

    found = measure(trained(threshold=1.0), model=looking_model(slope=1.0), part=part, test=test)

    assert found.faithfulness is None
    assert found.not_measured[0].startswith("Not measured: faithfulness of the map. ")


def test_without_a_folder_no_champion_is_asked_for(tmp_path: Path) -> None:
    assert scored_champion(None, task="tiny", prepared=tmp_path) is None


def test_a_rival_keeps_its_own_threshold(champion: ScoredChampion) -> None:
    assert champion.rival == Rival(champion.scored, 0.5)
    assert champion.scored.split is Split.TEST
