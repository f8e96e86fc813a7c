"""The files of a zip that another tool wrote: never to trust it, only to say which of its files were changed."""

import struct
import zlib
from collections.abc import Mapping
from io import BytesIO
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile

from evidence.archive import MAX_ARCHIVE_BYTES, MAX_FILE_BYTES, MAX_FILES

# Python unpacks the other methods without a bound on what comes out.
_BOUNDED = frozenset({ZIP_STORED, ZIP_DEFLATED})
# What zipfile raises on damaged, encrypted or unknown archives; NotImplementedError is a RuntimeError.
_UNREADABLE = (BadZipFile, RuntimeError, ValueError, EOFError, OSError, IndexError, struct.error, zlib.error)


def read_leniently(data: bytes) -> Mapping[str, bytes] | None:
    """Every file by name, folders left out; None when it cannot be read whole within the limits of ``archive``."""
    if len(data) > MAX_ARCHIVE_BYTES:
        return None
    try:
        with ZipFile(BytesIO(data)) as archive:
            return _files(archive)
    except _UNREADABLE:
        return None


def _files(archive: ZipFile) -> Mapping[str, bytes] | None:
    entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    within = len(entries) <= MAX_FILES and sum(entry.file_size for entry in entries) <= MAX_ARCHIVE_BYTES
    plain = all(
        entry.compress_type in _BOUNDED and entry.file_size <= MAX_FILE_BYTES and entry.filename.isprintable()
        for entry in entries
    )
    if not within or not plain or len({entry.filename for entry in entries}) != len(entries):
        return None
    return {entry.filename: archive.read(entry) for entry in entries}
