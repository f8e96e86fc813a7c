"""Private keys: one Ed25519 key for each person who signs, and one of the installation for its attestations."""

import contextlib
import hashlib
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from secrets import token_bytes

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from domain.errors import Conflict, IntegrityViolation, InvalidField, SignatureRefused
from infra.secrets import Secrets, write_once

Sign = Callable[[bytes], bytes]

MIN_PASSPHRASE = 12  # characters
_MAX_OCTETS = 1023
# scrypt (RFC 7914) with one of the settings that OWASP's Password Storage Cheat Sheet calls equivalent: 32 MiB, 0.2 s.
_SCRYPT = {"n": 2**15, "r": 8, "p": 3, "maxmem": 2**26, "dklen": 32}
_ACCOUNT = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_PLATFORM = "platform-key"


class SignerKeys:
    """The encrypted private keys below one folder, one file a signer.

    Who has the file has not the key: signing takes the passphrase each time, which is the second of the two components
    that 21 CFR 11.200(a)(1) asks for (the account is the first) and is kept nowhere. PKCS#8 as the library writes it
    stretches a passphrase by 2,048 rounds of PBKDF2, a millisecond's work; so what it gets is the passphrase after
    scrypt, with the salt of the file's first line.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def create(self, name: str, passphrase: str) -> str:
        """A new key for that account; the answer is its public half, 32 bytes in hexadecimal digits.

        Raises:
            InvalidField: the passphrase is too short or too long, or the name is not one of an account.
            Conflict: the account has a key; it stays, or what it signed would be an orphan.
        """
        if not _ACCOUNT.fullmatch(name):
            raise InvalidField("An account's name has 1 to 64 small letters, digits, - and _ only.")
        octets = _octets(passphrase)
        if len(passphrase) < MIN_PASSPHRASE or octets is None:
            raise InvalidField(
                f"A passphrase has {MIN_PASSPHRASE} characters or more, and {_MAX_OCTETS} bytes at most.",
                next_step="Choose another.",
            )
        key = Ed25519PrivateKey.generate()
        try:
            write_once(self._path(name), _salted(key, octets))
        except FileExistsError:
            raise Conflict(f"{name} has a signing key already.", next_step="Register another account.") from None
        return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()

    def unlock(self, name: str, passphrase: str) -> Sign:
        """What signs bytes with that account's key, for one act of signing: do not keep it.

        Raises:
            SignatureRefused: no such account, or not its passphrase; which of them is not said, nor shown by the time
                it takes.
        """
        known = _ACCOUNT.fullmatch(name) is not None and self._path(name).is_file()
        key = _opened(self._path(name).read_bytes() if known else _decoy(), _octets(passphrase))
        if key is None:
            raise SignatureRefused(
                "The account may not sign, or the passphrase is not its own.", next_step="Check both and sign again."
            )
        return key.sign

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.pem"


@dataclass(frozen=True)
class PlatformKey:
    """The installation's own key: what signs with it, and its public half in PEM."""

    public_pem: bytes
    sign: Sign


def platform_key(folder: Path) -> PlatformKey:
    """The key that signs this installation's attestations; made once, in the folder of its other secrets.

    The file is encrypted, and its passphrase lies beside it, both readable by their owner only. That keeps the key from
    who gets the file alone (a copy, a listing of one file); it does not keep it from who can read the whole folder as
    its owner or as root, because a service that signs unattended needs no person to unlock it. An attestation therefore
    says "this installation made it", never "a person approved it": persons sign with their own keys.

    Raises:
        IntegrityViolation: the key and its passphrase do not belong together.
    """
    octets = Secrets(folder).password(_PLATFORM).encode()
    path = folder / f"{_PLATFORM}.pem"
    if not path.exists():
        with contextlib.suppress(FileExistsError):  # another process was first: its key counts
            write_once(path, _encrypted(Ed25519PrivateKey.generate(), octets))
    key = _decrypted(path.read_bytes(), octets)
    if key is None:
        raise IntegrityViolation(
            f"{path.name} cannot be opened with the passphrase beside it.",
            next_step="Restore both from one backup; with a new key, verifiers need the new public key.",
        )
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return PlatformKey(public_pem=public, sign=key.sign)


def _encrypted(key: Ed25519PrivateKey, octets: bytes) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(octets)).decode("ascii")


def _salted(key: Ed25519PrivateKey, octets: bytes) -> str:
    salt = token_bytes(16)
    return f"Salt: {salt.hex()}\n{_encrypted(key, hashlib.scrypt(octets, salt=salt, **_SCRYPT))}"


def _opened(content: bytes, octets: bytes | None) -> Ed25519PrivateKey | None:
    salted = re.fullmatch(rb"Salt: ([0-9a-f]{32})\n(.+)", content, re.DOTALL)
    if octets is None or salted is None:
        return None
    salt = bytes.fromhex(salted[1].decode())
    return _decrypted(salted[2], hashlib.scrypt(octets, salt=salt, **_SCRYPT))


def _decrypted(pem: bytes, octets: bytes) -> Ed25519PrivateKey | None:
    """The key; None when this is not its passphrase, or the file not a key of ours."""
    try:
        key = load_pem_private_key(pem, password=octets)
    except (ValueError, TypeError):  # TypeError: a file that is not encrypted
        return None
    return key if isinstance(key, Ed25519PrivateKey) else None


def _octets(passphrase: str) -> bytes | None:
    """The passphrase as bytes; None when no key can have it."""
    try:
        # NIST SP 800-63B 5.1.1.2: normalised, so that two keyboards' "ü" are one.
        octets = unicodedata.normalize("NFKC", passphrase).encode()
    except UnicodeEncodeError:
        return None
    return octets if 0 < len(octets) <= _MAX_OCTETS else None


@cache
def _decoy() -> bytes:
    """A key nobody can open: trying it takes as long as trying a real one."""
    return _salted(Ed25519PrivateKey.generate(), token_bytes(32)).encode()
