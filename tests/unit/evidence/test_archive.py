"""An archive has one form only, so that nothing can be hidden in it, and others can read it all the same."""

import io
import random
import struct
import warnings
import zipfile

import pytest

from domain.errors import IntegrityViolation, InvalidField
from evidence.archive import pack, unpack


def test_an_archive_is_a_zip_that_others_read() -> None:
    contents = {"report.json": b'{"auroc": 0.93}', "README.txt": "grün\n".encode(), "empty": b""}
    with zipfile.ZipFile(io.BytesIO(pack(contents))) as other:
        assert other.testzip() is None
        assert {name: other.read(name) for name in other.namelist()} == contents
        assert other.namelist() == sorted(other.namelist())
        assert {entry.date_time for entry in other.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert {(entry.extra, entry.comment, entry.compress_type) for entry in other.infolist()} == {(b"", b"", 0)}


def test_equal_contents_are_equal_bytes_and_come_back() -> None:
    contents = {"b.txt": b"two", "a.txt": b"", "c": bytes(range(256))}
    assert pack(contents) == pack(dict(reversed(contents.items())))
    assert unpack(pack(contents)) == contents
    assert unpack(pack({})) == {}


@pytest.mark.parametrize(
    "name", ["../evil", "/etc/passwd", "a/b", "a\\b", "", ".hidden", "ä", "a\n", "x" * 101, "\udcff"]
)
def test_a_name_that_leads_elsewhere_is_not_packed(name: str) -> None:
    with pytest.raises(InvalidField, match="cannot be packed"):
        pack({name: b""})


def test_more_than_an_archive_holds_is_not_packed() -> None:
    with pytest.raises(InvalidField, match="64 MiB"):
        pack({"big": bytes(64 * 2**20 + 1)})
    with pytest.raises(InvalidField, match="64 files"):
        pack({f"f{i}": b"" for i in range(65)})


def zipped(*entries: tuple[str, bytes], method: int = zipfile.ZIP_STORED, comment: bytes = b"") -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(buffer, "w") as other:  # of names written twice
        for name, content in entries:
            info = zipfile.ZipInfo(name)
            info.external_attr = 0o100644 << 16
            other.writestr(info, content, compress_type=method)
        other.comment = comment
    return buffer.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        zipped(("a", b"x")),
        zipped(("a", b"x" * 10**6), method=zipfile.ZIP_DEFLATED),
        zipped(("a", b"x"), ("a", b"y")),
        zipped(("../a", b"x")),
        zipped(("b", b"x"), ("a", b"y")),
        zipped(("a", b"x"), comment=b"hello"),
        pack({"a": b"x"}) + b"\0",
        b"\0" + pack({"a": b"x"}),
        pack({"a": b"x"}) + pack({"a": b"x"}),
        pack({"a": b"x"})[:-1],
        b"",
        b"PK",
        bytes(300),
    ],
)  # fmt: skip
def test_a_zip_of_another_make_is_refused_before_a_file_is_read(data: bytes) -> None:
    with pytest.raises(IntegrityViolation, match="the archive's own structure"):
        unpack(data)


def test_two_files_of_one_name_are_refused_even_when_written_as_we_write() -> None:
    # Same length, so that renaming leaves every other byte of both headers as we write it.
    with pytest.raises(IntegrityViolation, match="lists names twice"):
        unpack(pack({"a1": b"x", "a2": b"y"}).replace(b"a2", b"a1"))
    with pytest.raises(IntegrityViolation, match="out of order"):
        unpack(pack({"a1": b"x", "a2": b"y"}).replace(b"a1", b"a3"))
    with pytest.raises(IntegrityViolation, match="lead elsewhere"):
        unpack(pack({"a..b": b"x"}).replace(b"a..b", b"../b"))


def test_a_directory_that_states_more_than_there_is_reads_nothing() -> None:
    data = bytearray(pack({"a": b"x"}))
    central = data.index(b"PK\1\2")
    struct.pack_into("<II", data, central + 20, 2**32 - 1, 2**32 - 1)
    with pytest.raises(IntegrityViolation, match="sizes"):
        unpack(bytes(data))


def test_whatever_is_unpacked_is_what_pack_would_make() -> None:
    draw = random.Random(7)
    whole = pack({"a.json": b"{}", "b.txt": b"some words", "c": b""})
    accepted = 0
    for _ in range(5000):
        changed = bytearray(whole)
        for _ in range(draw.randint(0, 2)):
            changed[draw.randrange(len(changed))] = draw.randrange(256)
        try:
            found = unpack(bytes(changed))
        except IntegrityViolation:
            continue
        accepted += 1
        assert pack(found) == bytes(changed) == whole
    assert accepted > 1000
