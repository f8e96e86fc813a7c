"""A clone works anywhere: no path of one machine, no address of a package registry, no secret."""

import re
from pathlib import Path

import pytest

BINARY = {".png", ".jpg", ".npy", ".npz", ".dcm", ".parquet", ".onnx", ".tar", ".woff2", ".pdf", ".ico", ".gz"}
# Written in parts, so that this file does not match itself.
MACHINE_PATH = re.compile(r"(?<![\w.$}])/" + r"(?:work|root|home|Users)/" + r"\w")
REGISTRY = re.compile(
    r"\b(?:"
    + "|".join(
        [
            "py" + r"pi\.org",
            "python" + r"hosted\.org",
            "npm" + r"js\.org",
            r"deb\." + r"debian\.org",
            "docker" + r"\.io",
        ]
    )
    + ")"
)
SECRET = re.compile("-----BEGIN (?:RSA |EC |OPENSSH )?" + "PRIVATE KEY-----|" + r"\bAKIA" + r"[0-9A-Z]{16}\b")


@pytest.fixture(scope="module")
def texts(files: list[Path]) -> dict[Path, str]:
    return {path: path.read_text(errors="replace") for path in files if path.suffix.lower() not in BINARY}


@pytest.mark.parametrize("pattern", [MACHINE_PATH, REGISTRY, SECRET], ids=["machine path", "registry host", "secret"])
def test_no_file_carries(texts: dict[Path, str], pattern: re.Pattern[str]) -> None:
    assert {str(path): hit.group() for path, text in texts.items() if (hit := pattern.search(text))} == {}


@pytest.mark.parametrize(
    ("pattern", "bad"),
    [
        (MACHINE_PATH, "open('/ho" + "me/someone/films')"),
        (REGISTRY, "--index-url https://py" + "pi.org/simple"),
        (SECRET, "AK" + "IA" + "A" * 16),
    ],
)
def test_each_pattern_finds_what_it_is_for(pattern: re.Pattern[str], bad: str) -> None:
    assert pattern.search(bad)
