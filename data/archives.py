"""Tar and zip files of images: written the same way each time, read at an offset without unpacking."""

import csv
import io
import tarfile
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from domain.errors import QualityCheckFailed

Place = tuple[int, int]  # offset of the first byte, length
Row = Mapping[str, str]


class TarWriter:
    """A tar whose bytes depend on names and contents alone: no time, owner or mode of this machine."""

    def __init__(self, file: BinaryIO) -> None:
        self._tar = tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT)  # noqa: SIM115
        self._file = file

    def add(self, name: str, data: bytes) -> Place:
        """Append one file; where its bytes lie in the tar."""
        info = tarfile.TarInfo(name)
        info.size, info.mode, info.mtime = len(data), 0o644, 0
        self._tar.addfile(info, io.BytesIO(data))
        padded = -(-len(data) // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
        return self._file.tell() - padded, len(data)

    def close(self) -> None:
        """Write the end of the archive."""
        self._tar.close()


def tar_places(path: Path) -> dict[str, Place]:
    """Where each file of an uncompressed tar lies."""
    with tarfile.open(path, mode="r:") as tar:
        return {member.name: (member.offset_data, member.size) for member in tar if member.isfile()}


def read_at(path: Path, *, place: Place) -> bytes:
    """The bytes of one file inside a tar."""
    with path.open("rb") as file:
        file.seek(place[0])
        return file.read(place[1])


def indexed_tar(raw: Path, *, tar: str, index: str = "index.csv") -> Iterator[tuple[Row, Callable[[], bytes]]]:
    """The rows of ``index``, each with a reader of the image in ``tar`` that its column ``path`` names.

    Raises:
        QualityCheckFailed: a row without an image, an image without a row, or two rows for one image.
    """
    places = tar_places(raw / tar)
    with (raw / index).open(newline="", encoding="utf-8") as file:
        rows: list[dict[str, str]] = list(csv.DictReader(file))
    named = Counter(row["path"] for row in rows)
    wrong = sorted((set(named) ^ set(places)) | {path for path, count in named.items() if count > 1})
    if wrong:
        raise QualityCheckFailed(
            f"{index} and {tar} do not name the same images: {', '.join(wrong[:10])} ({len(wrong)} in all).",
            next_step="Obtain the distribution again.",
        )
    for row in rows:
        yield row, partial(read_at, raw / tar, place=places[row["path"]])


def zip_images(path: Path, *, suffix: str) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """The images of a zip, sorted by name, without the hidden files that some systems add."""
    archive = zipfile.ZipFile(path)
    for name in sorted(archive.namelist()):
        if name.lower().endswith(suffix) and not name.startswith("__MACOSX/") and "/." not in name:
            yield name, partial(archive.read, name)


def text_or_none(value: Any) -> str | None:
    """A CSV cell, or None when it is empty."""
    return str(value) if value else None
