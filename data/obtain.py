"""A source's files, from a mirror, the publisher's address or the generator; none is used unverified."""

import hashlib
import json
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path

from data.folders import written_whole
from data.source import Source
from domain.dataset import Distribution, File
from domain.errors import DigestMismatch, DistributionMissing, Unavailable
from domain.identifiers import Sha256

CHUNK = 1 << 20
RECEIPT = "distribution.json"  # beside the files: which distribution they are, with their digests
GENERATED = "generated"

Progress = Callable[[int, int], None]  # bytes so far, bytes in all (0: not known)


def obtain(source: Source, *, mirror: Path | None, raw: Path) -> str:
    """Have a verified distribution in ``raw``; its name. What is there already is verified and kept.

    Raises:
        DistributionMissing: neither fetched before, nor in the mirror, nor generated.
        DigestMismatch: a file is not the one recorded.
    """
    generated = next((one for one in source.card.distributions if one.name == GENERATED), None)
    if (raw / RECEIPT).is_file() and not (generated and _is_outdated(source, raw=raw)):
        return verified(source, raw=raw)
    if generated:
        with written_whole(raw) as fresh:
            source.generate(fresh)
            _sign(fresh, generated, digests=_recorded(generated))
        return GENERATED
    for distribution in source.card.distributions:
        if mirror is not None and _is_in(mirror / source.name, distribution):
            with written_whole(raw) as fresh:
                for file in distribution.files:
                    shutil.copyfile(mirror / source.name / file.name, fresh / file.name)
                _sign(fresh, distribution, digests=_recorded(distribution))
            return distribution.name
    raise DistributionMissing(
        f"The files of {source.name} are not here.",
        next_step=f"{how_to_get(source)}, or use the phantom: `--source phantom_chest`.",
    )


def how_to_get(source: Source) -> str:
    """The ways to a real source's files; fetching is named only where it can work, with what it needs."""
    publisher = f" (publisher: {source.card.homepage})" if source.card.homepage else ""
    ways = f"Put {_example(source)} into {source.name}/ of the folder that FIDUCIAL_DATA_MIRROR names{publisher}"
    original = _with_address(source)
    if original is None:
        return ways
    unrecorded = [f" --sha256 {file.name}=DIGEST" for file in original.files if file.sha256 is None]
    proof = " with the digest that the publisher states" if unrecorded else ""
    return f"{ways}, or run `fiducial data fetch {source.name}{''.join(unrecorded)}`{proof}"


def _is_outdated(source: Source, *, raw: Path) -> bool:
    try:
        verified(source, raw=raw)
    except DigestMismatch:
        return True  # drawn by an earlier generator, or altered: drawing again costs seconds
    return False


def verified(source: Source, *, raw: Path) -> str:
    """The name of the distribution in ``raw``, after hashing its files.

    Raises:
        DistributionMissing: nothing was obtained yet.
        DigestMismatch: a file is not the one recorded.
    """
    if not (raw / RECEIPT).is_file():
        raise DistributionMissing(f"{source.name} was not obtained yet.", next_step="Run the stage obtain first.")
    receipt = json.loads((raw / RECEIPT).read_text(encoding="utf-8"))
    distribution = next((one for one in source.card.distributions if one.name == receipt["distribution"]), None)
    if distribution is None:
        raise DigestMismatch(
            f"The files of {source.name} are of {receipt['distribution']!r}, which the source no longer names.",
            next_step=f"Remove {raw} and obtain it again.",
        )
    for file in distribution.files:
        _check(raw / file.name, expected=file.sha256 or Sha256(receipt["files"][file.name]))
    return distribution.name


