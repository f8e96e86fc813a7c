"""The documents of a bundle, read for what must agree and nothing else: a bundle outlives the schemas of its day."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from evidence.verdict import BundleCheck, failed

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _View(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class DatasetView(_View):
    """dataset.json, and what other documents say of it."""

    source: str
    digest: Digest


class OpeningView(_View):
    """A line of ledger.json."""

    number: int
    task: str
    dataset_sha256: Digest
    model_sha256: Digest
    plan_sha256: Digest
    opened_at: AwareDatetime


class ManifestView(_View):
    """manifest.json."""

    task: str
    version: int
    variant: str
    weights_sha256: Digest
    model_sha256: Digest
    report_sha256: Digest
    dataset_version: DatasetView
    run_id: str
    git_commit: str
    seed: int | None

    @property
    def model_version(self) -> str:
        """Printable identity."""
        return f"{self.task}@{self.version}"


class DecisionView(_View):
    """decision.json."""

    task: str
    model_version: str
    variant: str
    report_sha256: Digest
    plan_sha256: Digest
    pccp_sha256: Digest
    decided_at: datetime


class _Model(_View):
    task: str
    variant: str


class _Provenance(_View):
    run_id: str
    git_commit: str
    weights_sha256: Digest
    model_sha256: Digest
    dataset_version: DatasetView
    seed: int | None


class _Results(_View):
    dataset_version: DatasetView


class _Planned(_View):
    sha256: Digest
    registered_at: AwareDatetime


class _Environment(_View):
    sbom_sha256: Digest


class ReportView(_View):
    """report.json."""

    model: _Model
    provenance: _Provenance
    test: _Results
    planned: _Planned | None = None
    environment: _Environment | None = None
    ledger: tuple[OpeningView, ...] = ()


@dataclass(frozen=True)
class Documents:
    """Those that were read."""

    report: ReportView
    manifest: ManifestView
    decision: DecisionView
    dataset: DatasetView
    ledger: tuple[OpeningView, ...]


_KINDS: dict[str, TypeAdapter[Any]] = {
    "report.json": TypeAdapter(ReportView),
    "manifest.json": TypeAdapter(ManifestView),
    "decision.json": TypeAdapter(DecisionView),
    "dataset.json": TypeAdapter(DatasetView),
    "ledger.json": TypeAdapter(tuple[OpeningView, ...]),
}


def read_documents(files: Mapping[str, bytes]) -> Documents | tuple[BundleCheck, ...]:
    """The documents, or what keeps them from being read."""
    unreadable = tuple(_unreadable(files))
    if unreadable:
        return unreadable
    read = {name: kind.validate_json(files[name]) for name, kind in _KINDS.items()}
    return Documents(**{name.removesuffix(".json"): document for name, document in read.items()})


def _unreadable(files: Mapping[str, bytes]) -> Iterator[BundleCheck]:
    for name, kind in _KINDS.items():
        try:
            kind.validate_json(files.get(name, b""))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"]) or "the document"
            yield failed(name, f"cannot be read at {place}: {first['msg']}")
