"""Training can be repeated, interrupted and looked up."""

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import models
from domain.errors import DigestMismatch
from models import checkpoints, loaders, preprocess
from models.inference import Scorer
from models.runs import Runs
from models.tracking import Tracking, compare, mlflow

pytestmark = pytest.mark.slow
Train = Callable[..., Any]
Begin = Callable[[Path], "subprocess.Popen[bytes]"]
ROOT = Path(models.__file__).parents[1]


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


@pytest.fixture
def begin(phantoms: Path, tmp_path: Path) -> Iterator[Callable[[Path], subprocess.Popen[bytes]]]:
    """Starts the program with the code below a folder and returns when one more training has stored its progress."""
    started: list[subprocess.Popen[bytes]] = []

    def start(code: Path) -> subprocess.Popen[bytes]:
        before = len(list(tmp_path.glob("resume/*/progress.pt")))
        program = [sys.executable, "-c", PROGRAM, str(phantoms), str(tmp_path)]
        started.append(subprocess.Popen(program, cwd=code, stderr=subprocess.DEVNULL))
        while len(list(tmp_path.glob("resume/*/progress.pt"))) == before:
            assert started[-1].poll() is None, "it ended before it had stored anything"
            time.sleep(0.01)
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def _run_of(progress: Path) -> str:
    return progress.with_name("run_id").read_text()


def test_a_training_killed_after_an_epoch_resumes_to_the_same_weights_in_the_same_run(
    trained: Any, train: Train, phantoms: Path, tmp_path: Path, begin: Begin
) -> None:
    process = begin(ROOT)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "it ended before it could be killed"
    (stored,) = tmp_path.glob("resume/*/progress.pt")
    interrupted_run, epochs_done = _run_of(stored), len(checkpoints.load_progress(stored)["history"])  # type: ignore[index]

    resumed = train(phantoms, tmp_path)

    assert epochs_done < trained.models[0].history[-1].epoch
    assert resumed.models[0].weights_sha256 == trained.models[0].weights_sha256
    assert resumed.models[0].run_id == interrupted_run
    assert not list((tmp_path / "resume").iterdir())


def test_a_run_that_is_interrupted_is_called_killed_until_the_training_is_taken_up_and_finished(
    train: Train, phantoms: Path, tmp_path: Path, begin: Begin
) -> None:
    begin(ROOT).send_signal(signal.SIGINT)
    while not (status := _statuses(tmp_path)) or "RUNNING" in status.values():
        time.sleep(0.1)

    resumed = train(phantoms, tmp_path)

    assert set(status.values()) == {"KILLED"}
    assert _statuses(tmp_path) == dict.fromkeys(status, "FINISHED")
    assert {model.run_id for model in resumed.models} == set(status)


def test_a_run_whose_training_fails_is_called_failed(train: Train, phantoms: Path, tmp_path: Path) -> None:
    altered = shutil.copytree(phantoms, tmp_path / "altered")
    (altered / "shards" / "00000.tar").write_bytes(b"not the films that were prepared")

    with pytest.raises(DigestMismatch):
        train(altered, tmp_path)

    assert list(_statuses(tmp_path).values()) == ["FAILED", "FAILED"]


def test_a_run_that_is_taken_up_again_is_running(tmp_path: Path) -> None:
    tracking = Tracking(f"sqlite:///{tmp_path / 'mlflow.db'}", artifact_root=str(tmp_path / "artifacts"))
    progress, tags = tmp_path / "resume" / "progress.pt", {"variant": "network-seed1"}
    with Runs(tracking) as first:
        run_id = first.take_up(progress, experiment="task", tags=tags)
    with Runs(tracking) as second:
        assert second.take_up(progress, experiment="task", tags=tags) == run_id
        assert _statuses(tmp_path) == {run_id: "RUNNING"}


def _statuses(root: Path) -> dict[str, str]:
    client = Tracking(f"sqlite:///{root / 'mlflow.db'}").client
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    return {run.info.run_id: run.info.status for run in client.search_runs(experiments)}


def test_an_edit_that_nobody_committed_is_not_resumed_from_the_old_codes_progress(tmp_path: Path, begin: Begin) -> None:
    code = tmp_path / "code"
    for package in ("data", "domain", "evidence", "imaging", "infra", "models"):
        shutil.copytree(ROOT / package, code / package, ignore=shutil.ignore_patterns("store", "__pycache__"))
    begin(code).kill()
    with (code / "models" / "fitting.py").open("a") as file:
        file.write("\n# an edit\n")

    begin(code).kill()

    old, new = tmp_path.glob("resume/*/progress.pt")
    assert _run_of(old) != _run_of(new)


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
    assert not any(name.startswith("baseline") for name in run.data.params)
    assert [dataset.dataset.name for dataset in run.inputs.dataset_inputs] == [model.dataset_version.name]
    losses = [metric.value for metric in client.get_metric_history(model.run_id, "loss")]
    assert losses == [record.loss for record in model.history]
    assert {file.path for file in client.list_artifacts(model.run_id)} >= {"environment.txt", "checkpoint"}


def test_the_baselines_run_names_its_own_parameters_and_none_of_the_networks(trained: Any) -> None:
    parameters = trained.tracking.client.get_run(trained.models[1].run_id).data.params

    assert parameters["baseline.components"] == "64"
    assert parameters["baseline.C"] == "0.1"
    assert parameters["baseline.grid_px"] == "16"
    assert parameters["preprocessing.size_px"] == "48"
    assert not {"learning_rate", "epochs", "network.kind", "augmentation.kind", "loss.kind", "seed"} & set(parameters)


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
