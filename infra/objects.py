"""Stored bytes by SHA-256, per tenant: durable before they are named, checked whenever they are read."""

import contextlib
import os
import re
import tempfile
from pathlib import Path

from domain.errors import DigestMismatch, IntegrityViolation
from domain.identifiers import Sha256, Tenant, sha256_of

_TENANT = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class ObjectStore:
    """Objects below ``root/<tenant>/<first two digits>/<SHA-256>``."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def path(self, tenant: Tenant, sha256: Sha256) -> Path:
        """Where an object lies or would lie."""
        if not _TENANT.fullmatch(tenant) or not _SHA256.fullmatch(sha256):
            raise ValueError("not a tenant or not a SHA-256")
        return self._root / tenant / sha256[:2] / sha256

    def put(self, tenant: Tenant, data: bytes) -> Sha256:
        """Stores bytes; on return they survive a crash of the process and of the machine."""
        sha256 = sha256_of(data)
        path = self.path(tenant, sha256)
        if not self._holds(path, sha256):
            _make_folders(path.parent)
            _write_durably(path, data)
        return sha256

    def get(self, tenant: Tenant, sha256: Sha256) -> bytes:
        """The bytes of an object.

        Raises:
            IntegrityViolation: a recorded object is gone.
            DigestMismatch: its bytes were altered.
        """
        path = self.path(tenant, sha256)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise IntegrityViolation(
                f"Object {sha256[:12]} is gone.", next_step="Restore the object store from a backup."
            ) from None
        if sha256_of(data) != sha256:
            raise DigestMismatch(
                f"Object {sha256[:12]} was altered.", next_step="Restore the object store from a backup."
            )
        return data

    def _holds(self, path: Path, sha256: Sha256) -> bool:
        # Same bytes again heal a damaged object instead of trusting its name.
        return path.exists() and sha256_of(path.read_bytes()) == sha256


def _write_durably(path: Path, data: bytes) -> None:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".incoming-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(name).unlink()
        raise
    _sync_folder(path.parent)


def _make_folders(folder: Path) -> None:
    missing = [folder, *folder.parents][: next(i for i, f in enumerate([folder, *folder.parents]) if f.is_dir())]
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for made in missing:
        _sync_folder(made.parent)


def _sync_folder(folder: Path) -> None:
    # The name itself is durable only once its folder is (fsync(2)).
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
