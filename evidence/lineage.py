"""From a prediction back to the commit: every link named with its digest, and each digest recomputed from real bytes.

``trace`` builds the chain from what the platform recorded and touches nothing. ``verify`` walks it with resolvers the
caller passes in, one per kind of link, so that the same walk works on a running platform and, years later, on an
archive.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict

from domain.errors import FiducialError, IntegrityViolation, NotEstimable
from domain.identifiers import PredictionId, Sha256, sha256_of
from domain.model_version import ModelManifest
from domain.prediction import Concluded, Prediction


class LinkKind(StrEnum):
    """What a link of the chain is, in the order of the walk."""

    PREDICTION = "prediction"
    IMAGE = "image"
    MODEL_VERSION = "model_version"
    MODEL = "model"
    WEIGHTS = "weights"
    REPORT = "report"
    RUN = "run"
    DATASET_VERSION = "dataset_version"
    SHARD = "shard"
    COMMIT = "commit"


class Link(BaseModel):
    """One thing in the chain and how its bytes can be known again.

    ``algorithm`` says what ``digest`` is: the SHA-256 of the bytes; Git's object name of a commit; or, for records
    that grow (an MLflow run), nothing, and then the bytes must name every string in ``must_name``.
    """

    model_config = ConfigDict(frozen=True)

    kind: LinkKind
    name: str
    algorithm: Literal["sha256", "git", "names"]
    digest: str | None
    where: str
    must_name: tuple[str, ...] = ()


class Trace(BaseModel):
    """The whole walk of one prediction, with who approved the model version."""

    model_config = ConfigDict(frozen=True)

    prediction_id: PredictionId
    model_version: str
    approver: str
    demo: bool
    links: tuple[Link, ...]


class VerifiedLink(BaseModel):
    """A link after its bytes were read again."""

    model_config = ConfigDict(frozen=True)

    link: Link
    status: Literal["verified", "altered", "missing"]
    found: str | None  # digest of the bytes that were found
    size_bytes: int
    reason: str = ""


Content = bytes | Iterable[bytes]  # chunks, where the bytes are too many to hold
Resolver = Callable[[Link], Content]


def trace(prediction: Prediction, manifest: ModelManifest) -> Trace:
    """The chain of a prediction, answered or abstained from, beginning with itself and the version's manifest.

    A demo classifier has no weights, run or data: its chain ends at the model version.

    Raises:
        NotEstimable: no model version has said anything, or it was another one.
    """
    if not isinstance(prediction.state, Concluded):
        raise NotEstimable("Only an answered prediction can be traced.", next_step="Wait until it is done.")
    if prediction.state.model_version != manifest.model_version:
        raise NotEstimable(f"{prediction.state.model_version} answered, not {manifest.model_version}.")
    links = [_prediction(prediction), *_images(prediction.state), _manifest(manifest)]
    if manifest.engine != "rule":
        links += _training(manifest)
    return Trace(
        prediction_id=prediction.prediction_id,
        model_version=manifest.model_version,
        approver=manifest.approver,
        demo=manifest.demo,
        links=tuple(links),
    )


def verify(walk: Trace, resolvers: Mapping[LinkKind, Resolver]) -> tuple[VerifiedLink, ...]:
    """Every link with its bytes read and hashed again; a link without a resolver, or whose bytes are gone, is
    "missing".
    """
    return tuple(_verify(link, resolvers.get(link.kind)) for link in walk.links)


def prediction_bytes(prediction: Prediction) -> bytes:
    """The canonical bytes of a prediction's record, which its link's digest covers."""
    return prediction.model_dump_json().encode()


def manifest_bytes(manifest: ModelManifest) -> bytes:
    """The canonical bytes of a manifest, whatever the layout of the file it was read from."""
    return manifest.model_dump_json().encode()


def _prediction(prediction: Prediction) -> Link:
    return Link(
        kind=LinkKind.PREDICTION,
        name=prediction.prediction_id,
        algorithm="sha256",
        digest=sha256_of(prediction_bytes(prediction)),
        where=f"predictions/{prediction.prediction_id}",
    )


def _images(state: Concluded) -> list[Link]:
    return [
        _sha256(LinkKind.IMAGE, one.sop_instance_uid, one.object_sha256, f"objects/{one.object_sha256}")
        for one in state.instances
    ]


def _manifest(manifest: ModelManifest) -> Link:
    digest = sha256_of(manifest_bytes(manifest))
    return _sha256(LinkKind.MODEL_VERSION, manifest.model_version, digest, "bento/manifest.json")


def _training(manifest: ModelManifest) -> list[Link]:
    of_task = f"{manifest.task}/{manifest.variant}"
    version = manifest.dataset_version
    prepared = f"data/store/prepared/{version.source}"
    return [
        _sha256(LinkKind.MODEL, "model.onnx", manifest.model_sha256, "bento/model.onnx"),
        _sha256(LinkKind.WEIGHTS, of_task, manifest.weights_sha256, f"data/store/checkpoints/{of_task}"),
        _sha256(LinkKind.REPORT, "report.json", manifest.report_sha256, f"data/store/reports/{of_task}/report.json"),
        Link(
            kind=LinkKind.RUN,
            name=manifest.run_id,
            algorithm="names",
            digest=None,
            where=f"mlflow/{manifest.run_id}",
            must_name=(manifest.run_id, manifest.weights_sha256, version.digest, manifest.git_commit),
        ),
        _sha256(LinkKind.DATASET_VERSION, version.name, version.digest, f"{prepared}/samples.parquet"),
        *(
            _sha256(LinkKind.SHARD, name, digest, f"{prepared}/shards/{name}")
            for name, digest in sorted(version.shards.items())
        ),
        Link(
            kind=LinkKind.COMMIT,
            name=manifest.git_commit,
            algorithm="git",
            digest=manifest.git_commit,
            where=f"git/{manifest.git_commit}",
        ),
    ]


def _sha256(kind: LinkKind, name: str, digest: Sha256, where: str) -> Link:
    return Link(kind=kind, name=name, algorithm="sha256", digest=digest, where=where)


def _verify(link: Link, resolve: Resolver | None) -> VerifiedLink:
    if resolve is None:
        return VerifiedLink(link=link, status="missing", found=None, size_bytes=0, reason="no way to read it is known")
    try:
        content = resolve(link)
        chunks = [content] if isinstance(content, bytes) else content
        if link.kind is LinkKind.MODEL_VERSION:
            chunks = [manifest_bytes(ModelManifest.model_validate_json(b"".join(chunks)))]
        return _compare(link, chunks)
    except IntegrityViolation as error:  # a door that checks for itself, such as the object store
        return VerifiedLink(link=link, status="altered", found=None, size_bytes=0, reason=error.what)
    except FiducialError as error:
        return VerifiedLink(link=link, status="missing", found=None, size_bytes=0, reason=error.what)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        return VerifiedLink(link=link, status="missing", found=None, size_bytes=0, reason=reason)
    except ValueError:  # pydantic: bytes that are no manifest
        return VerifiedLink(link=link, status="altered", found=None, size_bytes=0, reason="not a manifest")


def _compare(link: Link, chunks: Iterable[bytes]) -> VerifiedLink:
    if link.algorithm == "sha256":
        found, size = _hash(chunks)
        unlike = found != link.digest
        return _verdict(link, found, size, "its SHA-256 is not the recorded one" if unlike else "")
    whole = b"".join(chunks)
    if link.algorithm == "git":
        # Git names an object by the SHA-1 of a header and its bytes (git help cat-file); the name is all a commit has.
        header = b"commit %d\0" % len(whole)
        found = hashlib.sha1(header + whole, usedforsecurity=False).hexdigest()
        return _verdict(link, found, len(whole), "" if found == link.digest else "it is not the object of that name")
    absent = sum(name.encode() not in whole for name in link.must_name)
    reason = f"{absent} of the {len(link.must_name)} things it must name are not in it" if absent else ""
    return _verdict(link, sha256_of(whole), len(whole), reason)


def _verdict(link: Link, found: str, size: int, reason: str) -> VerifiedLink:
    return VerifiedLink(
        link=link, status="altered" if reason else "verified", found=found, size_bytes=size, reason=reason
    )


def _hash(chunks: Iterable[bytes]) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    for chunk in chunks:
        digest.update(chunk)
        size += len(chunk)
    return digest.hexdigest(), size
