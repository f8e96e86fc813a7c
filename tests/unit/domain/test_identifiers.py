"""Digests, UIDs and pseudonyms: repeatable, well formed, separate for each tenant."""

import re
import uuid

from domain.identifiers import Tenant, pseudonym_of, sha256_of, uid_from

KEY = bytes(range(32))


def test_the_digest_is_fips_180_4() -> None:
    assert sha256_of(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_uid_of_ours_is_a_valid_dicom_uid() -> None:
    uid = uid_from(uuid.UUID(int=2**128 - 1))
    assert re.fullmatch(r"2\.25\.(0|[1-9]\d*)", uid)
    assert len(uid) <= 64  # PS3.5 9.1


def test_a_patient_keeps_one_pseudonym() -> None:
    first, second = (pseudonym_of("1234", key=KEY, tenant=Tenant("north")) for _ in range(2))
    assert first == second
    assert re.fullmatch(r"[0-9a-f]{32}", first)


def test_the_pseudonym_depends_on_patient_tenant_and_key() -> None:
    names = {
        pseudonym_of("1234", key=KEY, tenant=Tenant("north")),
        pseudonym_of("1235", key=KEY, tenant=Tenant("north")),
        pseudonym_of("1234", key=KEY, tenant=Tenant("south")),
        pseudonym_of("1234", key=KEY[::-1], tenant=Tenant("north")),
    }
    assert len(names) == 4


def test_tenant_and_patient_cannot_run_into_each_other() -> None:
    assert pseudonym_of("b1", key=KEY, tenant=Tenant("a")) != pseudonym_of("1", key=KEY, tenant=Tenant("ab"))


def test_the_pseudonym_does_not_contain_the_patient() -> None:
    assert "cafe" not in pseudonym_of("cafe", key=KEY, tenant=Tenant("north"))
