"""Objects are what their name says, or they are not there."""

import stat
from pathlib import Path

import pytest

from domain.errors import DigestMismatch, IntegrityViolation
from domain.identifiers import DEFAULT_TENANT, Sha256, Tenant, sha256_of
from infra.objects import ObjectStore


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return ObjectStore(tmp_path / "objects")


def test_bytes_come_back_under_their_digest(store: ObjectStore) -> None:
    sha256 = store.put(DEFAULT_TENANT, b"film")
    assert sha256 == sha256_of(b"film")
    assert store.get(DEFAULT_TENANT, sha256) == b"film"


def test_the_same_bytes_are_stored_once(store: ObjectStore, tmp_path: Path) -> None:
    assert store.put(DEFAULT_TENANT, b"film") == store.put(DEFAULT_TENANT, b"film")
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [sha256_of(b"film")]


def test_an_object_of_another_tenant_is_not_there(store: ObjectStore) -> None:
    sha256 = store.put(DEFAULT_TENANT, b"film")
    with pytest.raises(IntegrityViolation):
        store.get(Tenant("other"), sha256)


def test_altered_bytes_are_never_handed_out(store: ObjectStore) -> None:
    sha256 = store.put(DEFAULT_TENANT, b"film")
    store.path(DEFAULT_TENANT, sha256).write_bytes(b"fil_")
    with pytest.raises(DigestMismatch):
        store.get(DEFAULT_TENANT, sha256)


def test_storing_the_bytes_again_heals_a_damaged_object(store: ObjectStore) -> None:
    sha256 = store.put(DEFAULT_TENANT, b"film")
    store.path(DEFAULT_TENANT, sha256).write_bytes(b"")
    store.put(DEFAULT_TENANT, b"film")
    assert store.get(DEFAULT_TENANT, sha256) == b"film"


def test_only_the_owner_can_read_an_object(store: ObjectStore) -> None:
    path = store.path(DEFAULT_TENANT, store.put(DEFAULT_TENANT, b"film"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("tenant", "sha256"),
    [("..", "a" * 64), ("a/b", "a" * 64), ("", "a" * 64), ("default", "../../etc/passwd"), ("default", "A" * 64)],
)
def test_no_name_leads_out_of_the_store(store: ObjectStore, tenant: str, sha256: str) -> None:
    with pytest.raises(ValueError, match="not a tenant"):
        store.path(Tenant(tenant), Sha256(sha256))
