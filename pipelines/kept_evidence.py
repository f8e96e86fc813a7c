"""The evidence of a model version: its files copied into the object store when it is promoted, named in the database.

From then on a version's report, plan, decision and run can be read when the working copy has moved on and MLflow is
gone. The database's lines cannot be changed, the objects are named by their SHA-256.
"""

import base64
import json
from collections.abc import Mapping
from pathlib import Path

from domain.canonical import readable_json
from domain.change_control import GateDecision
from domain.errors import NotFound, UnknownRun
from domain.identifiers import Sha256
from domain.model_version import ModelManifest
from evidence import lineage
from evidence.record import ValidationReport
from infra.db.session import UnitOfWork
from models import checkpoints
from models.plans import PCCP_FILE, PLAN_FILE
from pipelines import plans
from pipelines.wiring import Offline

REPORT, GALLERY, SBOM, WEIGHTS = "report.json", "gallery.json", "sbom.cdx.json", "weights.bin"
_RUN = "run.json"
_FROM_COPY = ("requirements.lock", "params.yaml", "dvc.lock")
_MOVE_ON = frozenset({*_FROM_COPY, _RUN})  # with the working copy and MLflow, after the version was promoted


def files_of(
    manifest: ModelManifest, report: ValidationReport, decision: GateDecision, *, root: Offline
) -> dict[str, bytes]:
    """Every file of the version's evidence by name; signatures and attestation are added when it is bundled.

    Raises:
        NotFound: one of them is not where the stages leave it.
        UnknownRun: MLflow does not know the version's run.
    """
    task = manifest.task
    reports = root.store("reports", task)
    return {
        **{name: _read(root.copy / name) for name in _FROM_COPY},
        REPORT: _read(reports / manifest.variant / REPORT),
        GALLERY: _read(reports / manifest.variant / GALLERY),
        SBOM: _read(reports / SBOM),
        "plan.yaml": plans.document(task, PLAN_FILE, folder=root.copy),
        "pccp.yaml": plans.document(task, PCCP_FILE, folder=root.copy),
        "decision.json": readable_json(decision.model_dump(mode="json")),
        "ledger.json": readable_json([line.model_dump(mode="json") for line in report.ledger]),
        "dataset.json": readable_json(manifest.dataset_version.model_dump(mode="json")),
        "manifest.json": lineage.manifest_bytes(manifest),
        _RUN: run_record(root, manifest.run_id),
        WEIGHTS: b"".join(checkpoints.canonical_bytes(checkpoints.read_weights(_checkpoint(manifest, root)))),
    }


def keep(manifest: ModelManifest, files: Mapping[str, bytes], *, work: UnitOfWork, root: Offline) -> None:
    """Put the files into the object store and name them in the database; what is kept stays as it was first kept.

    Raises:
        IntegrityViolation: the version's own evidence (report, plans, decision, weights …) was kept with other bytes.
    """
    known = work.evidence_files.of_version(manifest.task, manifest.version)
    for name, data in sorted(files.items()):
        if name in known and name in _MOVE_ON:
            continue
        sha256 = root.objects.put(work.tenant, data)
        work.evidence_files.add(manifest.task, manifest.version, name, sha256=sha256, size_bytes=len(data))


def names_kept(task: str, version: int, *, root: Offline) -> dict[str, Sha256]:
    """Name → SHA-256 of a version's evidence.

    Raises:
        NotFound: none was kept: the version was never promoted here.
    """
    with root.database.unit_of_work(root.tenant, read_only=True) as work:
        found = work.evidence_files.of_version(task, version)
    if not found:
        raise NotFound(
            f"No evidence of {task}@{version} is kept here.", next_step="`fiducial history` lists what was promoted."
        )
    return dict(found)


def read_kept(task: str, version: int, *, root: Offline) -> dict[str, bytes]:
    """Every kept file of a version by name, each checked against its digest.

    Raises:
        NotFound: as ``names_kept``.
        IntegrityViolation: a file is gone or altered.
    """
    names = names_kept(task, version, root=root)
    return {name: root.objects.get(root.tenant, sha256) for name, sha256 in names.items()}


def run_record(root: Offline, run_id: str) -> bytes:
    """What MLflow holds of a run, as canonical JSON.

    Raises:
        UnknownRun: MLflow does not know it.
    """
    if not root.tracking.is_known(run_id):
        raise UnknownRun(f"MLflow knows no run {run_id}.")
    return readable_json(root.tracking.client.get_run(run_id).to_dictionary())


def gallery_of(data: bytes) -> dict[str, bytes]:
    """PNG bytes by ``sample_id`` from a ``gallery.json``."""
    return {name: base64.b64decode(text) for name, text in json.loads(data).items()}


def _checkpoint(manifest: ModelManifest, root: Offline) -> Path:
    return root.store("checkpoints", manifest.task, manifest.variant)


def _read(file: Path) -> bytes:
    if not file.is_file():
        raise NotFound(f"{file.name} is not at {file.parent}.", next_step="Run `fiducial validate` again.")
    return file.read_bytes()
