"""Who made these files, from what: an in-toto Statement v1 with SLSA provenance v1, in a signed DSSE envelope.

Sources: in-toto attestation framework, spec v1 (Statement, ResourceDescriptor, DigestSet); SLSA v1.0, Build Provenance;
DSSE 1.0.2 (protocol.md, envelope.md).
"""

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from domain.canonical import canonical_json
from domain.dataset import DatasetVersion
from domain.errors import InvalidField, SignatureInvalid
from domain.identifiers import sha256_of
from domain.model_version import ModelManifest
from evidence.ed25519 import is_signed_by, key_id, public_key_of

PAYLOAD_TYPE = "application/vnd.in-toto+json"
# Trains a task's variant at a commit on a dataset version, validates it under its plan and packages it. The parameters
# are those of `fiducial train`; dependencies are named urn:fiducial:commit and urn:fiducial:dataset:<name>.
BUILD_TYPE = "urn:fiducial:build:train-validate-package:v1"
_PLATFORM = "urn:fiducial:platform:"


class _Part(BaseModel):
    # in-toto's parsing rules: a reader ignores fields that it does not know.
    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True)


class Subject(_Part):
    """One file that the statement is about."""

    name: str
    digest: dict[str, str]


class Resource(_Part):
    """Something the build used or left, by address and digest."""

    uri: str
    digest: dict[str, str]
    annotations: dict[str, bool] | None = None


class ExternalParameters(_Part):
    """What a person chose."""

    task: str
    variant: str
    preset: str
    seed: int | None = None


class BuildDefinition(_Part):
    """What goes in."""

    build_type: str
    external_parameters: ExternalParameters
    resolved_dependencies: tuple[Resource, ...]


class Builder(_Part):
    """The installation; named after its public key, which is all that a verifier can know of it."""

    id: str


class Metadata(_Part):
    """Which of its runs."""

    invocation_id: str  # MLflow run


class RunDetails(_Part):
    """What happened."""

    builder: Builder
    metadata: Metadata
    byproducts: tuple[Resource, ...] = ()


class SlsaProvenance(_Part):
    """SLSA's predicate."""

    build_definition: BuildDefinition
    run_details: RunDetails


class Statement(_Part):
    """in-toto's statement: this is claimed of these files."""

    type: Literal["https://in-toto.io/Statement/v1"] = Field(
        default="https://in-toto.io/Statement/v1", alias="_type"
    )  # fmt: skip
    subject: tuple[Subject, ...]
    predicate_type: Literal["https://slsa.dev/provenance/v1"] = "https://slsa.dev/provenance/v1"
    predicate: SlsaProvenance

    @property
    def digests(self) -> dict[str, str]:
        """File name → SHA-256."""
        return {subject.name: subject.digest.get("sha256", "") for subject in self.subject}


def pae(payload_type: str, payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding: what is signed, so that a payload cannot be passed off as another type."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def attest(files: Mapping[str, bytes], manifest: ModelManifest, *, sign: Callable[[bytes], bytes], keyid: str) -> bytes:
    """``attestation.dsse.json``: the statement about every file, signed with the platform's key of that name.

    Raises:
        InvalidField: params.yaml is not among the files, or does not name the task and its preset.
    """
    payload = canonical_json(_statement(files, manifest, keyid=keyid).model_dump(by_alias=True, exclude_none=True))
    return _envelope(payload, signature=sign(pae(PAYLOAD_TYPE, payload)), keyid=keyid)


def open_envelope(data: bytes, public_key: bytes) -> Statement:
    """The statement in an envelope, when the key in that PEM signed it.

    DSSE lets an envelope be written in many ways and its keyid be anything; ours is refused when it is not byte for
    byte as ``attest`` writes it, so that no byte of a bundle is left that could be changed unseen.

    Raises:
        SignatureInvalid: no envelope of ours, another key, or a payload that was changed.
    """
    raw = public_key_of(public_key)
    payload, signature = _parts(data)
    if not is_signed_by(raw, signature=signature, data=pae(PAYLOAD_TYPE, payload)):
        raise SignatureInvalid(
            "The attestation is not signed with this key, or was changed.", next_step="Check the platform's public key."
        )
    if data != _envelope(payload, signature=signature, keyid=key_id(raw)):
        raise SignatureInvalid("The attestation's envelope is not as it was written.", next_step="Ask for it again.")
    try:
        statement = Statement.model_validate_json(payload)
    except ValidationError:
        raise SignatureInvalid("What was signed is no SLSA provenance of a build of ours.") from None
    if len(statement.digests) != len(statement.subject):
        raise SignatureInvalid("The attestation names a file twice.")
    return statement


def _statement(files: Mapping[str, bytes], manifest: ModelManifest, *, keyid: str) -> Statement:
    datasets = [_dataset(version) for version in (manifest.dataset_version, *manifest.external_dataset_versions)]
    return Statement(
        subject=tuple(Subject(name=name, digest={"sha256": sha256_of(files[name])}) for name in sorted(files)),
        predicate=SlsaProvenance(
            build_definition=BuildDefinition(
                build_type=BUILD_TYPE,
                external_parameters=ExternalParameters(
                    task=manifest.task,
                    variant=manifest.variant,
                    preset=_preset(files, manifest.task),
                    seed=manifest.seed,
                ),
                resolved_dependencies=(_commit(manifest), *datasets),
            ),
            run_details=RunDetails(
                builder=Builder(id=_PLATFORM + keyid),
                metadata=Metadata(invocation_id=manifest.run_id),
                byproducts=(
                    Resource(uri="urn:fiducial:weights", digest={"sha256": manifest.weights_sha256}),
                    Resource(
                        uri=f"urn:fiducial:model:{manifest.model_version}", digest={"sha256": manifest.model_sha256}
                    ),
                ),
            ),
        ),
    )


def _commit(manifest: ModelManifest) -> Resource:
    dirty = {"uncommittedChanges": True} if manifest.git_dirty else None
    return Resource(uri="urn:fiducial:commit", digest={"gitCommit": manifest.git_commit}, annotations=dirty)


def _dataset(version: DatasetVersion) -> Resource:
    return Resource(uri=f"urn:fiducial:dataset:{version.name}", digest={"sha256": version.digest})


def _preset(files: Mapping[str, bytes], task: str) -> str:
    try:
        params = yaml.safe_load(files["params.yaml"])
        return str(params["tasks"][task]["preset"])
    except (KeyError, TypeError, UnicodeDecodeError, yaml.YAMLError):
        raise InvalidField(
            f"params.yaml does not say which preset {task} was trained with.", next_step="Attest the file of its run."
        ) from None


def _envelope(payload: bytes, *, signature: bytes, keyid: str) -> bytes:
    envelope = {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [{"keyid": keyid, "sig": base64.b64encode(signature).decode()}],
    }
    return canonical_json(envelope) + b"\n"


def _parts(data: bytes) -> tuple[bytes, bytes]:
    try:
        envelope: Any = json.loads(data)
        (signature,) = envelope["signatures"]
        if envelope["payloadType"] != PAYLOAD_TYPE:
            raise SignatureInvalid("The envelope holds no in-toto statement.")
        return base64.b64decode(envelope["payload"]), base64.b64decode(signature["sig"])
    except (ValueError, KeyError, TypeError, RecursionError, binascii.Error):
        raise SignatureInvalid("The attestation is no DSSE envelope with one signature.") from None
