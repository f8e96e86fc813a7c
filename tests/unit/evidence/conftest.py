"""A small cohort scored by a model, a baseline and at an external site."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
import yaml

from domain.acceptance import at_least
from domain.change_control import TestSetOpening
from domain.codes import PNEUMONIA
from domain.dataset import DatasetVersion, Split
from domain.identifiers import sha256_of
from domain.intended_use import IntendedUse
from domain.model_version import ModelManifest, OperatingPoint
from domain.preprocessing import Preprocessing
from evidence.record import Provenance, ReportedModel, ValidationReport
from evidence.report import build_report
from evidence.scored_set import ScoredSet

Scorer = Callable[..., ScoredSet]


@pytest.fixture(scope="session")
def dataset_version() -> Callable[..., DatasetVersion]:
    def make(source: str = "kermany_chest_xray", *, synthetic: bool = False) -> DatasetVersion:
        return DatasetVersion(
            source=source,
            distribution="recompressed",
            digest=sha256_of(source.encode()),
            synthetic=synthetic,
            counts={"test": {"samples": 240, "patients": 160, "positives": 120}},
            excluded={"duplicate_within_split": 3},
            shards={"00000.tar": sha256_of(b"shard")},
        )

    return make


@pytest.fixture(scope="session")
def scored(dataset_version: Callable[..., DatasetVersion]) -> Scorer:
    def make(
        *, n: int = 240, separation: float = 2.5, seed: int = 0, source: str = "kermany_chest_xray", **changes: Any
    ) -> ScoredSet:
        draw = np.random.default_rng(seed)
        labels = np.arange(n) % 2
        probabilities = 1 / (1 + np.exp(-draw.normal(separation * (labels - 0.5), 1.0)))
        subtypes = draw.choice(["bacteria", "virus"], size=n)
        made = ScoredSet(
            dataset_version=dataset_version(source),
            split=Split.TEST,
            model_version="chest_xray_pneumonia/network-seed1",
            sample_ids=tuple(f"s{i:04d}" for i in range(n)),
            patient_keys=tuple(f"p{i * 2 // 3:04d}" for i in range(n)),
            labels=labels,
            probabilities=probabilities,
            subgroups={
                "sex": tuple("F" if i < n - 6 else "not stated" for i in range(n)),
                "subtype": tuple(str(s) if y else "normal" for s, y in zip(subtypes, labels, strict=True)),
            },
        )
        return replace(made, **changes)

    return make


@pytest.fixture(scope="session")
def reported() -> ReportedModel:
    return ReportedModel(
        task="chest_xray_pneumonia",
        title="Pneumonia on chest radiographs",
        variant="network-seed1",
        model_version="chest_xray_pneumonia/network-seed1",
        demo=False,
        intended_use=IntendedUse(
            statement="Orders the worklist.",
            modalities=frozenset({"DX", "CR", "RG"}),
            body_parts=frozenset({"CHEST", "THORAX"}),
            view_positions=frozenset({"AP", "PA"}),
        ),
        finding=PNEUMONIA,
        operating_point=OperatingPoint(threshold=0.4, rule="highest specificity", chosen_on="tune"),
    )


@pytest.fixture(scope="session")
def provenance(dataset_version: Callable[..., DatasetVersion]) -> Provenance:
    return Provenance(
        run_id="0123456789abcdef0123456789abcdef",
        git_commit="a" * 40,
        git_dirty=False,
        weights_sha256=sha256_of(b"weights"),
        model_sha256=sha256_of(b"model"),
        parameters=72_145,
        seed=1,
        dataset_version=dataset_version(),
    )


@pytest.fixture(scope="session")
def report(scored: Scorer, reported: ReportedModel, provenance: Provenance) -> ValidationReport:
    """A whole report: baseline, external set with caveats, one criterion met and one missed."""
    test = scored()
    noisy = np.clip(test.probabilities + np.random.default_rng(9).normal(0, 0.3, 240), 0, 1)
    return build_report(
        reported,
        provenance=provenance,
        test=test,
        baseline=replace(test, model_version="chest_xray_pneumonia/baseline", probabilities=noisy),
        external=[
            scored(
                source="nih_chest_xray",
                separation=0.8,
                seed=4,
                split="external",
                known_flaws=("labels are text-mined",),
            )
        ],
        tune=scored(seed=5, split=Split.TUNE),
        criteria=[at_least("auroc", lower_bound=0.8), at_least("specificity", lower_bound=0.99)],
    )


@pytest.fixture(scope="session")
def manifest_of() -> Callable[..., ModelManifest]:
    """The manifest of the model version that a report's variant was packaged as."""

    def make(report: ValidationReport, *, report_sha256: str, **changes: Any) -> ModelManifest:
        model, made = report.model, report.provenance
        stated: dict[str, Any] = {
            "task": model.task, "title": model.title, "version": 3, "variant": model.variant, "demo": model.demo,
            "intended_use": model.intended_use, "finding": model.finding, "preprocessing": Preprocessing(size_px=64),
            "operating_point": model.operating_point, "engine": "onnxruntime", "explains": True,
            "parameters": made.parameters, "weights_sha256": made.weights_sha256, "model_sha256": made.model_sha256,
            "report_sha256": report_sha256, "dataset_version": made.dataset_version,
            "external_dataset_versions": tuple(outside.dataset_version for outside in report.external),
            "run_id": made.run_id, "git_commit": made.git_commit, "git_dirty": made.git_dirty, "seed": made.seed,
            "performance": (), "criteria": (), "reference_answers": (), "approver": "quinn",
        }  # fmt: skip
        return ModelManifest(**(stated | changes))

    return make


