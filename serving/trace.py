"""A prediction's trace as the facade can prove it: images, model, report, run and weights are hashed again, the rest
is named.

Dataset and commit lie with the offline side; ``fiducial trace`` reads and hashes those too.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from domain.identifiers import PredictionId, Sha256, Tenant
from domain.model_version import ModelManifest
from domain.prediction import Prediction
from evidence import lineage
from evidence.lineage import LinkKind, Resolver
from infra.objects import ObjectStore

MODEL_FOLDER = Path("src") / "model"  # inside a Bento
MANIFEST_FILE, MODEL_FILE = "manifest.json", "model.onnx"
_KEPT = {LinkKind.REPORT: "report.json", LinkKind.RUN: "run.json", LinkKind.WEIGHTS: "weights.bin"}


class CheckedLink(BaseModel):
    """One link; ``recorded`` means named with its digest, but its bytes are not within the facade's reach."""

    model_config = ConfigDict(frozen=True)

    kind: LinkKind
    name: str
    digest: str | None
    where: str
    status: Literal["verified", "altered", "missing", "recorded"]


class CheckedTrace(BaseModel):
    """The whole walk of one prediction, with who approved the model version."""

    model_config = ConfigDict(frozen=True)

    prediction_id: PredictionId
    model_version: str
    approver: str
    demo: bool
    links: tuple[CheckedLink, ...]


@dataclass(frozen=True)
class Reach:
    """Where the facade finds bytes: the object store, the version's Bento, and the evidence kept of the version."""

    objects: ObjectStore
    tenant: Tenant
    bento: str | None
    kept: Mapping[str, Sha256]


def check(prediction: Prediction, manifest: ModelManifest, *, reach: Reach) -> CheckedTrace:
    """The trace of an answered prediction, each link within reach hashed again."""
    walk = lineage.trace(prediction, manifest)
    resolvers = _resolvers(prediction, manifest, reach)
    verified = lineage.verify(walk, resolvers)
    links = tuple(
        CheckedLink(
            kind=one.link.kind,
            name=one.link.name,
            digest=one.link.digest,
            where=one.link.where,
            status=one.status if one.link.kind in resolvers else "recorded",
        )
        for one in verified
    )
    return CheckedTrace(**walk.model_dump(exclude={"links"}), links=links)


def _resolvers(prediction: Prediction, manifest: ModelManifest, reach: Reach) -> dict[LinkKind, Resolver]:
    def stored(sha256: Sha256) -> bytes:
        return reach.objects.get(reach.tenant, sha256)

    known: dict[LinkKind, Resolver] = {
        LinkKind.PREDICTION: lambda _: lineage.prediction_bytes(prediction),
        LinkKind.IMAGE: lambda link: stored(Sha256(link.digest or "")),
    }
    for kind, name in _KEPT.items():
        if name in reach.kept:
            known[kind] = partial(lambda sha256, _: stored(sha256), reach.kept[name])
    if reach.bento is None:
        known[LinkKind.MODEL_VERSION] = lambda _: lineage.manifest_bytes(manifest)
    else:
        folder = Path(reach.bento) / MODEL_FOLDER
        known[LinkKind.MODEL_VERSION] = lambda _: (folder / MANIFEST_FILE).read_bytes()
        known[LinkKind.MODEL] = lambda _: (folder / MODEL_FILE).read_bytes()
    return known
