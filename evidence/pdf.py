"""The page of a report as PDF: the same bytes for the same page and declared date, drawn offline."""

from __future__ import annotations

import logging
from datetime import date
from typing import TYPE_CHECKING, Any

from PIL import ImageFile

from domain.errors import BadInput, Unavailable
from domain.identifiers import sha256_of

if TYPE_CHECKING:
    from weasyprint import Document

PACKAGES = "libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 fonts-dejavu-core fonts-liberation"
VARIANT = "pdf/ua-1"  # ISO 14289-1: tagged, titled, readable aloud


def pdf_bytes(html: str, *, declared: date) -> bytes:
    """A self-contained page as tagged PDF/UA-1 with bookmarks.

    ``declared`` is the date that the metadata state, since the moment of drawing would make every copy another file.
    The same fonts must be installed for the same bytes.

    Raises:
        Unavailable: the libraries that draw text are not installed.
        BadInput: the page names an address; nothing is fetched.
    """
    # It warns of each rule that is for screens only.
    logging.getLogger("weasyprint").setLevel(logging.ERROR)
    drawn = laid_out(html)
    drawn.metadata.created = drawn.metadata.modified = f"{declared.isoformat()}T00:00:00Z"
    data = drawn.write_pdf(
        pdf_variant=VARIANT, pdf_identifier=bytes.fromhex(sha256_of(html.encode())[:32]), pdf_tags=True
    )
    if not isinstance(data, bytes):
        raise Unavailable("WeasyPrint gave no PDF.")
    return data


def laid_out(html: str) -> Document:
    """The page on sheets, as WeasyPrint's document; the one door to it.

    Raises:
        Unavailable, BadInput: as ``pdf_bytes``.
    """
    # WeasyPrint lets Pillow read truncated images, in the whole process: a film that lost its end must stay unreadable.
    truncated = ImageFile.LOAD_TRUNCATED_IMAGES
    try:
        # Late: loading it opens Pango, which only drawing a PDF needs.
        from weasyprint import HTML
        from weasyprint.urls import FatalURLFetchingError, URLFetcher
    except OSError as error:
        raise Unavailable(
            f"A library that draws text is not installed ({str(error).splitlines()[0]}).",
            next_step=f"On Debian: apt-get install {PACKAGES}",
        ) from None
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = truncated

    class OnlyWithin(URLFetcher):  # type: ignore[misc]
        def fetch(self, url: str, headers: Any = None) -> Any:
            if not url.startswith("data:"):
                raise FatalURLFetchingError(f"the page names the address {url[:60]}")
            return super().fetch(url, headers)

    try:
        return HTML(string=html, base_url=None, url_fetcher=OnlyWithin()).render(pdf_variant=VARIANT)
    except FatalURLFetchingError as error:
        raise BadInput(
            f"No PDF was drawn: {error}.", next_step="Put pictures into the page as data: addresses."
        ) from None
