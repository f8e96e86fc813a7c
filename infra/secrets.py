"""Secrets of this installation: generated once, kept in files only the owner can read."""

import contextlib
import os
import re
import secrets
import tempfile
from pathlib import Path

_KEY_BYTES = 32  # RFC 7518 3.2: an HS256 key has at least 256 bits
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


class Secrets:
    """The secrets below one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def pseudonym_key(self) -> bytes:
        """Turns patient identifiers into pseudonyms. Lose it and a patient's next study is a stranger's."""
        return self._key("pseudonym")

    @property
    def routing_key(self) -> bytes:
        """Decides which model version a patient is assigned."""
        return self._key("routing")

    @property
    def signing_key(self) -> bytes:
        """Signs access tokens."""
        return self._key("signing")

    def password(self, name: str) -> str:
        """The generated password of that name, 128 bits."""
        return self._once(f"{name}.password", secrets.token_urlsafe(16)).strip()

    def has_password(self, name: str) -> bool:
        """True when it was generated before: it is printed once only."""
        return self._path(f"{name}.password").exists()

    def _key(self, name: str) -> bytes:
        return bytes.fromhex(self._once(f"{name}.key", secrets.token_hex(_KEY_BYTES)).strip())

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name.partition(".")[0]):
            raise ValueError("a secret's name has small letters, digits, - and _ only")
        return self._folder / name

    def _once(self, name: str, fresh: str) -> str:
        path = self._path(name)
        if not path.exists():
            with contextlib.suppress(FileExistsError):
                write_once(path, fresh + "\n")
        return path.read_text(encoding="ascii")


def write_once(path: Path, text: str) -> None:
    """A new file that only its owner can read, whole or not there at all; its folder is made.

    Raises:
        FileExistsError: it is there already, and stays as it is.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # A link either makes the whole file or finds one made by another process: nobody reads a half-written secret.
    descriptor, name = tempfile.mkstemp(dir=path.parent)  # 0600
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        path.hardlink_to(name)
    finally:
        Path(name).unlink()
