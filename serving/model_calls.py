"""Asking one running model version for a score over a kept-alive connection."""

import asyncio
import contextlib
import io
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import aiohttp
from pydantic import BaseModel, ValidationError

from domain.errors import FiducialError, ModelUnavailable, Overloaded
from domain.prediction import ImageScore
from serving.breakers import Breaker, Breakers
from serving.problems import error_from

KEEPALIVE_EXPIRY_S = 30.0  # below --timeout-keep-alive of the services, so that we never write into a closed connection
MODEL_TIMEOUT_S = 10.0
CONNECTIONS = 200
SAYS_MODEL = "X-Fiducial-Model"  # the version that answers, as the service itself says
_OK, _TOO_BUSY, _IMAGES_FAULT = 200, 503, (400, 413, 422)
_LARGE_BYTES = 1 << 20  # more is handed over in pieces, so that one film does not hold up the loop
_NEVER_SENT = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")


class Target(NamedTuple):
    """One running version."""

    name: str  # e.g. "chest_xray_pneumonia@3"
    url: str


class _Refusal(BaseModel):
    """Why a service cannot score an image."""

    code: str
    error: str

    @property
    def document(self) -> dict[str, str]:
        return {"code": self.code, "detail": self.error}


class Answered(NamedTuple):
    """A score, the bytes that carry it and how long the version took."""

    score: ImageScore
    content: bytes
    seconds: float


def new_session(*, timeout_s: float) -> aiohttp.ClientSession:
    """A client of the services; call it inside the loop that uses it. aiohttp sets TCP_NODELAY on its connections."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=CONNECTIONS, keepalive_timeout=KEEPALIVE_EXPIRY_S, ttl_dns_cache=None),
        timeout=aiohttp.ClientTimeout(total=timeout_s, sock_connect=2.0),
        skip_auto_headers=_NEVER_SENT,
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
    )


@dataclass
class ModelCalls:
    """Calls to services, each behind its breaker. Visible and shadow calls have one of their own."""

    session: aiohttp.ClientSession
    breakers: Breakers = field(default_factory=Breakers)

    def is_out(self, target: Target) -> bool:
        """True while a version is not asked, because it failed a moment ago."""
        return self.breakers.of(target.url).is_out()

    async def score(self, target: Target, *, image: bytes) -> Answered:
        """The score of one image, ``.npy`` or PNG.

        Raises:
            ModelUnavailable: the service does not answer, or not as agreed; or it is out.
            Overloaded: its queue is full.
            BadInput: the image itself cannot be scored.
        """
        breaker = self.breakers.of(target.url)
        if not breaker.may_ask():
            raise ModelUnavailable("The model version that must answer failed a moment ago.", next_step="Try again.")
        with _told_to(breaker):
            said, answer = await self._post(target.url, image)
            if said not in (None, target.name):  # another version at this address: its answer is nobody's
                raise _BrokenContract
            return _read(*answer)

    async def _post(self, url: str, image: bytes) -> tuple[str | None, tuple[int, bytes, float]]:
        begun = time.perf_counter()
        body = io.BytesIO(image) if len(image) > _LARGE_BYTES else image
        async with self.session.post(f"{url}/predict", data=body) as response:
            content = await response.read()
        return response.headers.get(SAYS_MODEL), (response.status, content, time.perf_counter() - begun)


class _BrokenContract(Exception):
    """The service answered something that no service of ours says."""


@contextlib.contextmanager
def _told_to(breaker: Breaker) -> Iterator[None]:
    """Tell a breaker how a call ended."""
    begun = breaker.clock()
    try:
        yield
    except TimeoutError as error:
        breaker.failed(begun=begun, timed_out=True)
        raise _unavailable() from error
    except (aiohttp.ClientError, OSError, _BrokenContract) as error:
        breaker.failed(begun=begun)
        raise _unavailable() from error
    except FiducialError:  # it answered: the image is at fault, or its queue is full
        breaker.succeeded(begun=begun)
        raise
    except asyncio.CancelledError:
        breaker.abandoned(begun=begun)
        raise
    breaker.succeeded(begun=begun)


def _read(status: int, content: bytes, seconds: float) -> Answered:
    """What a service said; an error where the image is at fault, it is overloaded, or it broke the contract."""
    try:
        if status in _IMAGES_FAULT:
            raise error_from(_Refusal.model_validate_json(content).document)
        score = ImageScore.model_validate_json(content) if status == _OK else None
    except ValidationError as error:
        raise _BrokenContract from error
    if status == _TOO_BUSY:
        raise Overloaded("The model version has more to do than it can.", next_step="Try again.")
    if score is None or not 0.0 <= score.probability <= 1.0:  # JSON knows no NaN, but its readers do
        raise _BrokenContract
    return Answered(score, content, seconds)


def _unavailable() -> ModelUnavailable:
    return ModelUnavailable("The model version that must answer does not.", next_step="Try again in a minute.")
