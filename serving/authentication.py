"""Who asks: HTTP basic with generated passwords, or signed tokens (JWT, HS256) issued for them."""

import base64
import binascii
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

import jwt

from domain.access import Principal, UserRole
from domain.errors import NotAuthenticated, TooManyAttempts
from domain.identifiers import Tenant
from infra.clock import now as clock_now
from serving.throttle import Throttle

ISSUER, AUDIENCE, ALGORITHM = "fiducial", "fiducial-facade", "HS256"
TOKEN_LIFETIME = timedelta(minutes=30)
_AGAIN = "Sign in again."


class Authenticator(Protocol):
    """Turns an Authorization header into a principal, or raises NotAuthenticated."""

    @property
    def challenge(self) -> str:
        """The value of WWW-Authenticate."""

    def principal(self, authorization: str | None, *, address: str = "") -> Principal:
        """Who sends this header, and from where."""


@dataclass(frozen=True)
class Account:
    """One account of the facade; the password is a generated secret, kept in a file of mode 0600."""

    password: str
    principal: Principal


def accounts_of(tenant: Tenant, *, password_of: Callable[[str], str]) -> dict[str, Account]:
    """One account for each role, named after it."""
    return {
        role.value: Account(password_of(role.value), Principal(name=role.value, tenant=tenant, role=role))
        for role in UserRole
    }


@dataclass(frozen=True)
class BasicAuthenticator:
    """RFC 7617 over the platform's accounts."""

    accounts: Mapping[str, Account]
    challenge: str = 'Basic realm="fiducial", charset="UTF-8"'
    throttle: Throttle = field(default_factory=Throttle)

    def principal(self, authorization: str | None, *, address: str = "") -> Principal:
        """Who sends this header; raises NotAuthenticated or TooManyAttempts."""
        scheme, _, value = (authorization or "").partition(" ")
        if scheme.lower() != "basic":
            raise NotAuthenticated("Name and password are needed.", next_step="Sign in.")
        try:
            name, _, password = base64.b64decode(value.strip(), validate=True).decode("utf-8").partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise NotAuthenticated("The credentials cannot be read.", next_step=_AGAIN) from None
        return self.check(name, password, address=address)

    def check(self, name: str, password: str, *, address: str = "") -> Principal:
        """The principal of a name and password, in a time that tells nothing of either.

        Raises:
            NotAuthenticated: one of them is wrong.
            TooManyAttempts: the last ones from this address were.
        """
        account = self.accounts.get(name)
        known = name if account else ""
        try:
            self.throttle.check((known, address))
            principal = _principal(account, password)
        except (NotAuthenticated, TooManyAttempts) as error:
            error.account = known
            if isinstance(error, NotAuthenticated):
                self.throttle.wrong((known, address))
            raise
        self.throttle.right((known, address))
        return principal


def _principal(account: Account | None, password: str) -> Principal:
    expected = account.password if account else "\0no such account\0"
    if not hmac.compare_digest(expected.encode(), password.encode()) or account is None:
        raise NotAuthenticated("Name or password is wrong.", next_step=_AGAIN)
    return account.principal


@dataclass(frozen=True)
class TokenAuthenticator:
    """RFC 6750 bearer tokens, signed by ourselves."""

    signing_key: bytes
    lifetime: timedelta = TOKEN_LIFETIME
    now: Callable[[], datetime] = clock_now
    challenge: str = 'Bearer realm="fiducial"'

    def issue(self, principal: Principal) -> str:
        """A token for a principal who has just proved who they are."""
        issued = self.now()
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": principal.name,
            "tenant": principal.tenant,
            "role": principal.role.value,
            "iat": issued,
            "exp": issued + self.lifetime,
        }
        return jwt.encode(claims, self.signing_key, algorithm=ALGORITHM)

    def principal(self, authorization: str | None, *, address: str = "") -> Principal:
        """Who sends this header; raises NotAuthenticated. A signature cannot be guessed, so nothing is counted."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer":
            raise NotAuthenticated("A bearer token is needed.", next_step="Ask POST /api/v1/token for one.")
        try:
            claims = jwt.decode(
                token.strip(),
                self.signing_key,
                algorithms=[ALGORITHM],
                issuer=ISSUER,
                audience=AUDIENCE,
                options={"require": ["exp", "iat", "sub", "tenant", "role"]},
            )
            return Principal(name=claims["sub"], tenant=Tenant(claims["tenant"]), role=UserRole(claims["role"]))
        except (jwt.InvalidTokenError, ValueError):
            raise NotAuthenticated("The token is not valid or has expired.", next_step=_AGAIN) from None
