"""Secrets are made once, stay the same, and belong to their owner."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from infra.secrets import Secrets


def test_keys_are_long_differ_and_stay(tmp_path: Path) -> None:
    first, second = Secrets(tmp_path / "secrets"), Secrets(tmp_path / "secrets")
    keys = (first.pseudonym_key, first.routing_key, first.signing_key)
    assert keys == (second.pseudonym_key, second.routing_key, second.signing_key)
    assert len(set(keys)) == 3
    assert {len(key) for key in keys} == {32}


def test_a_password_is_made_once_and_known_to_be_new_before(tmp_path: Path) -> None:
    secrets = Secrets(tmp_path)
    assert not secrets.has_password("clinician")
    password = secrets.password("clinician")
    assert secrets.has_password("clinician")
    assert secrets.password("clinician") == password
    assert secrets.password("engineer") != password
    assert len(password) >= 22


def test_only_the_owner_can_read_a_secret(tmp_path: Path) -> None:
    secrets = Secrets(tmp_path / "secrets")
    assert secrets.signing_key
    (path,) = (tmp_path / "secrets").iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_processes_that_start_together_agree_on_a_secret(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        keys = set(pool.map(lambda _: Secrets(tmp_path / "secrets").signing_key, range(64)))
    assert len(keys) == 1
    assert len(list((tmp_path / "secrets").iterdir())) == 1


def test_no_name_leads_out_of_the_folder(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="small letters"):
        Secrets(tmp_path).password("../x")
