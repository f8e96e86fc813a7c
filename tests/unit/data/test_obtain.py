"""Obtain and fetch: no byte is used whose digest is not the expected one."""

import http.server
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar

import pytest
from pydantic import HttpUrl

from data.obtain import RECEIPT, fetch, how_to_get, obtain, verified
from data.source import Record, Source
from domain.dataset import Distribution, File
from domain.errors import DigestMismatch, DistributionMissing, Unavailable
from domain.identifiers import Sha256, sha256_of

Publish = Callable[..., tuple[Source, Path]]


class _Publisher(http.server.BaseHTTPRequestHandler):
    """A publisher's server on this machine: knows ranges, and can break off in the middle."""

    body: ClassVar[bytes] = bytes(range(256)) * 4000
    break_after: ClassVar[int] = 0
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        asked = self.headers.get("Range", "")
        self.asked.append(asked)
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        if start >= len(self.body):
            self.send_error(416)
            return
        part = self.body[start:]
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        self.wfile.write(part[: self.break_after] if self.break_after else part)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def address() -> Iterator[str]:
    _Publisher.break_after, _Publisher.asked = 0, []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Publisher) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/films.zip"
        server.shutdown()
        thread.join()


@pytest.fixture
def source(published: Publish, record: Callable[..., Record], image: Callable[..., bytes]) -> tuple[Source, Path]:
    return published([(record(f"{k}.png"), image(str(k))) for k in range(3)])


@pytest.fixture
def fetched(source: tuple[Source, Path], address: str) -> Callable[[str | None], Source]:
    """A source whose publisher's original is at the test server, with this recorded digest."""

    def make(digest: str | None) -> Source:
        file = File(name="films.zip", sha256=Sha256(digest) if digest else None, url=HttpUrl(address))
        original = Distribution(name="publisher", files=(file,))
        made = source[0]
        made.card = made.card.model_copy(update={"distributions": (*made.card.distributions, original)})  # type: ignore[misc]
        return made

    return make


def _nothing(_: int, __: int) -> None:
    pass


def test_verified_files_are_copied_from_the_mirror(source: tuple[Source, Path], tmp_path: Path) -> None:
    assert obtain(source[0], mirror=source[1], raw=tmp_path / "raw") == "mirror"
    assert {path.name for path in (tmp_path / "raw").iterdir()} == {"images.tar", "index.csv", RECEIPT}


def test_an_altered_mirror_is_refused_and_leaves_nothing(source: tuple[Source, Path], tmp_path: Path) -> None:
    (source[1] / "test_source" / "index.csv").write_text("path\n")
    with pytest.raises(DigestMismatch, match=r"index\.csv"):
        obtain(source[0], mirror=source[1], raw=tmp_path / "raw")
    assert not any(path.name.startswith("raw") for path in tmp_path.iterdir())


@pytest.mark.parametrize("mirror", [None, Path("/nonexistent")])
def test_without_files_the_error_names_both_ways_and_the_phantom(
    fetched: Callable[..., Source], tmp_path: Path, mirror: Path | None
) -> None:
    with pytest.raises(DistributionMissing) as failure:
        obtain(fetched("0" * 64), mirror=mirror, raw=tmp_path / "raw")
    ways = (
        "test_source/ of the folder that FIDUCIAL_DATA_MIRROR",
        "`fiducial data fetch test_source`",
        "phantom_chest",
    )
    assert all(way in str(failure.value) for way in ways)


def test_fetching_is_advised_only_where_it_can_work(
    source: tuple[Source, Path], fetched: Callable[..., Source]
) -> None:
    assert "data fetch" not in how_to_get(source[0])  # nobody publishes it in this form
    assert "`fiducial data fetch test_source`" in how_to_get(fetched("0" * 64))


def test_where_no_digest_is_recorded_fetching_is_advised_with_the_publishers(fetched: Callable[..., Source]) -> None:
    assert "`fiducial data fetch test_source --sha256 films.zip=DIGEST`" in how_to_get(fetched(None))


