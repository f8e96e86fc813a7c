"""The exported files of a variant: found by the record's digests, or not used."""

from pathlib import Path

import pytest

from domain.dataset import DatasetVersion
from domain.errors import DigestMismatch, NotFound
from domain.identifiers import Sha256, sha256_of
from domain.model_version import EngineCandidate, EngineChoice, OperatingPoint, Precision
from domain.preprocessing import Preprocessing
from models import candidates
from models.checkpoints import TrainedModel

FILES: dict[Precision, bytes] = {"fp32": b"full", "int8": b"quantised"}
ZEROS = Sha256("0" * 64)


def candidate(precision: Precision) -> EngineCandidate:
    content = FILES["int8" if precision == "int8" else "fp32"]
    return EngineCandidate(
        engine="openvino", precision=precision, model_sha256=sha256_of(content), ms_single=1, ms_batched=1,
        max_difference=0, tolerance=1, auroc_difference=None, margin=0.01, passes=True,
    )  # fmt: skip


def written(folder: Path, precision: Precision) -> TrainedModel:
    """A variant's folder, served at this precision."""
    serves = FILES["int8" if precision == "int8" else "fp32"]
    trained = TrainedModel(
        task="tiny", variant="network-seed1", kind="network", preset="smoke", seed=1, run_id="0" * 32,
        preprocessing=Preprocessing(size_px=32), explains=True, parameters=1, weights_sha256=ZEROS,
        model_sha256=sha256_of(serves), calibration=None,
        operating_point=OperatingPoint(threshold=0.5, rule="test", chosen_on="tune"), parity=(),
        engine_choice=EngineChoice(
            engine="openvino", precision=precision, why="test", measured_on="test",
            candidates=tuple(candidate(one) for one in ("fp32", "bf16", "int8")),
        ),
        tuning=(), history=(), best_epoch=None, git_commit="0" * 40, git_dirty=False, seconds=1.0,
        dataset_version=DatasetVersion(
            source="tiny", distribution="generated", digest=ZEROS, synthetic=True, counts={}, excluded={}, shards={}
        ),
    )  # fmt: skip
    candidates.write(folder, FILES, serves=serves)
    trained.save(folder)
    return TrainedModel.load(folder)


@pytest.mark.parametrize(
    ("precision", "beside"), [("fp32", ["int8.onnx"]), ("bf16", ["int8.onnx"]), ("int8", ["fp32.onnx"])]
)
def test_what_serves_is_the_model_and_the_rest_lies_beside_it(
    precision: Precision, beside: list[str], tmp_path: Path
) -> None:
    trained = written(tmp_path, precision)

    assert (trained.engine, trained.precision) == ("openvino", precision)
    assert [file.name for file in (tmp_path / "candidates").iterdir()] == beside
    assert {one: candidates.read(tmp_path, trained, precision=one) for one in ("fp32", "bf16", "int8")} == {
        **FILES, "bf16": b"full",
    }  # fmt: skip


@pytest.mark.parametrize(("serves", "other"), [("int8", "fp32"), ("fp32", "int8")])
def test_an_altered_candidate_is_refused(serves: Precision, other: Precision, tmp_path: Path) -> None:
    trained = written(tmp_path, serves)
    (tmp_path / "candidates" / f"{other}.onnx").write_bytes(b"something else")

    with pytest.raises(DigestMismatch, match=f"The {other} file of tiny/network-seed1"):
        candidates.read(tmp_path, trained, precision=other)


def test_another_choice_leaves_no_file_of_the_last_one(tmp_path: Path) -> None:
    written(tmp_path, "int8")
    written(tmp_path, "fp32")

    assert [file.name for file in (tmp_path / "candidates").iterdir()] == ["int8.onnx"]


def test_a_record_from_before_engines_were_chosen_has_the_one_file_that_serves(tmp_path: Path) -> None:
    old = written(tmp_path, "fp32").model_copy(update={"engine_choice": None})

    assert (old.engine, old.precision) == ("onnxruntime", "fp32")
    assert candidates.read(tmp_path, old) == b"full"
    with pytest.raises(NotFound):
        candidates.read(tmp_path, old, precision="int8")
