"""A report as PDF: the same bytes for the same page and date, nothing fetched, and every heading in it."""

import os
import re
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from domain.electronic_signature import ElectronicSignature
from domain.errors import BadInput
from domain.identifiers import sha256_of
from evidence.page import render
from evidence.pdf import laid_out, pdf_bytes
from evidence.record import ValidationReport
from evidence.report import report_bytes

DECLARED = date(2026, 3, 2)
WITHOUT_PANGO = """
import datetime, cffi
def missing(*_): raise OSError("cannot load library 'libpango-1.0-0'")
cffi.FFI.dlopen = missing
from domain.errors import Unavailable
from evidence.pdf import pdf_bytes
try: pdf_bytes("<p>x</p>", declared=datetime.date(2026, 3, 2))
except Unavailable as error: print(error)
"""


@pytest.fixture(scope="module")
def page(full_report: ValidationReport, signed: ElectronicSignature) -> str:
    return render(full_report, report_sha256=sha256_of(report_bytes(full_report)), gallery={}, signatures=(signed,))


@pytest.fixture(scope="module")
def pdf(page: str) -> bytes:
    return pdf_bytes(page, declared=DECLARED)


def unpacked(pdf: bytes) -> bytes:
    """A PDF of which every stream can be read."""
    import zlib

    def inflate(found: re.Match[bytes]) -> bytes:
        try:
            return b"stream\n" + zlib.decompress(found.group(1)) + b"\nendstream"
        except zlib.error:
            return found.group()

    return re.sub(rb"stream\r?\n(.*?)\r?\nendstream", inflate, pdf, flags=re.DOTALL)


@pytest.mark.slow
def test_the_same_page_and_date_give_the_same_bytes_in_every_process(page: str, pdf: bytes, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(page)
    again = (
        "import sys, datetime, pathlib; from evidence.pdf import pdf_bytes; "
        "sys.stdout.buffer.write(pdf_bytes(pathlib.Path(sys.argv[1]).read_text(), declared=datetime.date(2026, 3, 2)))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo", "PYTHONPATH": str(Path.cwd())}
    found = subprocess.run([sys.executable, "-c", again, str(tmp_path / "page.html")], env=environment,
                           capture_output=True, check=True)  # fmt: skip
    assert found.stdout == pdf


def test_the_metadata_state_the_declared_date_and_no_other(pdf: bytes) -> None:
    dates = set(re.findall(rb"/(?:CreationDate|ModDate) \(D:(\d{8})", unpacked(pdf)))
    assert dates == {b"20260302"}
    small = [pdf_bytes("<title>x</title><p>x</p>", declared=date(2026, 3, day)) for day in (2, 2, 3)]
    assert small[0] == small[1] != small[2]


def test_it_has_pages_tags_and_a_bookmark_for_each_heading(page: str, pdf: bytes) -> None:
    inside = unpacked(pdf)
    assert len(re.findall(rb"/Type /Page\b", inside)) > 3
    assert b"/StructTreeRoot" in inside
    bookmarks = re.findall(rb"/Title <(\w+)>|/Title \(((?:\\.|[^)\\])*)\)", inside)
    titles = {
        bytes.fromhex(code.decode()).decode("utf-16") if code else plain.decode("latin-1") for code, plain in bookmarks
    }
    for heading in re.findall(r"<h2[^>]*>([^<]+)</h2>", page):
        assert heading in titles


@pytest.mark.parametrize("above_mm", range(204, 256, 6))
def test_the_heading_of_the_checklists_stands_on_the_page_of_the_first_one(page: str, above_mm: int) -> None:
    style, section = (
        re.search(pattern, page, re.DOTALL) for pattern in (r"<style>.*?</style>", r'<h2 id="checklists".*?(?=<h2)')
    )
    assert style
    assert section
    filled = f"{style.group()}<main><div style='height:{above_mm}mm'></div>{section.group()}</main>"
    pages = [[box.element_tag for box in sheet._page_box.descendants()] for sheet in laid_out(filled).pages]
    (first,) = [tags for tags in pages if "h2" in tags]
    assert "h3" in first
    assert first.count("tr") > 1  # a row besides the table's head


def test_a_page_that_names_an_address_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(b"x")
    for address in ("https://example.org/x.png", f"file://{tmp_path}/secret.png"):
        with pytest.raises(BadInput, match="names the address"):
            pdf_bytes(f'<title>x</title><img alt="" src="{address}">', declared=DECLARED)


def test_a_picture_within_the_page_is_drawn() -> None:
    dot = (
        "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptV"
        "AAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
    )
    assert b"/Subtype /Image" in unpacked(pdf_bytes(f'<title>x</title><img alt="x" src="{dot}">', declared=DECLARED))


def test_without_pango_the_debian_packages_are_named() -> None:
    said = subprocess.run([sys.executable, "-c", WITHOUT_PANGO], capture_output=True, text=True, check=True,
                          env={**os.environ, "PYTHONPATH": str(Path.cwd())}).stdout  # fmt: skip
    assert "libpango-1.0-0" in said
    assert "apt-get install libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0" in said


# WeasyPrint's import allows Pillow to read truncated images; in this process films are decoded too.
DRAWN_THEN_DECODED = """
import datetime, io
from PIL import Image
from evidence.pdf import pdf_bytes
pdf_bytes("<p>x</p>", declared=datetime.date(2026, 3, 2))
whole = io.BytesIO()
Image.effect_noise((64, 64), 50).save(whole, "PNG")
try: Image.open(io.BytesIO(whole.getvalue()[:2000])).load()
except OSError: print("refused")
"""


def test_drawing_a_pdf_does_not_let_truncated_films_be_read() -> None:
    done = subprocess.run([sys.executable, "-c", DRAWN_THEN_DECODED], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "refused"
