"""Weights have one digest, whatever holds them; a folder whose model was swapped is not read."""

import json
from pathlib import Path

import numpy as np
import pytest

from domain.dataset import DatasetVersion
from domain.errors import DigestMismatch
from domain.identifiers import Sha256, sha256_of
from domain.model_version import OperatingPoint
from domain.preprocessing import Preprocessing
from models import checkpoints
from models.checkpoints import TrainedModel

WEIGHTS = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.array(3, dtype=np.int64)}
ZEROS = Sha256("0" * 64)


def record(*, variant: str = "network-seed1", model: bytes = b"model") -> TrainedModel:
    version = DatasetVersion(
        source="tiny", distribution="generated", digest=ZEROS, synthetic=True, counts={}, excluded={}, shards={}
    )
    return TrainedModel(
        task="tiny", variant=variant, kind="network", preset="smoke", seed=1, run_id="run-of-" + variant,
        preprocessing=Preprocessing(size_px=32), explains=True, parameters=1, weights_sha256=ZEROS,
        model_sha256=sha256_of(model), calibration=None,
        operating_point=OperatingPoint(threshold=0.5, rule="test", chosen_on="tune"), parity=(), tuning=(), history=(),
        best_epoch=None, dataset_version=version, git_commit="0" * 40, git_dirty=False, seconds=1.0,
    )  # fmt: skip


def test_the_digest_does_not_depend_on_order_or_memory_layout() -> None:
    other = {"b": WEIGHTS["b"], "a": np.asfortranarray(WEIGHTS["a"])}
    big_endian = {name: values.astype(values.dtype.newbyteorder(">")) for name, values in WEIGHTS.items()}

    digest = checkpoints.weights_digest(WEIGHTS)
    assert checkpoints.weights_digest(other) == digest
    assert checkpoints.weights_digest(big_endian) == digest


@pytest.mark.parametrize(
    "changed",
    [
        {**WEIGHTS, "a": WEIGHTS["a"] + np.float32(1e-6)},
        {**WEIGHTS, "a": WEIGHTS["a"].reshape(3, 2)},
        {**WEIGHTS, "a": WEIGHTS["a"].astype(np.float64)},
        {"c": WEIGHTS["a"], "b": WEIGHTS["b"]},
    ],
    ids=["value", "shape", "type", "name"],
)
def test_any_change_of_the_weights_changes_the_digest(changed: dict[str, np.ndarray]) -> None:
    assert checkpoints.weights_digest(changed) != checkpoints.weights_digest(WEIGHTS)


def test_a_record_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"model")
    record().save(tmp_path)

    assert TrainedModel.load(tmp_path) == record()


def test_a_record_beside_another_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"another model")
    record().save(tmp_path)

    with pytest.raises(DigestMismatch):
        TrainedModel.load(tmp_path)


def test_variants_are_listed_with_the_baseline_last(tmp_path: Path) -> None:
    for name in ("baseline", "network-seed2", "network-seed1"):
        (tmp_path / name).mkdir()
        record(variant=name).save(tmp_path / name)
    (tmp_path / "unfinished").mkdir()

    assert checkpoints.variants(tmp_path) == ("network-seed1", "network-seed2", "baseline")


def test_runs_are_named_beside_the_variants(tmp_path: Path) -> None:
    checkpoints.write_runs(tmp_path, (record(), record(variant="baseline")))

    assert json.loads((tmp_path / "run.json").read_text()) == {
        "network-seed1": "run-of-network-seed1",
        "baseline": "run-of-baseline",
    }
