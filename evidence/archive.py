"""A zip that has one form only: equal contents are equal bytes, and any other bytes are refused.

Files are stored, not deflated: the output of a deflater depends on its version, and whoever checks the bytes in ten
years has another one. Stored files cannot be zip bombs either. Layout: PKWARE APPNOTE 6.3.10, 4.3.
"""

import re
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from domain.errors import IntegrityViolation, InvalidField

MAX_FILE_BYTES = 64 * 2**20
MAX_ARCHIVE_BYTES = 256 * 2**20
MAX_FILES = 64
STRUCTURE = "the archive's own structure"

_NAME = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")  # no folder, so no way out of one
_LOCAL, _CENTRAL, _END = struct.Struct("<IHHHHHIIIHH"), struct.Struct("<IHHHHHHIIIHHHHHII"), struct.Struct("<IHHHHIIH")
_NEEDS, _MADE_BY = 10, 3 << 8 | 10  # version 1.0 of the format reads it; Unix made it, whoever did
_DATE, _TIME = 1 << 5 | 1, 0  # 1980-01-01 00:00, the format's first moment
_MODE = 0o100644 << 16


@dataclass(frozen=True)
class Damage:
    """Where an archive is not what ``pack`` would have made of its contents."""

    file: str  # or STRUCTURE
    reason: str


@dataclass(frozen=True)
class Archive:
    """The files that are whole, and what is not."""

    files: Mapping[str, bytes]
    damage: tuple[Damage, ...]


def pack(files: Mapping[str, bytes]) -> bytes:
    """The files as one zip, by name, without times, owners or compression.

    Raises:
        InvalidField: a name with a folder or odd characters, or more than the archive holds.
    """
    if len(files) > MAX_FILES or sum(map(len, files.values())) > MAX_ARCHIVE_BYTES - 2**20:  # 1 MiB for headers
        raise InvalidField(f"An archive holds {MAX_FILES} files and {MAX_ARCHIVE_BYTES >> 20} MiB at most.")
    for name, content in files.items():
        if not _NAME.fullmatch(name.encode(errors="replace")) or len(content) > MAX_FILE_BYTES:
            raise InvalidField(
                f"{name!r} cannot be packed: a plain name and {MAX_FILE_BYTES >> 20} MiB are the limits."
            )
    entries = [_Entry(name.encode(), zlib.crc32(files[name]), len(files[name])) for name in sorted(files)]
    local, central, offset = [], [], 0
    for entry in entries:
        local += [entry.local, files[entry.name.decode()]]
        central.append(entry.central(offset))
        offset += entry.length
    return b"".join([*local, *central, _end(len(entries), size=sum(map(len, central)), offset=offset)])


def unpack(data: bytes) -> dict[str, bytes]:
    """The files of an archive that is byte for byte what ``pack`` makes of them.

    Raises:
        IntegrityViolation: it is not; the file is named, or the archive's own structure.
    """
    archive = read(data)
    if archive.damage:
        found = archive.damage[0]
        raise IntegrityViolation(f"{found.file} {found.reason}.", next_step="Ask for the archive again.")
    return dict(archive.files)


def read(data: bytes) -> Archive:
    """What is whole in an archive, with every file that is not; when its structure is damaged, nothing is."""
    if not _END.size <= len(data) <= MAX_ARCHIVE_BYTES:
        return _broken("is not that of a zip of a size we write")
    *_, count, _, size, offset, _ = _END.unpack(data[-_END.size :])
    if count > MAX_FILES or data[-_END.size :] != _end(count, size=size, offset=offset):
        return _broken("does not end as we write it")
    if offset + size + _END.size != len(data):
        return _broken("has bytes that belong to no file, or lacks some")
    directory = data[offset : offset + size]
    entries = list(islice(_entries(directory), MAX_FILES + 1))
    ours = b"".join(entry.central(start) for entry, start in _placed(entries))
    if len(entries) != count or directory != ours:
        return _broken("has another directory than we write")
    if any(entry.size > MAX_FILE_BYTES for entry in entries) or sum(entry.length for entry in entries) != offset:
        return _broken("states sizes that are not those of the files")
    names = [entry.name for entry in entries]
    if names != sorted(set(names)) or not all(_NAME.fullmatch(name) for name in names):
        return _broken("lists names twice, out of order, or that lead elsewhere")
    return _contents(data, entries)


@dataclass(frozen=True)
class _Entry:
    name: bytes
    crc: int
    size: int

    @property
    def local(self) -> bytes:
        fixed = _LOCAL.pack(
            0x04034B50, _NEEDS, 0, 0, _TIME, _DATE, self.crc, self.size, self.size, len(self.name), 0
        )  # fmt: skip
        return fixed + self.name

    @property
    def length(self) -> int:
        return _LOCAL.size + len(self.name) + self.size

    def central(self, offset: int) -> bytes:
        fixed = _CENTRAL.pack(
            0x02014B50, _MADE_BY, _NEEDS, 0, 0, _TIME, _DATE, self.crc, self.size, self.size, len(self.name),
            0, 0, 0, 0, _MODE, offset,
        )  # fmt: skip
        return fixed + self.name


def _end(count: int, *, size: int, offset: int) -> bytes:
    return _END.pack(0x06054B50, 0, 0, count, count, size, offset, 0)


def _entries(directory: bytes) -> Iterator[_Entry]:
    """What the directory states; whether it states it as we would is for the caller to compare."""
    at = 0
    while at + _CENTRAL.size <= len(directory):
        fields = _CENTRAL.unpack_from(directory, at)
        crc, size, length = fields[7], fields[8], fields[10]
        yield _Entry(directory[at + _CENTRAL.size : at + _CENTRAL.size + length], crc, size)
        at += _CENTRAL.size + length


def _placed(entries: list[_Entry]) -> Iterator[tuple[_Entry, int]]:
    start = 0
    for entry in entries:
        yield entry, start
        start = (start + entry.length) % 2**32  # a stated size may be any number


def _contents(data: bytes, entries: list[_Entry]) -> Archive:
    files: dict[str, bytes] = {}
    damage: list[Damage] = []
    for entry, start in _placed(entries):
        name, body = entry.name.decode(), start + len(entry.local)
        content = data[body : start + entry.length]
        if data[start + _LOCAL.size : body] != entry.name:
            return _broken("names a file in two ways")
        if data[start:body] != entry.local:
            damage.append(Damage(name, "has another header than the archive's directory states"))
        elif zlib.crc32(content) != entry.crc:
            damage.append(Damage(name, "does not have the bytes that its checksum states"))
        else:
            files[name] = content
    return Archive(files, tuple(damage))


def _broken(reason: str) -> Archive:
    return Archive({}, (Damage(STRUCTURE, reason),))
