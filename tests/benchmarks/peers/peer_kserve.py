"""KServe's Python server, V1 protocol with the PNG as the body; its batching is a sidecar of Kubernetes."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from kserve import Model, ModelServer
from peer_scoring import CALLS, PORT, PeerModel


class Film(Model):
    def __init__(self) -> None:
        super().__init__("film")
        self._model, self._pool = PeerModel(), ThreadPoolExecutor(CALLS)
        self.ready = True

    async def predict(self, payload: bytes, headers: dict[str, str] | None = None) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        return {"predictions": [await loop.run_in_executor(self._pool, self._model.answer, payload)]}


if __name__ == "__main__":
    ModelServer(http_port=PORT, enable_grpc=False, workers=1, enable_latency_logging=False).start([Film()])