@pytest.fixture(scope="session")
def manifest(reported: ReportedModel, provenance: Provenance) -> Callable[..., ModelManifest]:
    """A champion that differs from ``reported`` in what a re-training changes, and as told."""

    def make(**changes: Any) -> ModelManifest:
        champion = ModelManifest(
            task=reported.task, title=reported.title, version=1, variant="network-seed9", demo=False,
            intended_use=reported.intended_use, finding=reported.finding, preprocessing=Preprocessing(size_px=96),
            operating_point=reported.operating_point.model_copy(update={"threshold": 0.3}), engine="onnxruntime",
            explains=True, parameters=provenance.parameters, weights_sha256=sha256_of(b"champion"),
            model_sha256=sha256_of(b"champion.onnx"), report_sha256=sha256_of(b"report"),
            dataset_version=provenance.dataset_version, run_id=provenance.run_id, git_commit="b" * 40, git_dirty=False,
            seed=9, performance=(), criteria=(), reference_answers=(), approver="Approver",
        )  # fmt: skip
        return champion.model_copy(update=changes)

    return make


@pytest.fixture(scope="session")
def opening(provenance: Provenance) -> Callable[..., TestSetOpening]:
    """A line of the ledger, of ``provenance``'s model unless told otherwise."""

    def make(number: int = 1, **changes: Any) -> TestSetOpening:
        line = TestSetOpening(
            number=number, task="chest_xray_pneumonia", dataset_version=provenance.dataset_version.name,
            dataset_sha256=provenance.dataset_version.digest, model_version="chest_xray_pneumonia/network-seed1",
            model_sha256=provenance.model_sha256, plan_sha256=sha256_of(b"plan"), purpose="validation",
            opened_by="Engineer", opened_at=datetime(2026, 11, 2, 12, number % 60, tzinfo=UTC),
        )  # fmt: skip
        return line.model_copy(update=changes)

    return make


@pytest.fixture(scope="session")
def plan_text() -> Callable[..., bytes]:
    """A plan's bytes: two bounds and a comparison each way, with changes at the top level."""

    def make(**changes: Any) -> bytes:
        document = {
            "schema_version": 1,
            "task": "chest_xray_pneumonia",
            "intended_use": "Orders the worklist.",
            "population": "Children.",
            "reference_standard": "Two readers.",
            "missing_data": "None is left out.",
            "operating_point": "Highest specificity at the sensitivity below.",
            "min_sensitivity": 0.95,
            "alpha": 0.025,
            "primary": [
                {"kind": "bound", "metric": "auroc", "at_least": 0.8},
                {"kind": "bound", "metric": "sensitivity", "at_least": 0.8},
                {"kind": "non_inferiority", "metric": "auroc", "against": "champion", "margin": 0.05},
                {"kind": "non_inferiority", "metric": "sensitivity", "against": "champion", "margin": 0.05},
            ],
            "secondary": [{"kind": "superiority", "metric": "auroc", "against": "baseline"}],
            "subgroups": [{"group": "sex", "metric": "auroc", "at_least": 0.7, "min_n": 30}],
            "sample_size": [
                {"endpoint": "auroc_at_least", "expected": 0.9, "positive_share": 0.5, "power": 0.9, "samples": 200}
            ],
            "test_set_reuse": {"adjustment": "bonferroni", "max_models": 3},
        }
        return yaml.safe_dump({**document, **changes}).encode()

    return make


@pytest.fixture(scope="session")
def pccp_text() -> Callable[..., bytes]:
    """A change control plan's bytes, with changes at the top level."""

    def make(**changes: Any) -> bytes:
        document = {
            "schema_version": 1,
            "task": "chest_xray_pneumonia",
            "modifications": [
                {
                    "name": "retraining",
                    "description": "The same network, trained again.",
                    "changes": ["weights", "threshold", "training_seed", "software", "dataset_version"],
                },
                {"name": "engine", "description": "Another engine.", "changes": ["engine", "software"]},
            ],
            "modification_protocol": {
                "data": {
                    "allowed_sources": ["kermany_chest_xray", "phantom_chest"],
                    "min_training_samples": 100,
                    "min_training_patients": 50,
                    "same_external_sources": True,
                    "synthetic_allowed_for_demo": True,
                },
                "retraining": {"allowed_variants": ["network-*"], "practice": "Seeds are named before."},
                "evaluation": {"required_comparisons": ["champion", "baseline"]},
                "update": {"labelling": "Users are told.", "rollback": "One command."},
            },
            "impact_assessment": [
                {"modification": name, "benefit": "Better.", "risk": "Worse.", "mitigation": "The gate."}
                for name in ("retraining", "engine")
            ],
            "signatures": [
                {"meaning": "author", "role": "engineer"},
                {"meaning": "review", "role": "clinician"},
                {"meaning": "approval", "role": "quality"},
            ],
        }
        return yaml.safe_dump({**document, **changes}).encode()

    return make
