"""The attestation says who built what from what, in the words of in-toto and SLSA, and no byte of it can be changed."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from domain.errors import InvalidField, SignatureInvalid
from domain.identifiers import sha256_of
from domain.model_version import ModelManifest
from evidence.attestation import attest, open_envelope, pae
from evidence.ed25519 import key_id, public_key_of
from evidence.record import ValidationReport

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
FILES = {
    "report.json": b"{}",
    "params.yaml": b"tasks:\n  chest_xray_pneumonia: {source: phantom_chest, preset: demo}\n",
}


def pem_of(key: Any) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


PEM = pem_of(KEY)
KEYID = key_id(public_key_of(PEM))


@pytest.fixture(scope="module")
def manifest(report: ValidationReport, manifest_of: Callable[..., ModelManifest]) -> ModelManifest:
    return manifest_of(report, report_sha256=sha256_of(b"{}"))


@pytest.fixture(scope="module")
def envelope(manifest: ModelManifest) -> bytes:
    return attest(FILES, manifest, sign=KEY.sign, keyid=KEYID)


def payload_of(envelope: bytes) -> dict[str, Any]:
    return json.loads(base64.b64decode(json.loads(envelope)["payload"]))


def signed_anew(payload: bytes, *, kind: str = "application/vnd.in-toto+json") -> bytes:
    """An envelope that is well formed and well signed around another payload."""
    signature = base64.b64encode(KEY.sign(pae("application/vnd.in-toto+json", payload))).decode()
    parts = {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": kind,
        "signatures": [{"keyid": KEYID, "sig": signature}],
    }
    return json.dumps(parts, separators=(",", ":")).encode() + b"\n"


def test_the_encoding_before_signing_is_that_of_the_specification() -> None:
    # DSSE protocol.md, "Test Vectors"
    assert pae("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )
    assert pae("é", b"") == b"DSSEv1 2 \xc3\xa9 0 "


def test_it_names_every_file_with_its_digest(envelope: bytes) -> None:
    statement = open_envelope(envelope, PEM)
    assert statement.digests == {name: sha256_of(content) for name, content in FILES.items()}


def test_it_has_the_form_of_in_toto_and_slsa(envelope: bytes, manifest: ModelManifest) -> None:
    statement = payload_of(envelope)
    assert json.loads(envelope)["payloadType"] == "application/vnd.in-toto+json"
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == "https://slsa.dev/provenance/v1"
    build, run = statement["predicate"]["buildDefinition"], statement["predicate"]["runDetails"]
    assert build["externalParameters"] == {
        "task": manifest.task, "variant": manifest.variant, "preset": "demo", "seed": 1,
    }  # fmt: skip
    assert build["buildType"].startswith("urn:fiducial:build:")
    assert run["builder"] == {"id": f"urn:fiducial:platform:{KEYID}"}
    assert run["metadata"] == {"invocationId": manifest.run_id}


def test_it_says_from_which_commit_and_which_data(envelope: bytes, manifest: ModelManifest) -> None:
    commit, *datasets = payload_of(envelope)["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert commit == {"uri": "urn:fiducial:commit", "digest": {"gitCommit": manifest.git_commit}}
    assert datasets == [
        {"uri": f"urn:fiducial:dataset:{version.name}", "digest": {"sha256": version.digest}}
        for version in (manifest.dataset_version, *manifest.external_dataset_versions)
    ]
    assert len(datasets) == 2


def test_uncommitted_changes_are_no_secret(manifest: ModelManifest) -> None:
    dirty = attest(FILES, manifest.model_copy(update={"git_dirty": True}), sign=KEY.sign, keyid=KEYID)
    commit = payload_of(dirty)["predicate"]["buildDefinition"]["resolvedDependencies"][0]
    assert commit["annotations"] == {"uncommittedChanges": True}


def test_a_baseline_without_a_seed_has_none(manifest: ModelManifest) -> None:
    made = attest(FILES, manifest.model_copy(update={"seed": None}), sign=KEY.sign, keyid=KEYID)
    assert "seed" not in payload_of(made)["predicate"]["buildDefinition"]["externalParameters"]
    assert open_envelope(made, PEM).predicate.build_definition.external_parameters.seed is None


def test_the_same_files_are_attested_in_the_same_bytes(envelope: bytes, manifest: ModelManifest) -> None:
    again = attest(dict(reversed(FILES.items())), manifest, sign=KEY.sign, keyid=KEYID)
    assert again == envelope


def test_another_key_does_not_open_it(envelope: bytes) -> None:
    with pytest.raises(SignatureInvalid, match="not signed with this key"):
        open_envelope(envelope, pem_of(Ed25519PrivateKey.generate()))


@pytest.mark.parametrize("pem", [b"", b"-----BEGIN PUBLIC KEY-----", pem_of(generate_private_key(SECP256R1()))])
def test_what_is_no_ed25519_key_opens_nothing(envelope: bytes, pem: bytes) -> None:
    with pytest.raises(SignatureInvalid, match="not an Ed25519 key"):
        open_envelope(envelope, pem)


def test_every_byte_of_the_envelope_counts(envelope: bytes) -> None:
    for at in range(len(envelope)):
        for bit in (0x01, 0x20, 0x80):
            flipped = bytearray(envelope)
            flipped[at] ^= bit
            with pytest.raises(SignatureInvalid):
                open_envelope(bytes(flipped), PEM)


@pytest.mark.parametrize(
    "rewrite",
    [
        lambda envelope: envelope.rstrip(),
        lambda envelope: b" " + envelope,
        lambda envelope: envelope.replace(b'{"payload"', b'{"note":1,"payload"'),
        lambda envelope: envelope.replace(KEYID.encode(), KEYID[::-1].encode()),
        lambda envelope: json.dumps(json.loads(envelope), indent=1).encode(),
        lambda envelope: envelope.replace(b'"signatures":[', b'"signatures":[' + envelope[-180:-3] + b","),
        lambda envelope: b'{"signatures":[],' + envelope[1:],
    ],
)
def test_an_envelope_written_in_another_way_is_refused(envelope: bytes, rewrite: Callable[[bytes], bytes]) -> None:
    assert rewrite(envelope) != envelope
    with pytest.raises(SignatureInvalid):
        open_envelope(rewrite(envelope), PEM)


@pytest.mark.parametrize(
    "data", [b"", b"null", b"[]", b"{}", b"\xff", b"[" * 100_000, b'{"payload":1,"signatures":[1]}']
)
def test_what_is_no_envelope_is_refused(data: bytes) -> None:
    with pytest.raises(SignatureInvalid, match="no DSSE envelope"):
        open_envelope(data, PEM)


def test_a_payload_of_another_type_is_refused_although_it_is_signed(envelope: bytes) -> None:
    payload = base64.b64decode(json.loads(envelope)["payload"])
    assert open_envelope(signed_anew(payload), PEM)
    with pytest.raises(SignatureInvalid, match="no in-toto statement"):
        open_envelope(signed_anew(payload, kind="application/json"), PEM)


@pytest.mark.parametrize(
    ("place", "value"),
    [("_type", "https://in-toto.io/Statement/v0.1"), ("predicateType", "https://example.org/v1"), ("predicate", {})],
)
def test_a_statement_of_another_kind_is_refused_although_it_is_signed(envelope: bytes, place: str, value: Any) -> None:
    other = json.dumps(payload_of(envelope) | {place: value}).encode()
    with pytest.raises(SignatureInvalid, match="no SLSA provenance"):
        open_envelope(signed_anew(other), PEM)


def test_a_statement_that_names_a_file_twice_is_refused(envelope: bytes) -> None:
    statement = payload_of(envelope)
    statement["subject"].append(statement["subject"][0])
    with pytest.raises(SignatureInvalid, match="twice"):
        open_envelope(signed_anew(json.dumps(statement).encode()), PEM)


def test_fields_of_a_later_version_are_ignored_as_in_toto_asks(envelope: bytes) -> None:
    later = json.dumps(payload_of(envelope) | {"later": 1}).encode()
    assert open_envelope(signed_anew(later), PEM).digests == open_envelope(envelope, PEM).digests


@pytest.mark.parametrize("params", [b"", b"tasks: {}", b"tasks: {chest_xray_pneumonia: {}}", b"{", b"\xff\xfe\x00"])
def test_a_run_whose_preset_nobody_knows_is_not_attested(manifest: ModelManifest, params: bytes) -> None:
    with pytest.raises(InvalidField, match="which preset"):
        attest(FILES | {"params.yaml": params}, manifest, sign=KEY.sign, keyid=KEYID)
