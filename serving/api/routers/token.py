"""Access tokens, from the enhanced level on."""

from typing import Annotated

from fastapi import APIRouter, Form, Request

from domain.errors import ForbiddenByLevel
from serving.api.deps import FacadeParts, address_of
from serving.api.openapi import PROTECTED
from serving.api.schemas import TokenView

ROUTER = APIRouter(prefix="/api/v1/token", tags=["access"], responses=PROTECTED)


@ROUTER.post("")
def issue_token(
    request: Request,
    facade: FacadeParts,
    username: Annotated[str, Form(max_length=64)],
    password: Annotated[str, Form(max_length=256)],
) -> TokenView:
    """A bearer token for a name and password."""
    if facade.authentication == "basic":
        raise ForbiddenByLevel("This installation signs in with HTTP basic.", next_step="Set FIDUCIAL_LEVEL=enhanced.")
    token = facade.tokens.issue(facade.accounts.check(username, password, address=address_of(request)))
    return TokenView(access_token=token, expires_in=int(facade.tokens.lifetime.total_seconds()))
