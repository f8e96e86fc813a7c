"""Electronic signatures (21 CFR 11.50, 11.70): made over, and checked against, every field a person can read."""

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from pydantic import TypeAdapter, ValidationError

from domain.canonical import canonical_json
from domain.electronic_signature import ElectronicSignature, SignatureMeaning, Signer
from domain.errors import InvalidField, SignatureInvalid, SignatureRefused
from domain.identifiers import Sha256
from evidence.ed25519 import is_signed_by

_KEY, _DIGEST, _SIGNATURE = (re.compile(f"[0-9a-f]{{{n}}}") for n in (64, 64, 128))
_SIGNATURES = TypeAdapter(tuple[ElectronicSignature, ...])


def payload(signature: ElectronicSignature) -> bytes:
    """The bytes that are signed: canonical JSON of every field but ``signature``, times in UTC.

    Name, role, meaning and time are therefore as much signed as the record's digest, and none can be taken from one
    signature to another (21 CFR 11.70).
    """
    return canonical_json({name: value for name, value in _plain(signature).items() if name != "signature"})


def sign(
    signer: Signer,
    *,
    meaning: SignatureMeaning,
    what: str,
    sha256: Sha256,
    at: datetime,
    sign: Callable[[bytes], bytes],
) -> ElectronicSignature:
    """The signature of one person on the record of that digest; ``sign`` is their unlocked private key.

    Raises:
        InvalidField: the time has no zone, the digest is none, or it is not said what is signed.
        SignatureRefused: the unlocked key is not the one registered for this signer.
    """
    if at.tzinfo is None:
        raise InvalidField("The time of a signature needs a time zone.", next_step="Give it in UTC.")
    if not what.strip() or not _DIGEST.fullmatch(sha256):
        raise InvalidField("A signature names the record it signs and its SHA-256.", next_step="Give both.")
    unsigned = ElectronicSignature(
        signer=signer, meaning=meaning, signed_at=at.astimezone(UTC), what=what, sha256=sha256, signature=""
    )
    signed = unsigned.model_copy(update={"signature": sign(payload(unsigned)).hex()})
    if not _is_valid(signed):
        raise SignatureRefused(
            f"The key that was unlocked is not the one registered for {signer.name}.", next_step="Sign as its owner."
        )
    return signed


def check(signature: ElectronicSignature, data_sha256: Sha256) -> None:
    """Nothing, when this signer signed the record of that digest and no field was changed since.

    That the key is the signer's is for the caller to know: a bundle's attestation vouches for the whole list.

    Raises:
        SignatureInvalid: naming the signer and what was to be signed.
    """
    says = f"The {signature.meaning} signature of {signature.signer.name} on {signature.what}"
    if signature.sha256 != data_sha256:
        raise SignatureInvalid(f"{says} is over other bytes.", next_step="Ask for a signature on this record.")
    if not _is_valid(signature):
        raise SignatureInvalid(
            f"{says} does not verify: a field was changed, or another key signed.", next_step="Treat it as forged."
        )


def signatures_bytes(signatures: Iterable[ElectronicSignature]) -> bytes:
    """``signatures.json``: one signature a line, so that a line without its ``signature`` is what was signed."""
    lines = ",\n".join(canonical_json(_plain(signature)).decode() for signature in signatures)
    return f"[\n{lines}\n]\n".encode()


def read_signatures(data: bytes) -> tuple[ElectronicSignature, ...]:
    """The signatures in the bytes of a ``signatures.json``.

    Raises:
        SignatureInvalid: not a list of signatures, or with a key that no signature has.
    """
    try:
        return _SIGNATURES.validate_json(data)
    except ValidationError as error:
        place = ".".join(str(part) for part in error.errors()[0]["loc"]) or "the document"
        raise SignatureInvalid(f"signatures.json is no list of signatures (at {place}).") from None


def _is_valid(signature: ElectronicSignature) -> bool:
    # One spelling each: fromhex would take capitals and spaces, and the same signature would have many forms.
    if not _KEY.fullmatch(signature.signer.public_key) or not _SIGNATURE.fullmatch(signature.signature):
        return False
    times = (signature.signed_at, signature.signer.registered_at)
    return all(time.tzinfo is not None for time in times) and is_signed_by(
        bytes.fromhex(signature.signer.public_key),
        signature=bytes.fromhex(signature.signature),
        data=payload(signature),
    )


def _plain(signature: ElectronicSignature) -> dict[str, object]:
    # A database may give a moment back in another zone: the moment is signed, not its spelling.
    signer = signature.signer.model_copy(update={"registered_at": _utc(signature.signer.registered_at)})
    normal = signature.model_copy(update={"signer": signer, "signed_at": _utc(signature.signed_at)})
    plain: dict[str, object] = normal.model_dump(mode="json")
    return plain


def _utc(at: datetime) -> datetime:
    return at.astimezone(UTC) if at.tzinfo else at
