"""Signing in: right credentials only, tokens only of our own making and only while they last."""

import base64
from datetime import UTC, datetime, timedelta

import jwt
import pytest

from domain.access import UserRole
from domain.errors import NotAuthenticated
from domain.identifiers import DEFAULT_TENANT
from serving.authentication import BasicAuthenticator, TokenAuthenticator, accounts_of

KEY = b"s" * 32
ACCOUNTS = accounts_of(DEFAULT_TENANT, password_of=lambda name: f"secret of {name}")
BASIC = BasicAuthenticator(ACCOUNTS)
TOKENS = TokenAuthenticator(KEY)
CLINICIAN = ACCOUNTS["clinician"].principal


def basic(credentials: str) -> str:
    return "Basic " + base64.b64encode(credentials.encode()).decode()


def claims(**changes: object) -> dict[str, object]:
    issued = datetime.now(UTC)
    return {
        "iss": "fiducial", "aud": "fiducial-facade", "sub": "clinician", "tenant": "default", "role": "clinician",
        "iat": issued, "exp": issued + timedelta(minutes=1), **changes,
    }  # fmt: skip


def bearer(key: bytes = KEY, algorithm: str = "HS256", **changes: object) -> str:
    payload = {name: value for name, value in claims(**changes).items() if value is not None}
    return "Bearer " + jwt.encode(payload, key, algorithm=algorithm)


def test_name_and_password_give_the_accounts_principal() -> None:
    assert BASIC.principal(basic("clinician:secret of clinician")) == CLINICIAN
    assert BASIC.principal(basic("engineer:secret of engineer")).role is UserRole.ENGINEER


@pytest.mark.parametrize(
    "header",
    [None, "", "Basic", "Basic !!!", "Basic " + base64.b64encode(b"\xff\xfe").decode(), "Bearer abc",
     basic("clinician:wrong"), basic("clinician:"), basic("clinician"), basic("nobody:secret of clinician"),
     basic(":"), basic("clinician:secret of clinician ")],
)  # fmt: skip
def test_any_other_basic_header_is_refused(header: str | None) -> None:
    with pytest.raises(NotAuthenticated):
        BASIC.principal(header)


def test_an_issued_token_gives_its_principal_back() -> None:
    assert TOKENS.principal("Bearer " + TOKENS.issue(CLINICIAN)) == CLINICIAN


def test_an_expired_token_is_refused() -> None:
    old = TokenAuthenticator(KEY, now=lambda: datetime.now(UTC) - timedelta(hours=1))
    with pytest.raises(NotAuthenticated):
        TOKENS.principal("Bearer " + old.issue(CLINICIAN))


@pytest.mark.parametrize("missing", ["exp", "iat", "sub", "tenant", "role", "iss", "aud"])
def test_a_token_that_leaves_a_claim_out_is_refused(missing: str) -> None:
    with pytest.raises(NotAuthenticated):
        TOKENS.principal(bearer(**{missing: None}))


@pytest.mark.parametrize("wrong", [{"iss": "other"}, {"aud": "other"}, {"role": "administrator"}])
def test_a_token_for_somebody_else_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(NotAuthenticated):
        TOKENS.principal(bearer(**wrong))


def test_a_token_signed_with_another_key_is_refused() -> None:
    with pytest.raises(NotAuthenticated):
        TOKENS.principal(bearer(key=b"z" * 32))


def test_an_unsigned_token_is_refused() -> None:
    with pytest.raises(NotAuthenticated):
        TOKENS.principal("Bearer " + jwt.encode(claims(), None, algorithm="none"))


def test_another_algorithm_is_refused() -> None:
    with pytest.raises(NotAuthenticated):
        TOKENS.principal(bearer(key=b"s" * 64, algorithm="HS512"))


def test_a_password_does_not_open_what_needs_a_token() -> None:
    with pytest.raises(NotAuthenticated):
        TOKENS.principal(basic("clinician:secret of clinician"))
