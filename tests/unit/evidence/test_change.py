"""Every way in which a candidate can differ from the champion is found and named."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from domain.codes import CodedConcept
from domain.model_version import ModelManifest, OperatingPoint
from domain.preprocessing import Preprocessing
from evidence.change import CandidateFacts, ChangeKind, changes
from evidence.record import ValidationReport


@pytest.fixture
def facts(report: ValidationReport) -> CandidateFacts:
    return CandidateFacts.of(report, preprocessing=Preprocessing(size_px=96), engine="onnxruntime", explains=True)


@pytest.fixture
def champion(manifest: Callable[..., ModelManifest], facts: CandidateFacts) -> ModelManifest:
    """A champion that is the candidate itself."""
    return manifest(
        variant=facts.variant, operating_point=facts.operating_point, weights_sha256=facts.weights_sha256,
        git_commit=facts.git_commit, seed=facts.seed, dataset_version=facts.dataset_version,
    )  # fmt: skip


def test_the_champion_again_changes_nothing(champion: ModelManifest, facts: CandidateFacts) -> None:
    assert changes(champion, facts) == ()


def test_a_retrained_network_changes_weights_threshold_seed_and_software(
    manifest: Callable[..., ModelManifest], facts: CandidateFacts
) -> None:
    assert changes(manifest(), facts) == (
        ChangeKind.THRESHOLD, ChangeKind.WEIGHTS, ChangeKind.TRAINING_SEED, ChangeKind.SOFTWARE,
    )  # fmt: skip


def elsewhere(facts: CandidateFacts, **changed: Any) -> CandidateFacts:
    return replace(facts, dataset_version=facts.dataset_version.model_copy(update=changed))


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        (
            ChangeKind.INTENDED_USE,
            lambda f: replace(f, intended_use=f.intended_use.model_copy(update={"statement": "X"})),
        ),
        (
            ChangeKind.FINDING,
            lambda f: replace(f, finding=CodedConcept(value="1", scheme_designator="SCT", meaning="Mass")),
        ),
        (ChangeKind.PREPROCESSING, lambda f: replace(f, preprocessing=Preprocessing(size_px=64))),
        (ChangeKind.ARCHITECTURE, lambda f: replace(f, parameters=f.parameters + 1)),
        (ChangeKind.ARCHITECTURE, lambda f: replace(f, variant="baseline")),
        (ChangeKind.ARCHITECTURE, lambda f: replace(f, explains=False)),
        (ChangeKind.DATA_SOURCE, lambda f: elsewhere(f, source="other", digest="0" * 64)),
        (ChangeKind.DATASET_VERSION, lambda f: elsewhere(f, digest="0" * 64)),
        (
            ChangeKind.OPERATING_POINT,
            lambda f: replace(f, operating_point=OperatingPoint(threshold=0.9, rule="other", chosen_on="tune")),
        ),
        (
            ChangeKind.THRESHOLD,
            lambda f: replace(f, operating_point=f.operating_point.model_copy(update={"threshold": 0.9})),
        ),
        (ChangeKind.ENGINE, lambda f: replace(f, engine="openvino")),
        (ChangeKind.WEIGHTS, lambda f: replace(f, weights_sha256="0" * 64)),
        (ChangeKind.TRAINING_SEED, lambda f: replace(f, seed=77)),
        (ChangeKind.SOFTWARE, lambda f: replace(f, git_commit="c" * 40)),
    ],
)
def test_each_kind_is_found_alone(
    kind: ChangeKind, change: Callable[[CandidateFacts], CandidateFacts], champion: ModelManifest, facts: CandidateFacts
) -> None:
    assert changes(champion, change(facts)) == (kind,)
