"""The evidence bundle: everything that speaks for one model version in one file, checked with nothing but that file and
the platform's public key.
"""

from collections.abc import Callable, Iterator, Mapping

from domain.electronic_signature import ElectronicSignature
from domain.errors import IntegrityViolation, InvalidField, SignatureInvalid
from domain.identifiers import sha256_of
from domain.model_version import ModelManifest
from evidence.archive import STRUCTURE, Damage, pack, read, unpack
from evidence.attestation import Statement, attest, open_envelope
from evidence.bundle_checks import check_agreement, check_signatures, check_statement
from evidence.bundle_documents import read_documents
from evidence.by_hand import README
from evidence.ed25519 import key_id, public_key_of
from evidence.lenient_archive import read_leniently
from evidence.verdict import BundleCheck, BundleVerdict, failed, not_checked, verified

__all__ = ["FILES", "OPTIONAL", "pack", "seal", "unpack", "verify"]

FILES = frozenset(
    {
        "report.json", "report.html", "plan.yaml", "pccp.yaml", "decision.json", "ledger.json", "dataset.json",
        "manifest.json", "sbom.cdx.json", "requirements.lock", "params.yaml", "dvc.lock", "run.json", "signatures.json",
    }
)  # fmt: skip
OPTIONAL = frozenset({"report.pdf"})
_ATTESTATION, _KEY, _README = "attestation.dsse.json", "platform.pub.pem", "README.txt"
_OURS = frozenset({_ATTESTATION, _KEY, _README})


def seal(
    files: Mapping[str, bytes], *, manifest: ModelManifest, sign: Callable[[bytes], bytes], public_key: bytes
) -> bytes:
    """The bundle of these files (``FILES`` and, where there is one, the PDF), attested with the platform's key.

    ``public_key`` is that key's public half in PEM; README.txt, the key and the attestation are added. The bundle is
    verified before it is given out: one that contradicts itself is never written.

    Raises:
        InvalidField: a file is missing or none of a bundle's, or params.yaml does not name the task's preset.
        IntegrityViolation: the files contradict each other, or the key is another; the first place is named.
    """
    if unlike := (FILES - files.keys()) | (files.keys() - FILES - OPTIONAL):
        raise InvalidField(f"A bundle lacks or may not hold {', '.join(sorted(unlike))}.")
    whole = {**files, _KEY: public_key, _README: README.encode()}
    whole[_ATTESTATION] = attest(whole, manifest, sign=sign, keyid=key_id(public_key_of(public_key)))
    data = pack(whole)
    if wrong := verify(data, public_key=public_key).failed:
        raise IntegrityViolation(
            f"The bundle of {manifest.model_version} contradicts itself: {wrong[0].file}: {wrong[0].reason}.",
            next_step="Collect the files of one validation.",
        )
    return data


def verify(data: bytes, *, public_key: bytes | None) -> BundleVerdict:
    """Every check of a bundle, with the platform's public key in PEM.

    None asks for the key inside the bundle. The verdict then says "self-consistent, key not checked": whoever forges
    a whole bundle brings a key along.

    Raises:
        SignatureInvalid: the key that was given is no Ed25519 key.
    """
    given = public_key_of(public_key) if public_key is not None else None
    archive = read(data)
    if archive.damage:
        return _damaged(data, archive.damage, given=given, public_key=public_key)
    key, checks = _key(archive.files, given)
    statement, attested = _attested(archive.files, public_key or archive.files.get(_KEY, b""))
    checks += [*_names(archive.files), *attested]
    signatures: tuple[ElectronicSignature, ...] = ()
    documents = read_documents(archive.files)
    if isinstance(documents, tuple):
        checks += documents
    elif archive.files.keys() >= FILES:
        signatures, signed = check_signatures(archive.files)
        checks += [*check_agreement(archive.files, documents), *signed]
        checks += check_statement(statement, documents) if statement else ()
    return _verdict(given, checks=checks, key=key, signatures=signatures)


def _damaged(
    data: bytes, damage: tuple[Damage, ...], *, given: bytes | None, public_key: bytes | None
) -> BundleVerdict:
    """What is damaged; where another tool packed the files again, also which of them are not those attested."""
    checks = [failed(found.file, found.reason) for found in damage]
    files = read_leniently(data) if any(found.file == STRUCTURE for found in damage) else None
    if files is None:
        return _verdict(given, checks=checks, key=given, signatures=())
    key, of_key = _key(files, given)
    _, attested = _attested(files, public_key or files.get(_KEY, b""))
    return _verdict(given, checks=[*checks, *of_key, *_names(files), *attested], key=key, signatures=())


def _verdict(
    given: bytes | None, *, checks: list[BundleCheck], key: bytes | None,
    signatures: tuple[ElectronicSignature, ...],
) -> BundleVerdict:  # fmt: skip
    return BundleVerdict(
        trust="key given" if given is not None else "self-consistent, key not checked",
        key_id=key_id(key) if key is not None else "",
        checks=tuple(checks),
        signatures=signatures,
    )


def _key(files: Mapping[str, bytes], given: bytes | None) -> tuple[bytes | None, list[BundleCheck]]:
    """The key to use, and whether the one inside the bundle is it."""
    try:
        inside = public_key_of(files.get(_KEY, b""))
    except SignatureInvalid as error:
        return given, [failed(_KEY, error.what)]
    if given is None:
        return inside, [not_checked(_KEY, "it came with the bundle: it proves no origin")]
    if inside != given:
        return given, [failed(_KEY, "is not the key that was given")]
    return given, [verified(_KEY, "is the key that was given")]


def _names(files: Mapping[str, bytes]) -> Iterator[BundleCheck]:
    for name in sorted((FILES | _OURS) - files.keys()):
        yield failed(name, "is missing")
    for name in sorted(files.keys() - FILES - _OURS - OPTIONAL):
        yield failed(name, "is no file of a bundle")


def _attested(files: Mapping[str, bytes], public_key: bytes) -> tuple[Statement | None, list[BundleCheck]]:
    try:
        statement = open_envelope(files.get(_ATTESTATION, b""), public_key)
    except SignatureInvalid as error:
        return None, [failed(_ATTESTATION, error.what)]
    checks = [verified(_ATTESTATION, f"signed by {statement.predicate.run_details.builder.id}")]
    digests = statement.digests
    for name in sorted(files.keys() - {_ATTESTATION}):
        if name not in digests:
            checks.append(failed(name, "is not named by the attestation"))
        elif digests[name] != sha256_of(files[name]):
            checks.append(failed(name, "has another SHA-256 than the attestation names"))
        else:
            checks.append(verified(name, f"SHA-256 {digests[name]} as attested"))
    checks += [failed(name, "is attested, but missing") for name in sorted(digests.keys() - files.keys())]
    return statement, checks
