"""Documents cannot lie about the tree: links lead somewhere, ADRs are listed, the README draws the real folders."""

import re
from pathlib import Path

import pytest

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
TREE_LINE = re.compile(r"^([a-z]+)/ {2,}\S", re.MULTILINE)
FILE = re.compile(r"`([\w./-]+?)(?:::\w+)?`")
SCREEN = 60  # lines; the README has at most two


@pytest.fixture(scope="module")
def documents(files: list[Path]) -> list[Path]:
    return [path for path in files if path.suffix == ".md" and "store" not in path.parts]


def test_every_relative_link_leads_to_a_file(documents: list[Path]) -> None:
    broken = {
        f"{path}: {target}"
        for path in documents
        for target in LINK.findall(path.read_text())
        if "://" not in target
        and not target.startswith(("#", "mailto:"))
        and not (path.parent / target.split("#")[0]).exists()
    }
    assert broken == set()


def test_every_file_that_a_document_names_exists(root: Path, files: list[Path], documents: list[Path]) -> None:
    tops = {path.relative_to(root).parts[0] for path in files}
    missing = {
        f"{path}: {named}"
        for path in documents
        for named in FILE.findall(path.read_text())
        if "/" in named and named.split("/")[0] in tops and not (root / named).exists()
    }
    assert missing == set()


def test_every_decision_is_listed_in_the_index(root: Path) -> None:
    records = {path.name for path in (root / "docs/adr").glob("[0-9]*.md")}
    assert records
    assert records == set(LINK.findall((root / "docs/adr/README.md").read_text()))


def test_decision_numbers_are_unique(root: Path) -> None:
    numbers = [path.name[:4] for path in (root / "docs/adr").glob("[0-9]*.md")]
    assert len(numbers) == len(set(numbers))


def test_every_document_can_be_reached_from_the_index(root: Path, documents: list[Path]) -> None:
    reached: set[Path] = set()
    waiting = [root / "README.md"]
    while waiting:
        path = waiting.pop()
        if path in reached:
            continue
        reached.add(path)
        targets = (target.split("#")[0] for target in LINK.findall(path.read_text()) if "://" not in target)
        waiting += [(path.parent / t).resolve() for t in targets if t.endswith(".md")]
    assert {path for path in documents if path.is_relative_to(root / "docs")} - reached == set()


def test_the_readme_draws_every_folder_and_no_other(root: Path, files: list[Path]) -> None:
    parts = (path.relative_to(root).parts for path in files)
    folders = {part[0] for part in parts if len(part) > 1 and not part[0].startswith(".")}
    assert set(TREE_LINE.findall((root / "README.md").read_text())) == folders


def test_the_readme_fits_two_screens(root: Path) -> None:
    assert len((root / "README.md").read_text().splitlines()) <= 2 * SCREEN
