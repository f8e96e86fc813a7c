"""Training can be repeated, interrupted and looked up."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models import checkpoints, loaders, preprocess
from models.inference import Scorer
from models.tracking import compare, mlflow

pytestmark = pytest.mark.slow
Train = Callable[..., Any]


def test_the_same_commit_dataset_version_and_seed_give_the_same_weights(
    trained: Any, train: Train, phantoms: Path, tmp_path: Path
) -> None:
    again = train(phantoms, tmp_path)

    assert [model.weights_sha256 for model in again.models] == [model.weights_sha256 for model in trained.models]
    assert [model.model_sha256 for model in again.models] == [model.model_sha256 for model in trained.models]


def test_networks_trained_side_by_side_are_those_trained_alone(
    trained: Any, train: Train, phantoms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.training.cores", lambda: 2)

    side_by_side = train(phantoms, tmp_path, seeds=(1, 2))

    first, second, baseline = (model.weights_sha256 for model in side_by_side.models)
    assert [first, baseline] == [model.weights_sha256 for model in trained.models]
    assert second != first
    assert checkpoints.variants(side_by_side.checkpoints) == ("network-seed1", "network-seed2", "baseline")


PROGRAM = """
import sys
from pathlib import Path
from models.tasks import get_task
from models.tracking import Tracking
from models.training import train_task

if __name__ == "__main__":
    prepared, root = Path(sys.argv[1]), Path(sys.argv[2])
    train_task(
        get_task("chest_xray_pneumonia"), prepared=prepared, out=root / "checkpoints", preset="smoke", seeds=(1,),
        tracking=Tracking(f"sqlite:///{root / 'mlflow.db'}", artifact_root=str(root / "artifacts")),
        resume=root / "resume", git_commit="a" * 40, git_dirty=False,
    )
"""


def test_a_training_killed_after_an_epoch_resumes_to_the_same_weights_in_the_same_run(
    trained: Any, train: Train, phantoms: Path, tmp_path: Path
) -> None:
    program = [sys.executable, "-c", PROGRAM, str(phantoms), str(tmp_path)]
    process = subprocess.Popen(program, stderr=subprocess.DEVNULL)
    while not (stored := list(tmp_path.glob("resume/*/progress.pt"))) and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "it ended before it could be killed"
    (interrupted_run,) = [path.with_name("run_id").read_text() for path in stored]
    epochs_done = len(checkpoints.load_progress(stored[0])["history"])  # type: ignore[index]

    resumed = train(phantoms, tmp_path)

    assert epochs_done < trained.models[0].history[-1].epoch
    assert resumed.models[0].weights_sha256 == trained.models[0].weights_sha256
    assert resumed.models[0].run_id == interrupted_run
    assert not list((tmp_path / "resume").iterdir())


def test_the_network_learns_and_its_epochs_are_told(trained: Any) -> None:
    network, baseline = trained.models
    auroc = next(value for value in network.tuning if value.name == "auroc")

    assert auroc.value > 0.75
    assert network.best_epoch == max(network.history, key=lambda record: record.tuning_auroc).epoch
    assert baseline.history == ()


def test_the_exported_model_answers_as_the_trained_one(trained: Any) -> None:
    network, baseline = trained.models

    assert {parity.engine for parity in network.parity} == {"onnxruntime", "openvino"}
    assert all(parity.max_difference <= 1e-4 for parity in (*network.parity, *baseline.parity))


def test_the_activation_map_is_the_evidence_itself(trained: Any) -> None:
    network = trained.models[0]
    folder = trained.checkpoints / network.variant
    cohort = loaders.load(trained.prepared, None, preprocessing=network.preprocessing)
    scorer = Scorer((folder / "model.onnx").read_bytes(), preprocessing=network.preprocessing, engine="onnxruntime")
    score = scorer.score_prepared(preprocess.normalise(cohort.grey[:1, np.newaxis], network.preprocessing))[0]

    assert 1 / (1 + np.exp(-np.mean(score.activation_map))) == pytest.approx(score.probability, abs=1e-4)


def test_stored_weights_are_those_of_the_record(trained: Any) -> None:
    for model in trained.models:
        weights = checkpoints.read_weights(trained.checkpoints / model.variant)
        assert checkpoints.weights_digest(weights) == model.weights_sha256


def test_everything_needed_to_repeat_a_run_is_in_mlflow(trained: Any) -> None:
    model = trained.models[0]
    client = trained.tracking.client
    run = client.get_run(model.run_id)

    assert run.info.status == "FINISHED"
    assert run.data.tags["git.commit"] == "a" * 40
    assert run.data.tags["dataset.training.sha256"] == model.dataset_version.digest
    assert run.data.tags["weights.sha256"] == model.weights_sha256
    assert run.data.params["seed"] == "1"
    assert run.data.params["network.kind"] == "DenseNet"
    assert [dataset.dataset.name for dataset in run.inputs.dataset_inputs] == [model.dataset_version.name]
    losses = [metric.value for metric in client.get_metric_history(model.run_id, "loss")]
    assert losses == [record.loss for record in model.history]
    assert {file.path for file in client.list_artifacts(model.run_id)} >= {"environment.txt", "checkpoint"}


def test_the_logged_model_has_a_signature_and_answers_as_the_exported_one(trained: Any) -> None:
    model = trained.models[0]
    logged = trained.tracking.fluent().pyfunc.load_model(f"runs:/{model.run_id}/model")
    exported = Scorer(
        (trained.checkpoints / model.variant / "model.onnx").read_bytes(),
        preprocessing=model.preprocessing,
        engine="onnxruntime",
    )
    inputs = np.random.default_rng(0).normal(size=(3, 1, 48, 48)).astype(np.float32)

    assert logged.metadata.signature.inputs.input_names() == ["image"]
    assert logged.predict({"image": inputs})["probability"] == pytest.approx(exported.probabilities(inputs), abs=1e-6)
    assert mlflow().get_tracking_uri() == trained.tracking.uri


def test_a_comparison_of_equal_runs_shows_no_difference(trained: Any, train: Train, phantoms: Path) -> None:
    again = train(phantoms, trained.root / "again")
    other = again.tracking
    same = compare(other, again.models[0].run_id, again.models[0].run_id)

    assert same.same_inputs
    assert same.results == ()


def test_a_comparison_names_what_differs(train: Train, phantoms: Path, shuffled_phantoms: Path, tmp_path: Path) -> None:
    first = train(phantoms, tmp_path, seeds=(1,), commit="a" * 40)
    second = train(shuffled_phantoms, tmp_path, seeds=(2,), commit="b" * 40)

    found = compare(first.tracking, first.models[0].run_id, second.models[0].run_id)

    assert [difference.name for difference in found.code] == ["git.commit"]
    assert {difference.name for difference in found.data} == {"dataset.training", "dataset.training.sha256"}
    assert [(d.name, d.a, d.b) for d in found.parameters] == [("seed", "1", "2")]
    assert "weights.sha256" in {difference.name for difference in found.results}
