"""A signature holds over the record, the person, the role, the meaning and the time, and over nothing else."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from domain.electronic_signature import ElectronicSignature, SignatureMeaning, Signer, SignerRole
from domain.errors import InvalidField, SignatureInvalid, SignatureRefused
from domain.identifiers import Sha256, sha256_of
from evidence.signatures import check, payload, read_signatures, sign, signatures_bytes

REPORT = sha256_of(b"report")
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
AT = datetime(2026, 11, 25, 9, 30, 15, 120, tzinfo=UTC)


@pytest.fixture
def signer() -> Signer:
    return Signer(
        name="rosa",
        printed_name="Dr. Rosa Müller",
        role=SignerRole.CLINICIAN,
        public_key=KEY.public_key().public_bytes_raw().hex(),
        registered_at=datetime(2026, 11, 1, tzinfo=UTC),
    )


@pytest.fixture
def signed(signer: Signer) -> ElectronicSignature:
    return make(signer)


def make(signer: Signer, **changes: Any) -> ElectronicSignature:
    given: dict[str, Any] = {
        "meaning": SignatureMeaning.APPROVAL,
        "what": "report.json of chest_xray_pneumonia/network-seed1",
        "sha256": REPORT,
        "at": AT,
        "sign": KEY.sign,
    }
    return sign(signer, **(given | changes))


def test_a_signature_is_valid_over_the_record_that_was_signed(signed: ElectronicSignature) -> None:
    check(signed, REPORT)


def test_it_is_not_valid_over_another_record_and_says_whose_and_on_what(signed: ElectronicSignature) -> None:
    with pytest.raises(SignatureInvalid, match=r"approval signature of rosa on report\.json .* over other bytes"):
        check(signed, sha256_of(b"another report"))


def of_signer(**changes: Any) -> Callable[[ElectronicSignature], ElectronicSignature]:
    return lambda made: made.model_copy(update={"signer": made.signer.model_copy(update=changes)})


def of_signature(**changes: Any) -> Callable[[ElectronicSignature], ElectronicSignature]:
    return lambda made: made.model_copy(update=changes)


OTHER_KEY = Ed25519PrivateKey.generate().public_key().public_bytes_raw().hex()


@pytest.mark.parametrize(
    "edit",
    [
        of_signer(name="rosalind"),
        of_signer(printed_name="Dr. Rosa Mueller"),
        of_signer(role=SignerRole.QUALITY),
        of_signer(public_key=OTHER_KEY),
        of_signer(public_key="00" * 32),
        of_signer(public_key=""),
        of_signer(registered_at=datetime(2026, 11, 2, tzinfo=UTC)),
        of_signature(meaning=SignatureMeaning.REVIEW),
        of_signature(signed_at=AT + timedelta(microseconds=1)),
        of_signature(signed_at=AT.replace(tzinfo=None)),
        of_signature(what="report.json of chest_xray_pneumonia/network-seed2"),
        of_signature(signature="00" * 64),
        of_signature(signature=""),
    ],
)
def test_a_change_of_any_field_is_detected(
    signed: ElectronicSignature, edit: Callable[[ElectronicSignature], ElectronicSignature]
) -> None:
    with pytest.raises(SignatureInvalid, match="does not verify"):
        check(edit(signed), REPORT)


def test_a_changed_digest_is_detected_even_when_it_is_that_of_the_record_shown(signed: ElectronicSignature) -> None:
    other = sha256_of(b"another report")
    with pytest.raises(SignatureInvalid, match="does not verify"):
        check(signed.model_copy(update={"sha256": other}), other)


def test_every_field_but_the_signature_is_signed(signed: ElectronicSignature) -> None:
    stated = json.loads(payload(signed))
    assert stated.keys() == ElectronicSignature.model_fields.keys() - {"signature"}
    assert stated["signer"].keys() == Signer.model_fields.keys()


def test_what_is_signed_is_sorted_utf_8_without_spaces(signed: ElectronicSignature) -> None:
    stated = payload(signed)
    assert stated.startswith(b'{"meaning":"approval","sha256":"')
    assert "Dr. Rosa Müller".encode() in stated
    assert stated == json.dumps(json.loads(stated), sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
    Ed25519PublicKey.from_public_bytes(KEY.public_key().public_bytes_raw()).verify(
        bytes.fromhex(signed.signature), stated
    )


def test_each_signature_has_one_spelling(signed: ElectronicSignature) -> None:
    for spelling in (
        signed.signature.upper(),
        signed.signature + " ",
        signed.signature[:2] + " " + signed.signature[2:],
    ):
        with pytest.raises(SignatureInvalid):
            check(signed.model_copy(update={"signature": spelling}), REPORT)


def test_the_moment_is_signed_and_not_the_time_zone_it_is_told_in(signed: ElectronicSignature) -> None:
    tokyo = timezone(timedelta(hours=9))
    check(signed.model_copy(update={"signed_at": signed.signed_at.astimezone(tokyo)}), REPORT)


def test_a_time_without_a_zone_is_not_signed(signer: Signer) -> None:
    with pytest.raises(InvalidField, match="time zone"):
        make(signer, at=AT.replace(tzinfo=None))


def test_a_signature_that_was_made_elsewhere_over_a_time_without_a_zone_is_not_valid(
    signed: ElectronicSignature,
) -> None:
    unclear = signed.model_copy(update={"signed_at": AT.replace(tzinfo=None)})
    signature = KEY.sign(payload(unclear)).hex()
    with pytest.raises(SignatureInvalid):
        check(unclear.model_copy(update={"signature": signature}), REPORT)


@pytest.mark.parametrize("changes", [{"what": " "}, {"sha256": Sha256("")}, {"sha256": Sha256(REPORT.upper())}])
def test_nothing_is_signed_that_is_not_named_with_its_digest(signer: Signer, changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidField, match="names the record"):
        make(signer, **changes)


def test_nobody_signs_in_the_name_of_another(signer: Signer) -> None:
    with pytest.raises(SignatureRefused, match="not the one registered for rosa"):
        make(signer, sign=Ed25519PrivateKey.generate().sign)


def test_signatures_survive_their_file_and_stay_valid(signer: Signer, signed: ElectronicSignature) -> None:
    both = (signed, make(signer, meaning=SignatureMeaning.REVIEW))
    data = signatures_bytes(both)
    assert read_signatures(data) == both
    assert signatures_bytes(read_signatures(data)) == data
    for signature in read_signatures(data):
        check(signature, REPORT)
    assert read_signatures(signatures_bytes(())) == ()


def test_a_line_of_the_file_without_its_signature_is_what_was_signed(signed: ElectronicSignature) -> None:
    line = signatures_bytes([signed]).splitlines()[1]
    assert line.replace(f'"signature":"{signed.signature}",'.encode(), b"") == payload(signed)


@pytest.mark.parametrize("data", [b"", b"{}", b"[{}]", b'[{"note": 1}]', b"\xff"])
def test_a_file_that_is_no_list_of_signatures_is_refused(data: bytes) -> None:
    with pytest.raises(SignatureInvalid, match=r"signatures\.json"):
        read_signatures(data)
