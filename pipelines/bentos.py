"""Bentos on disk against the versions they were registered as."""

from pathlib import Path

from domain.errors import DigestMismatch, ModelUnavailable
from domain.identifiers import sha256_of
from domain.model_version import ModelManifest
from models.inference import MANIFEST_FILE, MODEL_FILE
from models.uncertainty import parameters_of

MODEL_FOLDER = Path("src/model")  # below a Bento


def require_bento(manifest: ModelManifest, bento: Path) -> None:
    """Do nothing when a Bento carries the registered manifest and every file it names, byte for byte.

    Raises:
        ModelUnavailable: the Bento is not there.
        DigestMismatch: it carries another manifest or another file.
    """
    folder = bento / MODEL_FOLDER
    if not all((folder / name).is_file() for name in (MANIFEST_FILE, MODEL_FILE)):
        raise ModelUnavailable(
            f"The Bento of {manifest.model_version} is not at {bento}.", next_step="Restore it, or package it again."
        )
    if not _carries(folder / MANIFEST_FILE, manifest):
        raise DigestMismatch(
            f"The Bento at {bento} carries another manifest than {manifest.model_version} was registered with.",
            next_step="Restore it.",
        )
    if sha256_of((folder / MODEL_FILE).read_bytes()) != manifest.model_sha256:
        raise DigestMismatch(
            f"{MODEL_FILE} in the Bento at {bento} is not the model of {manifest.model_version}.",
            next_step="Restore it.",
        )
    parameters_of(manifest.out_of_distribution, folder)


def _carries(file: Path, manifest: ModelManifest) -> bool:
    try:
        return ModelManifest.model_validate_json(file.read_bytes()) == manifest
    except ValueError:
        return False
