"""The ASGI application mounted in every Bento: ``POST /predict``, ``GET /model`` and ``GET /metrics``.

BentoML's own wire and dispatcher cost two to three times as much a request and cannot refuse before a body is read
(docs/adr/0019-gateway-and-service.md); its server, packaging, probes and process are what we keep of it.
"""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from domain.errors import BadInput, ImageTooLarge, Overloaded, UnreadableImage, UnsupportedFormat
from domain.prediction import ImageScore
from domain.served_model import ServedModel
from serving.services import wire
from serving.services.batching import MAX_BATCH_SIZE, Batcher

Message = MutableMapping[str, Any]
Signed = Sequence[tuple[bytes, bytes]]  # headers that name the model version
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
MAX_INSIDE = 64  # read, prepared, waiting or in the engine
JSON = "application/json"
# What a service says to BentoML: no middleware that measures or traces what the gateway and we measure already.
CONFIG: Mapping[str, Any] = {
    "workers": 1,
    "traffic": {"timeout": 60},
    "metrics": {"enabled": False},
    "logging": {"access": {"enabled": False}},
    "tracing": {"excluded_urls": ["/predict", "/metrics", "/livez", "/readyz"]},
}
_BATCH_BUCKETS = tuple(range(1, MAX_BATCH_SIZE + 1))


class Model(Protocol):
    """What a service answers with: ``prepare`` for each request in parallel, ``answer`` for one batch at a time."""

    def prepare(self, pixels: wire.Pixels) -> Any:
        """Everything that one image needs before the engine; raises BadInput."""

    def answer(self, prepared: Sequence[Any]) -> Sequence[ImageScore]:
        """The scores of a batch, in order."""


def cores() -> int:
    """Processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def engine_threads() -> int:
    """Threads of the engine: one worker, so as many as there are cores unless whoever starts us says otherwise."""
    return int(os.environ.get("FIDUCIAL_ENGINE_THREADS") or cores())


def engine_lanes() -> int:
    """Batches side by side: two, each on half of the threads. More would leave cores idle while few requests come."""
    return min(2, engine_threads())


class Application:
    """The application of one service; ``serve`` gives it its model once that is loaded."""

    def serve(self, model: Model, *, identity: ServedModel | None = None, max_batch_size: int = MAX_BATCH_SIZE) -> None:
        """Answer with this model from now on; ``identity`` is told with each answer and at ``GET /model``.

        Nothing is made before: BentoML imports a service in its parent process too, ahead of the folder that
        prometheus_client writes to.
        """
        self._model, self._inside, self._identity = model, 0, identity
        self._signed = ((b"x-fiducial-model", identity.model_version.encode()),) if identity else ()
        self._batcher: Batcher[Any, ImageScore] = Batcher(
            model.answer, observe=self._observe, lanes=engine_lanes(), max_batch_size=max_batch_size
        )
        self._pool = ThreadPoolExecutor(cores(), thread_name_prefix="prepare")
        self._registry = CollectorRegistry()
        self._answers = Counter("fiducial_service_answers", "Answers by status", ["status"], registry=self._registry)
        self._sizes = Histogram(
            "fiducial_service_batch_size", "Images in a batch", buckets=_BATCH_BUCKETS, registry=self._registry
        )
        limit = Gauge("fiducial_service_max_batch_size", "Images in a batch at most", registry=self._registry)
        limit.set(max_batch_size)
        self._seconds = Histogram("fiducial_service_batch_seconds", "Time of a batch", registry=self._registry)

    def is_alive(self) -> bool:
        """False when a batch does not come back from the engine."""
        return not self._batcher.is_stuck()

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            return
        asked = (scope["method"], scope["path"])
        if asked == ("GET", "/metrics"):
            await _respond(send, 200, generate_latest(self._registry), content_type=CONTENT_TYPE_LATEST)
        elif asked == ("GET", "/model") and self._identity is not None:
            await _respond(send, 200, self._identity.model_dump_json().encode())
        elif asked != ("POST", "/predict"):
            await _respond(send, 404, _refusal("not-found", "There is nothing at this address."))
        else:
            status, content = await self._predict(receive)
            self._answers.labels(status).inc()
            await _respond(send, status, content, more=self._signed)

    async def _predict(self, receive: Receive) -> tuple[int, bytes]:
        if self._inside >= MAX_INSIDE:
            return 503, _refusal(Overloaded.code, "The queue is full.")
        self._inside += 1
        try:
            body = await _body(receive)
            prepared = await asyncio.get_running_loop().run_in_executor(self._pool, self._prepare, body)
            score = await self._batcher.submit(prepared)
            return 200, score.model_dump_json().encode()
        except (UnsupportedFormat, UnreadableImage) as error:
            return 400, _refusal(error.code, error.what)
        except BadInput as error:
            return 422, _refusal(error.code, error.what)
        except Overloaded as error:
            return 503, _refusal(error.code, error.what)
        finally:
            self._inside -= 1

    def _prepare(self, body: bytes) -> Any:
        return self._model.prepare(wire.read_image(body))

    def _observe(self, size: int, seconds: float) -> None:
        self._sizes.observe(size)
        self._seconds.observe(seconds)


async def _body(receive: Receive) -> bytes:
    chunks: list[bytes] = []
    length, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise UnreadableImage("The caller went away before the image was complete.")
        chunks.append(message.get("body", b""))
        length += len(chunks[-1])
        more = message.get("more_body", False)
        if length > wire.MAX_BODY_BYTES:
            raise ImageTooLarge(f"The body has more than {wire.MAX_BODY_BYTES} bytes.", next_step="Send less.")
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _refusal(code: str, error: str) -> bytes:
    return json.dumps({"code": code, "error": error}).encode()


async def _respond(send: Send, status: int, content: bytes, *, content_type: str = JSON, more: Signed = ()) -> None:
    headers = [(b"content-type", content_type.encode()), (b"content-length", str(len(content)).encode()), *more]
    if status == 503:
        headers.append((b"retry-after", b"1"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
