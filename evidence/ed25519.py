"""The one door to Ed25519 (RFC 8032) for evidence: public keys read, named and used; private keys never come here."""

import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from domain.errors import SignatureInvalid

_BEGIN, _END = b"-----BEGIN PUBLIC KEY-----", b"-----END PUBLIC KEY-----"
_MAX_PEM_BYTES = 1024  # nine times an Ed25519 key


def public_key_of(pem: bytes) -> bytes:
    """The 32 raw bytes of a public key in PEM, which must be the whole file: a bundle that holds a key is none.

    Raises:
        SignatureInvalid: not one PEM block alone, or not the key of an Ed25519 pair.
    """
    try:
        # The parser takes the first block in any bytes, so a forged bundle could be given as its own key.
        key = load_pem_public_key(pem) if _is_one_block(pem) else None
    except ValueError:
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise SignatureInvalid("The public key is not an Ed25519 key in PEM.", next_step="Give the platform's own.")
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def _is_one_block(pem: bytes) -> bool:
    bare = pem.strip()
    one = bare.startswith(_BEGIN) and bare.endswith(_END) and bare.count(b"-----BEGIN") == 1
    return one and len(pem) < _MAX_PEM_BYTES


def key_id(raw: bytes) -> str:
    """How a public key is named: the SHA-256 of its SubjectPublicKeyInfo (``openssl pkey -pubin -outform DER``).

    Raises:
        ValueError: not 32 bytes.
    """
    key = Ed25519PublicKey.from_public_bytes(raw)
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def is_signed_by(raw: bytes, *, signature: bytes, data: bytes) -> bool:
    """True when the holder of that key's private half signed these bytes."""
    try:
        Ed25519PublicKey.from_public_bytes(raw).verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True
