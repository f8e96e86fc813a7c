"""The exported files of a variant: the one that serves as ``model.onnx``, the others beside it in ``candidates``."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from domain.errors import DigestMismatch, NotFound
from domain.identifiers import sha256_of
from domain.model_version import Precision
from models.checkpoints import MODEL_FILE, TrainedModel

FOLDER = "candidates"
FULL: Precision = "fp32"


def write(folder: Path, files: Mapping[Precision, bytes], *, serves: bytes) -> None:
    """Write ``model.onnx`` and ``candidates/<precision>.onnx`` of every other file; what lay there before is gone."""
    shutil.rmtree(folder / FOLDER, ignore_errors=True)
    (folder / MODEL_FILE).write_bytes(serves)
    for precision, content in files.items():
        if content != serves:
            (folder / FOLDER).mkdir(exist_ok=True)
            (folder / FOLDER / f"{precision}.onnx").write_bytes(content)


def read(folder: Path, trained: TrainedModel, *, precision: Precision = FULL) -> bytes:
    """The exported file of a precision, by the digest in the record; bf16 is computed from that of fp32.

    Raises:
        NotFound: the record knows of no such file.
        DigestMismatch: the file is not the one recorded.
    """
    recorded = digests(trained).get(precision)
    if recorded is None:
        raise NotFound(f"{trained.task}/{trained.variant} was not exported in {precision}.")
    served = recorded == trained.model_sha256
    name = FULL if precision == "bf16" else precision
    content = (folder / MODEL_FILE if served else folder / FOLDER / f"{name}.onnx").read_bytes()
    if sha256_of(content) != recorded:
        raise DigestMismatch(
            f"The {precision} file of {trained.task}/{trained.variant} is not the one that was exported.",
            next_step="Train the task again.",
        )
    return content


def digests(trained: TrainedModel) -> dict[Precision, str]:
    """SHA-256 of the file behind each precision; a record without a choice has the one file that serves."""
    if trained.engine_choice is None:
        return {trained.precision: trained.model_sha256}
    exported = [found for found in trained.engine_choice.candidates if found.engine != "torch"]
    return {found.precision: found.model_sha256 for found in exported}
