"""Validation tells a model that learned from one that did not, and leaves all that others read."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from domain.dataset import Split
from domain.drift import IMAGE_FEATURES
from domain.errors import DataProblem, DigestMismatch
from domain.identifiers import sha256_of
from domain.model_version import ModelManifest
from evidence.record import ValidationReport
from models.champion import lay_out
from models.loaders import samples_of

pytestmark = pytest.mark.slow
Validate = Callable[..., tuple[ValidationReport, ...]]


@pytest.fixture(scope="module")
def validate(validate_under_plan: Validate) -> Validate:
    def run(trained: Any, root: Path, **options: Any) -> tuple[ValidationReport, ...]:
        return validate_under_plan(trained, root, **{"external": [trained.prepared], **options})

    return run


def lay_out_baseline(trained: Any, folder: Path) -> None:
    """The trained baseline as the champion."""
    task, model = trained.task, trained.models[1]
    manifest = ModelManifest(
        **model.model_dump(include={
            "variant", "preprocessing", "operating_point", "explains", "parameters", "weights_sha256", "model_sha256",
            "dataset_version", "run_id", "git_commit", "git_dirty", "seed",
        }),
        task=task.name, title=task.title, version=7, demo=True, intended_use=task.intended_use, finding=task.finding,
        engine="onnxruntime", report_sha256=model.model_sha256, performance=(), criteria=(), reference_answers=(),
        approver="demo",
    )  # fmt: skip
    lay_out(folder, manifest, (trained.checkpoints / "baseline" / "model.onnx").read_bytes())


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("validated")


@pytest.fixture(scope="module")
def reports(trained: Any, root: Path, validate: Validate) -> tuple[ValidationReport, ...]:
    return validate(trained, root)


def test_a_network_that_learned_meets_its_criteria(reports: tuple[ValidationReport, ...]) -> None:
    assert reports[0].criteria
    assert reports[0].criteria_met


def test_a_network_taught_with_shuffled_labels_misses_them(
    train: Callable[..., Any], shuffled_phantoms: Path, tmp_path: Path, validate: Validate
) -> None:
    taught_nothing = train(shuffled_phantoms, tmp_path)

    assert not any(report.criteria_met for report in validate(taught_nothing, tmp_path))


def test_each_variant_has_a_report_and_the_networks_are_compared_with_the_baseline(
    reports: tuple[ValidationReport, ...], root: Path
) -> None:
    network, baseline = reports

    assert network.comparison is not None
    assert network.comparison.baseline_version.endswith("/baseline")
    assert baseline.comparison is None
    for report in reports:
        stored = (root / "reports" / report.model.variant / "report.json").read_bytes()
        assert ValidationReport.model_validate_json(stored) == report
        assert (root / "reports" / report.model.variant / "report.html").stat().st_size > 1000
        assert {value.split for value in report.test.metrics} == {"test"}
        assert report.external[0].split == "external"
        assert report.external[0].known_flaws == ("Invented.",)


def test_the_same_models_on_the_same_data_give_the_same_report(
    trained: Any, reports: tuple[ValidationReport, ...], root: Path, tmp_path: Path, validate: Validate
) -> None:
    shutil.copytree(root / "home", tmp_path / "home")  # the same ledger, which gets more lines
    validate(trained, tmp_path)

    for name in ("network-seed1", "baseline"):
        again = (tmp_path / "reports" / name / "report.json").read_bytes()
        assert sha256_of(again) == sha256_of((root / "reports" / name / "report.json").read_bytes())


def test_the_table_of_predictions_holds_what_monitoring_and_people_read(
    trained: Any, reports: tuple[ValidationReport, ...], root: Path
) -> None:
    rows = pq.read_table(root / "predictions" / "network-seed1.parquet").to_pylist()
    samples = {sample.sample_id: sample for sample in samples_of(trained.prepared, None)}
    threshold = trained.models[0].operating_point.threshold

    assert {row["split"] for row in rows} == {"tune", "test", "external"}
    for row in rows:
        sample = samples[row["sample_id"]]
        assert row["split"] in (sample.split, "external")
        assert (row["label"], row["site"], row["age_years"]) == (sample.label, sample.site, sample.age_years)
        assert row["finding_present"] == (row["probability"] >= threshold)
    assert {f"feature.{name}" for name in IMAGE_FEATURES} <= rows[0].keys()
    assert "embedding.0" in rows[0]


def test_the_results_are_in_the_training_run(trained: Any, reports: tuple[ValidationReport, ...]) -> None:
    run = trained.tracking.client.get_run(trained.models[0].run_id)
    auroc = next(value for value in reports[0].test.metrics if value.name == "auroc")

    assert run.data.metrics["test.auroc"] == auroc.value
    assert run.data.metrics["test.auroc.low"] == auroc.interval[0]
    assert "external.phantom_easy.auroc" in run.data.metrics
    artifacts = {file.path for file in trained.tracking.client.list_artifacts(run.info.run_id, "validation")}
    assert {"validation/report.json", "validation/report.html"} <= artifacts


def test_models_of_another_dataset_version_are_not_validated(
    trained: Any, shuffled_phantoms: Path, tmp_path: Path, validate: Validate
) -> None:
    with pytest.raises(DataProblem):
        validate(trained, tmp_path, external=[], prepared=shuffled_phantoms)


def test_a_model_that_was_swapped_after_training_is_not_validated(
    train: Callable[..., Any], phantoms: Path, tmp_path: Path, validate: Validate
) -> None:
    trained = train(phantoms, tmp_path)
    model = trained.checkpoints / "network-seed1" / "model.onnx"
    model.write_bytes((trained.checkpoints / "baseline" / "model.onnx").read_bytes())

    with pytest.raises(DigestMismatch):
        validate(trained, tmp_path)


def test_the_activation_map_meets_the_known_opacity_better_than_chance(
    trained: Any, reports: tuple[ValidationReport, ...], root: Path
) -> None:
    network, baseline = reports
    positives = [sample for sample in samples_of(trained.prepared, Split.TEST) if sample.label]

    assert baseline.explanation is None  # it gives no map
    assert network.explanation is not None
    assert network.explanation.share.n == len(positives)
    assert network.explanation.share.interval[0] > network.explanation.chance_elsewhere
    assert network.explanation.share.interval[0] > network.explanation.chance_area
    assert "better than chance" in (root / "reports" / "network-seed1" / "report.html").read_text()


def test_the_pointing_game_is_in_the_training_run(trained: Any, reports: tuple[ValidationReport, ...]) -> None:
    logged = trained.tracking.client.get_run(trained.models[0].run_id).data.metrics
    game = reports[0].explanation

    assert game is not None
    assert (logged["test.pointing_game.low"], logged["test.pointing_game.high"]) == game.share.interval
    assert logged["test.pointing_game.chance_elsewhere"] == game.chance_elsewhere
    assert logged["test.pointing_game.chance_area"] == game.chance_area


def test_every_variant_is_disturbed_and_only_the_network_has_a_map_to_be_faithful(
    reports: tuple[ValidationReport, ...],
) -> None:
    network, baseline = reports

    for report in reports:
        assert len(report.robustness) == 12
        assert (report.champion, report.adaptation) == (None, None)
    assert baseline.faithfulness is None
    assert network.faithfulness is not None
    assert network.faithfulness.deletion.interval[1] < 0
    assert network.faithfulness.insertion.interval[0] > 0
    assert abs(network.faithfulness.randomised_similarity.value) < 0.5


def test_the_champion_is_met_on_the_same_films(
    trained: Any, reports: tuple[ValidationReport, ...], tmp_path: Path, validate: Validate
) -> None:
    lay_out_baseline(trained, tmp_path / "champion")

    network, baseline = validate(trained, tmp_path, champion=tmp_path / "champion")

    assert network.champion is not None and network.comparison is not None and network.adaptation is not None
    assert network.champion.baseline_version == network.adaptation.previous == "chest_xray_pneumonia@7"
    assert network.champion.difference.value == pytest.approx(network.comparison.difference.value)
    assert network.adaptation.learning.interval[0] > 0
    assert baseline.adaptation is not None
    assert (baseline.adaptation.learning.value, baseline.adaptation.learning.method) == (0, "identical scores")
    assert network.robustness == reports[0].robustness


def test_a_champions_folder_that_says_nothing_stops_validation(
    trained: Any, tmp_path: Path, validate: Validate
) -> None:
    with pytest.raises(DataProblem):
        validate(trained, tmp_path, champion=tmp_path / "champion")
