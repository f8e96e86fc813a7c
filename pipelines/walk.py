"""The walk from a prediction back to the commit, with every link's real bytes read and hashed again on this machine."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from domain.errors import IntegrityViolation, NotFound, UnknownRun
from domain.identifiers import PredictionId, Sha256
from domain.model_version import ModelManifest
from domain.prediction import Concluded, Prediction
from evidence import lineage
from evidence.lineage import Link, LinkKind, Resolver, Trace, VerifiedLink
from pipelines.wiring import PROJECT, Offline

_CHUNK = 1 << 20


def walk_back(prediction_id: str, root: Offline) -> tuple[Trace, tuple[VerifiedLink, ...]]:
    """A prediction's trace, built from what the platform recorded, and each link checked against its bytes.

    Raises:
        UnknownPrediction: this tenant has no such prediction.
        NotFound: it has no answer to trace.
    """
    with root.database.unit_of_work(root.tenant, read_only=True) as work:
        prediction = work.predictions.get(PredictionId(prediction_id))
        if not isinstance(prediction.state, Concluded):
            raise NotFound(f"{prediction_id} has no answer to trace.", next_step="Wait until it is done.")
        if prediction.state.model_version.endswith("@0"):
            raise NotFound(
                f"{prediction_id} was answered by the demo classifier, which was not trained from any data.",
                next_step="Run `fiducial lifecycle run`, then predict again.",
            )
        task, _, version = prediction.state.model_version.rpartition("@")
        manifest, bento = work.model_versions.get(task, int(version))
        kept = work.evidence_files.of_version(task, int(version))
    walk = lineage.trace(prediction, manifest)
    resolvers = _resolvers(prediction, manifest, bento=Path(bento), root=root) | _kept(kept, root)
    return walk, lineage.verify(walk, resolvers)


def require_verified(links: tuple[VerifiedLink, ...]) -> None:
    """Do nothing when every link is verified.

    Raises:
        IntegrityViolation: a link's bytes are altered or missing.
    """
    for found in links:
        if found.status != "verified":
            raise IntegrityViolation(
                f"The {found.link.kind} {found.link.name} is {found.status}: {found.reason}.",
                next_step=f"It should be at {found.link.where}.",
            )


def _resolvers(
    prediction: Prediction, manifest: ModelManifest, *, bento: Path, root: Offline
) -> dict[LinkKind, Resolver]:
    model = bento / "src" / "model"
    of_task = (manifest.task, manifest.variant)
    prepared = root.store("prepared", manifest.dataset_version.source)
    return {
        LinkKind.PREDICTION: lambda _: lineage.prediction_bytes(prediction),
        LinkKind.IMAGE: lambda link: root.objects.get(root.tenant, Sha256(link.digest or "")),
        LinkKind.MODEL_VERSION: lambda _: (model / "manifest.json").read_bytes(),
        LinkKind.MODEL: lambda _: (model / "model.onnx").read_bytes(),
        LinkKind.WEIGHTS: partial(_weights, root.store("checkpoints", *of_task)),
        LinkKind.REPORT: lambda _: (root.store("reports", *of_task) / "report.json").read_bytes(),
        LinkKind.RUN: partial(_run, root),
        LinkKind.DATASET_VERSION: lambda _: _chunks(prepared / "samples.parquet"),
        LinkKind.SHARD: lambda link: _chunks(prepared / "shards" / link.name),
        LinkKind.COMMIT: _commit,
    }


def _kept(kept: Mapping[str, Sha256], root: Offline) -> dict[LinkKind, Resolver]:
    """What was copied when the version was promoted: it stays when the working copy moves on and MLflow is gone."""

    def named(name: str) -> Resolver:
        return lambda _: root.objects.get(root.tenant, kept[name])

    names = {LinkKind.REPORT: "report.json", LinkKind.RUN: "run.json", LinkKind.WEIGHTS: "weights.bin"}
    return {kind: named(name) for kind, name in names.items() if name in kept}


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk


def _weights(folder: Path, _: Link) -> Iterator[bytes]:
    from models.checkpoints import canonical_bytes, read_weights

    return canonical_bytes(read_weights(folder))


def _run(root: Offline, link: Link) -> bytes:
    if not root.tracking.is_known(link.name):
        raise UnknownRun(f"MLflow knows no run {link.name}.")
    return json.dumps(root.tracking.client.get_run(link.name).to_dictionary(), sort_keys=True).encode()


def _commit(link: Link) -> bytes:
    found = subprocess.run(["git", "-C", str(PROJECT), "cat-file", "commit", link.name], capture_output=True)
    if found.returncode:
        raise NotFound(f"This clone has no commit {link.name}.", next_step="git fetch")
    return found.stdout
