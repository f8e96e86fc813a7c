"""Whole collections of real and hostile files, each read and decoded in a process with little memory and time.

The collections are those of pydicom, with truncations and bit flips of them, and every file below the folder that
FIDUCIAL_DICOM_CORPUS names. No file may crash, hang or leak another exception than a BadInput.
"""

import json
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest

ROOT = Path(__file__).parent.parent.parent
SECONDS_PER_FILE = 10.0  # of processor time; one file takes about a millisecond, the slowest about half a second
MEMORY_BYTES = 3 * 2**30

PROGRAM = """
import json, pathlib, resource, sys, time
from domain.errors import BadInput
from imaging.limits import Limits
from imaging.part10 import read_upload
from imaging.radiograph import decode
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[1]),) * 2)
limits = Limits()
calls = {
    "read": lambda data: read_upload(data, limits=limits, dicom_scope="full"),
    "basic": lambda data: read_upload(data, limits=limits, dicom_scope="basic"),
    "decode": lambda data: decode(data, limits=limits),
}
for line in sys.stdin:
    data = pathlib.Path(line.strip()).read_bytes()
    for name, call in calls.items():
        print(json.dumps({"begin": line.strip()}), flush=True)
        began = time.process_time()
        try:
            call(data)
            outcome = "ok"
        except BadInput as error:
            outcome = error.code
        print(json.dumps({"call": name, "outcome": outcome, "seconds": time.process_time() - began}), flush=True)
"""


@pytest.fixture(scope="module")
def pydicoms() -> list[Path]:
    """Every file that comes with pydicom's wheel; nothing is fetched."""
    return sorted(path for path in (Path(pydicom.__file__).parent / "data" / "test_files").rglob("*") if path.is_file())


def spoiled(files: list[Path], folder: Path, *, copies: int) -> Iterator[Path]:
    """Truncations and changed bytes, by seed."""
    dice = random.Random(20260301)
    for file in files:
        whole = file.read_bytes()
        for copy in range(copies):
            data = bytearray(whole[: dice.randrange(len(whole))] if copy % 4 == 0 else whole)
            for _ in range(dice.choice((1, 4, 30))):
                reach = min(len(data), 4096) if dice.random() < 0.7 else len(data)
                if reach:
                    data[dice.randrange(reach)] = dice.choice((0, 0x7F, 0x80, 0xFF, dice.randrange(256)))
            path = folder / f"{copy}-{file.name}"
            path.write_bytes(data)
            yield path


def outcomes(files: list[Path]) -> Counter[str]:
    """What became of each file, by call; fails when the process dies or is too slow."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM, str(MEMORY_BYTES)],
        cwd=ROOT, input="\n".join(map(str, files)), capture_output=True, text=True, timeout=590,
    )  # fmt: skip
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, f"{lines[-1]} ended the process: {done.stderr[-2000:]}"
    results = [line for line in lines if "call" in line]
    assert len(results) == 3 * len(files)
    slowest = max(results, key=lambda line: line["seconds"])
    assert slowest["seconds"] < SECONDS_PER_FILE, slowest
    return Counter(f"{line['call']} {line['outcome']}" for line in results)


def test_real_files_are_read_or_refused(pydicoms: list[Path]) -> None:
    counts = outcomes(pydicoms + given())
    assert counts["read ok"] >= 40
    assert counts["decode ok"] >= 12
    print(dict(sorted(counts.items())))  # noqa: T201 - shown by pytest -rP


def given() -> list[Path]:
    folder = os.environ.get("FIDUCIAL_DICOM_CORPUS")
    return sorted(path for path in Path(folder).rglob("*") if path.is_file()) if folder else []


@pytest.mark.slow
def test_broken_copies_of_them_are_read_or_refused(pydicoms: list[Path], tmp_path: Path) -> None:
    small = [path for path in pydicoms if path.stat().st_size < 2**18]
    counts = outcomes(list(spoiled(small, tmp_path, copies=8)))
    assert counts["read unreadable-image"] > 100
    assert counts["read ok"] > 100
