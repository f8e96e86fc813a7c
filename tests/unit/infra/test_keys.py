"""A signing key opens with its own passphrase only, is written once, and belongs to its owner."""

import stat
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from domain.errors import Conflict, IntegrityViolation, InvalidField, SignatureRefused
from infra.keys import SignerKeys, platform_key

PASSPHRASE = "a cat on a warm stove"


@pytest.fixture
def keys(tmp_path: Path) -> SignerKeys:
    return SignerKeys(tmp_path / "signers")


def refusal(keys: SignerKeys, name: str, passphrase: str) -> str:
    with pytest.raises(SignatureRefused) as refused:
        keys.unlock(name, passphrase)
    return str(refused.value)


def test_what_the_unlocked_key_signs_verifies_with_the_public_key_that_was_handed_out(keys: SignerKeys) -> None:
    public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(keys.create("quinn", PASSPHRASE)))
    signature = keys.unlock("quinn", PASSPHRASE)(b"report")
    public.verify(signature, b"report")
    with pytest.raises(InvalidSignature):
        public.verify(signature, b"rep0rt")


def test_every_signer_has_a_key_of_their_own(keys: SignerKeys) -> None:
    assert keys.create("quinn", PASSPHRASE) != keys.create("rosa", PASSPHRASE)


def test_a_wrong_passphrase_and_an_unknown_account_are_refused_in_the_same_words(keys: SignerKeys) -> None:
    keys.create("quinn", PASSPHRASE)
    said = {
        refusal(keys, "quinn", PASSPHRASE + "x"),
        refusal(keys, "nobody", PASSPHRASE),
        refusal(keys, "../quinn", PASSPHRASE),
        refusal(keys, "quinn", ""),
        refusal(keys, "quinn", "x" * 5000),
        refusal(keys, "quinn", "\ud800" * 12),
    }
    assert len(said) == 1


def test_an_unknown_account_takes_as_long_to_refuse_as_a_wrong_passphrase(keys: SignerKeys) -> None:
    keys.create("quinn", PASSPHRASE)
    refusal(keys, "nobody", PASSPHRASE)

    def fastest(name: str) -> float:
        took = []
        for _ in range(3):
            before = time.perf_counter()
            refusal(keys, name, "not the passphrase")
            took.append(time.perf_counter() - before)
        return min(took)

    assert fastest("nobody") > fastest("quinn") / 4


@pytest.mark.parametrize(
    "passphrase", ["", "elevenchars", "x" * 1024, "\N{ARABIC LIGATURE SALLALLAHOU ALAYHE WASALLAM}" * 60]
)
def test_a_passphrase_that_is_too_short_or_too_long_makes_no_key(keys: SignerKeys, passphrase: str) -> None:
    with pytest.raises(InvalidField, match="12 characters"):
        keys.create("quinn", passphrase)
    refusal(keys, "quinn", passphrase)


@pytest.mark.parametrize("name", ["", "Quinn", "../quinn", "a/b", "q" * 65, "quinn\n", ".hidden"])
def test_no_name_leads_out_of_the_folder(keys: SignerKeys, name: str) -> None:
    with pytest.raises(InvalidField, match="small letters"):
        keys.create(name, PASSPHRASE)


def test_the_same_words_typed_on_another_keyboard_open_the_key(keys: SignerKeys) -> None:
    keys.create("quinn", "grüne Wiese im Mai")
    assert keys.unlock("quinn", "gru\N{COMBINING DIAERESIS}ne Wiese im Mai")(b"report")


def test_a_key_is_never_overwritten(keys: SignerKeys, tmp_path: Path) -> None:
    keys.create("quinn", PASSPHRASE)
    before = (tmp_path / "signers/quinn.pem").read_bytes()
    with pytest.raises(Conflict, match="quinn has a signing key"):
        keys.create("quinn", "another passphrase")
    assert (tmp_path / "signers/quinn.pem").read_bytes() == before
    assert [path.name for path in (tmp_path / "signers").iterdir()] == ["quinn.pem"]


def test_of_two_who_register_one_account_at_once_only_one_gets_a_key(keys: SignerKeys, tmp_path: Path) -> None:
    def attempt(passphrase: str) -> bool:
        try:
            keys.create("quinn", passphrase)
        except Conflict:
            return False
        return True

    passphrases = [f"a long passphrase {i}" for i in range(3)]
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(attempt, passphrases))
    assert made.count(True) == 1
    assert keys.unlock("quinn", passphrases[made.index(True)])
    assert len(list((tmp_path / "signers").iterdir())) == 1


def test_the_file_is_encrypted_and_its_owners_alone(keys: SignerKeys, tmp_path: Path) -> None:
    keys.create("quinn", PASSPHRASE)
    path = tmp_path / "signers/quinn.pem"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert b"ENCRYPTED" in path.read_bytes()
    with pytest.raises(TypeError, match="encrypted"):
        load_pem_private_key(path.read_bytes(), password=None)


def test_the_passphrase_is_stretched_before_it_encrypts_so_that_guessing_is_slow(
    keys: SignerKeys, tmp_path: Path
) -> None:
    keys.create("quinn", PASSPHRASE)
    with pytest.raises(ValueError, match="password"):
        load_pem_private_key((tmp_path / "signers/quinn.pem").read_bytes(), password=PASSPHRASE.encode())
    keys.create("rosa", PASSPHRASE)
    salts = {path.read_text().splitlines()[0] for path in (tmp_path / "signers").iterdir()}
    assert len(salts) == 2


def test_a_key_that_was_put_there_unencrypted_does_not_sign(keys: SignerKeys, tmp_path: Path) -> None:
    keys.create("quinn", PASSPHRASE)
    plain = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path = tmp_path / "signers/quinn.pem"
    salt = path.read_bytes().splitlines()[0]
    for content in (plain, salt + b"\n" + plain, b"", salt):
        path.write_bytes(content)
        refusal(keys, "quinn", PASSPHRASE)


def test_the_platform_key_is_made_once_and_signs_what_its_public_half_verifies(tmp_path: Path) -> None:
    first, second = platform_key(tmp_path / "secrets"), platform_key(tmp_path / "secrets")
    assert first.public_pem == second.public_pem
    public = load_pem_public_key(first.public_pem)
    assert isinstance(public, Ed25519PublicKey)
    public.verify(second.sign(b"statement"), b"statement")
    assert platform_key(tmp_path / "other").public_pem != first.public_pem


def test_the_platform_key_lies_encrypted_beside_its_passphrase_and_only_its_owner_reads_either(tmp_path: Path) -> None:
    platform_key(tmp_path / "secrets")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "secrets").iterdir()}
    assert modes == {"platform-key.pem": 0o600, "platform-key.password": 0o600}
    assert b"ENCRYPTED" in (tmp_path / "secrets/platform-key.pem").read_bytes()


def test_processes_that_start_together_agree_on_the_platform_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: platform_key(tmp_path / "secrets").public_pem, range(16)))
    assert len(keys) == 1


def test_a_platform_key_that_lost_its_passphrase_is_said_to_be_lost(tmp_path: Path) -> None:
    platform_key(tmp_path)
    (tmp_path / "platform-key.password").unlink()
    with pytest.raises(IntegrityViolation, match="Restore both"):
        platform_key(tmp_path)