def test_what_is_there_is_kept_without_a_mirror(source: tuple[Source, Path], tmp_path: Path) -> None:
    obtain(source[0], mirror=source[1], raw=tmp_path / "raw")
    shutil.rmtree(source[1])
    assert obtain(source[0], mirror=None, raw=tmp_path / "raw") == "mirror"


def test_what_is_there_is_hashed_again(source: tuple[Source, Path], tmp_path: Path) -> None:
    obtain(source[0], mirror=source[1], raw=tmp_path / "raw")
    with (tmp_path / "raw" / "images.tar").open("ab") as file:
        file.write(b"x")
    with pytest.raises(DigestMismatch, match=r"images\.tar"):
        obtain(source[0], mirror=source[1], raw=tmp_path / "raw")


def test_fetch_downloads_and_verifies(fetched: Callable[..., Source], tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    made = fetched(sha256_of(_Publisher.body))
    fetch(made, raw=tmp_path / "raw", progress=lambda done, total: seen.append((done, total)))
    assert (tmp_path / "raw" / "films.zip").read_bytes() == _Publisher.body
    assert seen[-1] == (len(_Publisher.body), len(_Publisher.body))
    assert verified(made, raw=tmp_path / "raw") == "publisher"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("raw")] == ["raw"]


def test_a_broken_download_goes_on_where_it_stopped(fetched: Callable[..., Source], tmp_path: Path) -> None:
    made = fetched(sha256_of(_Publisher.body))
    _Publisher.break_after = 300_000
    with pytest.raises(Unavailable, match="goes on"):
        fetch(made, raw=tmp_path / "raw", progress=_nothing)
    assert not (tmp_path / "raw").exists()
    _Publisher.break_after = 0
    fetch(made, raw=tmp_path / "raw", progress=_nothing)
    assert _Publisher.asked == ["", "bytes=300000-"]
    assert (tmp_path / "raw" / "films.zip").read_bytes() == _Publisher.body


def test_wrong_bytes_are_removed_and_never_used(fetched: Callable[..., Source], tmp_path: Path) -> None:
    with pytest.raises(DigestMismatch):
        fetch(fetched("0" * 64), raw=tmp_path / "raw", progress=_nothing)
    assert not (tmp_path / "raw").exists()
    assert not (tmp_path / "raw.download" / "films.zip").exists()


def test_without_a_known_digest_nothing_is_downloaded(fetched: Callable[..., Source], tmp_path: Path) -> None:
    with pytest.raises(DistributionMissing, match="No digest is recorded"):
        fetch(fetched(None), raw=tmp_path / "raw", progress=_nothing)
    assert _Publisher.asked == []


def test_a_digest_from_the_publisher_makes_the_download_usable(fetched: Callable[..., Source], tmp_path: Path) -> None:
    made = fetched(None)
    fetch(made, raw=tmp_path / "raw", progress=_nothing, digests={"films.zip": sha256_of(_Publisher.body)})
    assert verified(made, raw=tmp_path / "raw") == "publisher"


def test_a_mirror_cannot_stand_in_for_an_unrecorded_digest(fetched: Callable[..., Source], tmp_path: Path) -> None:
    made = fetched(None)
    (tmp_path / "other" / "test_source").mkdir(parents=True)
    (tmp_path / "other" / "test_source" / "films.zip").write_bytes(b"whatever")
    with pytest.raises(DistributionMissing, match="cannot be verified"):
        obtain(made, mirror=tmp_path / "other", raw=tmp_path / "raw")


def test_an_address_that_does_not_answer_is_unavailable(fetched: Callable[..., Source], tmp_path: Path) -> None:
    made = fetched("0" * 64)
    gone = made.card.distributions[-1].files[0].model_copy(update={"url": HttpUrl("http://127.0.0.1:9/films.zip")})
    original = Distribution(name="publisher", files=(gone,))
    made.card = made.card.model_copy(update={"distributions": (original,)})  # type: ignore[misc]
    with pytest.raises(Unavailable):
        fetch(made, raw=tmp_path / "raw", progress=_nothing)


def test_a_source_without_public_address_says_so(source: tuple[Source, Path], tmp_path: Path) -> None:
    with pytest.raises(DistributionMissing, match="no public address"):
        fetch(source[0], raw=tmp_path / "raw", progress=_nothing)
