"""Learning, potential and retention: their definitions, and what is said where one cannot be had."""

from collections.abc import Callable

import pytest

from domain.acceptance import MetricValue
from domain.codes import PNEUMONIA
from domain.dataset import DatasetVersion
from domain.identifiers import sha256_of
from domain.model_version import ModelManifest, OperatingPoint
from domain.preprocessing import Preprocessing
from evidence.adaptation import SAME, UNCHECKED, EarlierTest, adaptation
from evidence.record import ReportedModel
from evidence.results import area, metric
from evidence.scored_set import ScoredSet

Scorer = Callable[..., ScoredSet]
OTHER = "kermany_chest_xray_2027"


@pytest.fixture
def manifest(dataset_version: Callable[..., DatasetVersion], reported: ReportedModel) -> Callable[..., ModelManifest]:
    def make(source: str, *performance: MetricValue) -> ModelManifest:
        digest = sha256_of(b"")
        return ModelManifest(
            task=reported.task, title=reported.title, version=3, variant="network-seed1", demo=False,
            intended_use=reported.intended_use, finding=PNEUMONIA, preprocessing=Preprocessing(size_px=32),
            operating_point=OperatingPoint(threshold=0.5, rule="test", chosen_on="tune"), engine="onnxruntime",
            explains=True, parameters=1, weights_sha256=digest, model_sha256=digest, report_sha256=digest,
            dataset_version=dataset_version(source), run_id="0" * 32, git_commit="0" * 40, git_dirty=False, seed=1,
            performance=performance, criteria=(), reference_answers=(), approver="demo",
        )  # fmt: skip

    return make


def auroc(scored: ScoredSet) -> float:
    return area(scored, level=0.95).value


def test_learning_is_the_paired_difference_on_the_present_test_data(
    scored: Scorer, manifest: Callable[..., ModelManifest]
) -> None:
    new, champion = scored(separation=3.0), scored(separation=1.0, seed=4)

    found = adaptation(new, champion, manifest=manifest("kermany_chest_xray"), level=0.95)

    assert found.previous == "chest_xray_pneumonia@3"
    assert found.learning.value == pytest.approx(auroc(new) - auroc(champion))
    assert found.learning.interval[0] > 0
    assert (found.potential, found.retention, found.note) == (None, None, SAME)


def test_potential_rests_on_the_manifest_where_the_champions_films_are_not_here(
    scored: Scorer, manifest: Callable[..., ModelManifest]
) -> None:
    own = scored(separation=3.0, seed=8, source=OTHER)
    recorded = metric(own, "auroc", area(own, level=0.95))
    new, champion = scored(separation=2.0), scored(separation=1.0, seed=4)

    found = adaptation(new, champion, manifest=manifest(OTHER, recorded), level=0.95)

    assert found.potential is not None
    assert found.potential.value == pytest.approx(auroc(own) - auroc(champion))
    assert 0 < found.potential.interval[0] < found.potential.value < found.potential.interval[1]
    assert found.potential.dataset_version == champion.dataset_version.name
    assert found.retention is None
    assert "retention was not measured" in found.note
    assert UNCHECKED in found.note


def test_a_manifest_without_the_auroc_gives_no_potential_and_says_so(
    scored: Scorer, manifest: Callable[..., ModelManifest]
) -> None:
    found = adaptation(scored(), scored(seed=4), manifest=manifest(OTHER), level=0.95)

    assert found.potential is None
    assert "no potential" in found.note


def test_retention_is_the_new_models_area_on_the_champions_own_test_data(
    scored: Scorer, manifest: Callable[..., ModelManifest]
) -> None:
    earlier = EarlierTest(
        champion=scored(separation=3.0, seed=8, source=OTHER), new=scored(separation=1.5, seed=9, source=OTHER)
    )

    found = adaptation(scored(), scored(seed=4), manifest=manifest(OTHER), earlier=earlier, level=0.95)

    assert found.retention is not None and found.potential is not None
    assert found.retention.value == pytest.approx(auroc(earlier.new))
    assert found.retention.dataset_version == earlier.new.dataset_version.name
    assert found.potential.value == pytest.approx(auroc(earlier.champion) - auroc(scored(seed=4)))
    assert "not measured" not in found.note