def fetch(source: Source, *, raw: Path, progress: Progress, digests: Mapping[str, Sha256] | None = None) -> None:
    """Download the publisher's original into ``raw``; a broken download goes on where it stopped.

    ``digests`` gives the SHA-256 of files for which the source records none: without it nothing is downloaded.

    Raises:
        DistributionMissing: no distribution has a public address, or no digest is known for a file.
        DigestMismatch: the downloaded bytes are not the expected ones; they are removed.
        Unavailable: the address does not answer.
    """
    distribution = _published(source)
    expected = {file.name: _expected(file, given=digests or {}, source=source) for file in distribution.files}
    waiting = raw.with_name(f"{raw.name}.download")
    waiting.mkdir(parents=True, exist_ok=True)
    for file in distribution.files:
        _download(str(file.url), to=waiting / file.name, progress=progress)
        _check(waiting / file.name, expected=expected[file.name], remove=True)
    with written_whole(raw) as fresh:
        for file in distribution.files:
            (waiting / file.name).rename(fresh / file.name)
        _sign(fresh, distribution, digests=expected)
    waiting.rmdir()


def _published(source: Source) -> Distribution:
    original = _with_address(source)
    if original is None:
        raise DistributionMissing(
            f"{source.name} has no public address to fetch from.", next_step=f"{how_to_get(source)}, or use a phantom."
        )
    return original


def _with_address(source: Source) -> Distribution | None:
    published = (one for one in source.card.distributions if one.files and all(file.url for file in one.files))
    return next(published, None)


def _expected(file: File, *, given: Mapping[str, Sha256], source: Source) -> Sha256:
    digest = file.sha256 or given.get(file.name)
    if digest is None:
        raise DistributionMissing(
            f"No digest is recorded for {file.name} of {source.name}, and bytes that cannot be verified are not used.",
            next_step=f"Take its SHA-256 from {source.card.homepage} and give it: `--sha256 {file.name}=…`.",
        )
    return digest


def _download(url: str, *, to: Path, progress: Progress) -> None:
    done = to.stat().st_size if to.is_file() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={done}-"} if done else {})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            resumed = answer.status == 206  # RFC 9110 15.3.7; any other success sends the whole file again
            done = done if resumed else 0
            total = done + int(answer.headers.get("Content-Length") or 0)
            with to.open("ab" if resumed else "wb") as file:
                while chunk := answer.read(CHUNK):
                    file.write(chunk)
                    done += len(chunk)
                    progress(done, total)
            if done < total:  # read() ends quietly when the connection breaks
                raise ConnectionError(f"{done} of {total} bytes")
    except urllib.error.HTTPError as error:
        if error.code != 416:  # the range is empty: the file is complete
            raise Unavailable(f"{url} answers {error.code}.", next_step="Try again later.") from error
    except OSError as error:
        raise Unavailable(f"{url} cannot be reached.", next_step="Try again: the download goes on.") from error


def _example(source: Source) -> str:
    return " and ".join(file.name for file in source.card.distributions[0].files)


def _is_in(folder: Path, distribution: Distribution) -> bool:
    return bool(distribution.files) and all((folder / file.name).is_file() for file in distribution.files)


def _recorded(distribution: Distribution) -> dict[str, Sha256]:
    return {file.name: file.sha256 for file in distribution.files if file.sha256 is not None}


def _sign(folder: Path, distribution: Distribution, *, digests: Mapping[str, Sha256]) -> None:
    for file in distribution.files:
        if file.name not in digests:
            raise DistributionMissing(
                f"No digest is recorded for {file.name}, and bytes that cannot be verified are not used.",
                next_step="Fetch it with the publisher's digest: `fiducial data fetch … --sha256 FILE=…`.",
            )
        _check(folder / file.name, expected=digests[file.name])
    receipt = {"distribution": distribution.name, "files": dict(sorted(digests.items()))}
    (folder / RECEIPT).write_text(json.dumps(receipt, indent=2) + "\n", encoding="utf-8")


def file_digest(path: Path) -> Sha256:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return Sha256(hashlib.file_digest(file, "sha256").hexdigest())


def _check(path: Path, *, expected: Sha256, remove: bool = False) -> None:
    found = file_digest(path) if path.is_file() else None
    if found != expected:
        if remove:
            path.unlink(missing_ok=True)
        raise DigestMismatch(
            f"{path.name} has SHA-256 {found or 'none (missing)'}, expected {expected}.",
            next_step="Its bytes were altered or it is another version; obtain it again.",
        )
