"""Asking one running model version for a score over a kept-alive connection."""

import asyncio
import time
from dataclasses import dataclass, field

import httpx
from pydantic import ValidationError

from domain.errors import InvalidField, ModelUnavailable
from domain.prediction import ImageScore
from serving.problems import error_from

KEEPALIVE_EXPIRY_S = 30.0  # below --timeout-keep-alive of the services, so that we never write into a closed connection
PAUSE_AFTER_FAILURE_S = 5.0


def new_client(*, timeout_s: float) -> httpx.AsyncClient:
    """A client of the services. asyncio sets TCP_NODELAY on its connections, else small bodies wait 40 ms."""
    limits = httpx.Limits(max_connections=200, max_keepalive_connections=50, keepalive_expiry=KEEPALIVE_EXPIRY_S)
    timeout = httpx.Timeout(timeout_s, connect=2.0)
    return httpx.AsyncClient(timeout=timeout, limits=limits, trust_env=False)


@dataclass
class ModelCalls:
    """Calls to services; a version that failed is passed over for a few seconds where another may answer."""

    client: httpx.AsyncClient
    timeout_s: float
    _out_until: dict[str, float] = field(default_factory=dict)

    def is_out(self, address: str) -> bool:
        """True shortly after a failure, so that a hanging version costs its time-out once and not for each patient."""
        return time.monotonic() < self._out_until.get(address, 0.0)

    async def score(self, address: str, *, image: bytes) -> ImageScore:
        """The score of one ``.npy`` image.

        Raises:
            ModelUnavailable: the service does not answer, or not as agreed.
            BadInput: the image itself cannot be scored.
        """
        try:
            async with asyncio.timeout(self.timeout_s):
                response = await self.client.post(f"{address}/predict", content=image)
        except (httpx.HTTPError, TimeoutError) as error:
            raise self._failed(address) from error
        return self._score_in(response, address)

    def _score_in(self, response: httpx.Response, address: str) -> ImageScore:
        if response.status_code == httpx.codes.UNPROCESSABLE_ENTITY:
            answer = response.json()
            raise error_from({"code": answer["code"], "detail": answer["error"]})
        if response.status_code == httpx.codes.BAD_REQUEST:
            raise InvalidField("The body is not a 2-D image of 8 or 16 bits in .npy format.")
        try:
            score = ImageScore.model_validate_json(response.content) if response.is_success else None
        except ValidationError as error:
            raise self._failed(address) from error
        if score is None:
            raise self._failed(address)
        self._out_until.pop(address, None)
        return score

    def _failed(self, address: str) -> ModelUnavailable:
        self._out_until[address] = time.monotonic() + PAUSE_AFTER_FAILURE_S
        return ModelUnavailable("The model version that must answer does not.", next_step="Try again in a minute.")
