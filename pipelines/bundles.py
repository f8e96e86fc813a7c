"""Reports and evidence bundles of promoted versions and validated variants, from what was kept."""

import os
from datetime import date
from pathlib import Path
from uuid import uuid4

from domain.electronic_signature import ElectronicSignature
from domain.errors import InvalidField, NotFound
from domain.identifiers import sha256_of
from domain.model_version import ModelManifest
from evidence import bundle
from evidence.page import render
from evidence.pdf import pdf_bytes
from evidence.record import ValidationReport
from evidence.signatures import signatures_bytes
from infra.keys import platform_key
from pipelines import kept_evidence
from pipelines.wiring import Offline

_NOT_BUNDLED = frozenset({kept_evidence.WEIGHTS, kept_evidence.GALLERY})


def pages(report_json: bytes, gallery_json: bytes, signatures: tuple[ElectronicSignature, ...]) -> dict[str, bytes]:
    """``report.html`` and ``report.pdf`` of a report, from its bytes alone: the same in give the same out.

    Raises:
        Unavailable: the PDF renderer's system libraries are not installed.
    """
    report = ValidationReport.model_validate_json(report_json)
    html = render(
        report,
        report_sha256=sha256_of(report_json),
        gallery=kept_evidence.gallery_of(gallery_json),
        signatures=signatures,
    )
    return {"report.html": html.encode(), "report.pdf": pdf_bytes(html, declared=declared_date(report))}


def declared_date(report: ValidationReport) -> date:
    """The date a printed report carries: when its model first opened the test set, so that printing again changes
    nothing.

    Raises:
        NotFound: the report was made without a ledger.
    """
    if not report.ledger:
        raise NotFound("The report names no opening of its test set.", next_step="Run `fiducial validate` again.")
    return report.ledger[-1].opened_at.date()


def signatures_of(report_json: bytes, root: Offline) -> tuple[ElectronicSignature, ...]:
    """Every signature given over a report, oldest first."""
    with root.database.unit_of_work(root.tenant, read_only=True) as work:
        return work.signatures.of(sha256_of(report_json))


def bundle_of(task: str, version: int, *, root: Offline) -> bytes:
    """The evidence bundle of a promoted version, attested by this installation's key.

    Raises:
        NotFound: nothing is kept of it.
        IntegrityViolation: something kept is gone or altered.
    """
    kept = kept_evidence.read_kept(task, version, root=root)
    manifest = ModelManifest.model_validate_json(kept["manifest.json"])
    signatures = signatures_of(kept[kept_evidence.REPORT], root)
    key = platform_key(root.settings.secrets)
    files = {name: data for name, data in kept.items() if name not in _NOT_BUNDLED}
    files |= pages(kept[kept_evidence.REPORT], kept[kept_evidence.GALLERY], signatures)
    files["signatures.json"] = signatures_bytes(signatures)
    return bundle.seal(files, manifest=manifest, sign=key.sign, public_key=key.public_pem)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file whole or not at all; nothing of ours is left beside it.

    Raises:
        InvalidField: something that is no ordinary file stands there.
        OSError: it cannot be written there; ``filename`` is the path.
    """
    if path.exists() and not path.is_file():
        what = "a folder" if path.is_dir() else "no ordinary file"
        raise InvalidField(f"{path} is {what}.", next_step="Give the path of a file.")
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{uuid4().hex}.incoming")
    try:
        with beside.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        error.filename, error.filename2 = str(path), None  # a full disk names none, the others the one beside
        raise
    finally:
        beside.unlink(missing_ok=True)
