"""The contract every service keeps: one grey-scale image as ``.npy`` bytes in, one ``ImageScore`` as JSON out.

Each request carries one image, so a batch is a plain list: films of any size wait in the same queue.
"""

import io
from collections.abc import Sequence
from typing import Any

import bentoml
import numpy as np
from bentoml import IODescriptor
from bentoml.exceptions import InvalidArgument
from numpy.typing import NDArray
from pydantic import SkipValidation
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from domain.errors import BadInput
from domain.prediction import ImageScore

Answer = ImageScore | BadInput  # one bad image answers for itself and never fails the batch it travels in
MAX_BATCH_SIZE = 16
MAX_LATENCY_MS = 10_000


class ImageRequest(IODescriptor):  # type: ignore[misc]
    """The body of a request: a batch of one, which BentoML joins with those of concurrent requests."""

    images: SkipValidation[list[Any]]

    @classmethod
    async def from_http_request(cls, request: Request, serde: Any) -> "ImageRequest":
        """Read the ``.npy`` body; raises InvalidArgument, which BentoML answers as HTTP 400."""
        return cls(images=[read_npy(await request.body())])


class ScoreResponse(IODescriptor):  # type: ignore[misc]
    """The answer to one request: its only score, or why its image cannot be scored."""

    @classmethod
    async def to_http_response(cls, obj: Sequence[Answer], serde: Any) -> Response:
        """HTTP 200 with the score, or 422 with the error's stable code."""
        answer = obj[0]
        if isinstance(answer, BadInput):
            return JSONResponse({"code": answer.code, "error": answer.what}, status_code=422)
        return Response(answer.model_dump_json(), media_type="application/json")


def read_npy(body: bytes) -> NDArray[Any]:
    """A 2-D array of 8 or 16 bits; never unpickles."""
    try:
        pixels: NDArray[Any] = np.load(io.BytesIO(body), allow_pickle=False)
    except (ValueError, EOFError, OSError, SyntaxError) as error:
        raise InvalidArgument("the body is not a .npy array") from error
    if not isinstance(pixels, np.ndarray) or pixels.ndim != 2 or pixels.dtype not in (np.uint8, np.uint16):
        raise InvalidArgument("the array must be 2-D and uint8 or uint16")
    return pixels


def predict_api() -> Any:
    """The decorator of a service's batched ``predict`` method."""
    return bentoml.api(
        route="/predict",
        batchable=True,
        input_spec=ImageRequest,
        output_spec=ScoreResponse,
        max_batch_size=MAX_BATCH_SIZE,
        max_latency_ms=MAX_LATENCY_MS,
    )
