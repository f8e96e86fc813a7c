"""LitServe with its batching on; a film travels as base64 in JSON, which is what its requests are."""

import base64
from typing import Any

import litserve
import numpy as np
from peer_scoring import PORT, WORKERS, PeerModel

BATCH, WAIT_S = 16, 0.005


class Film(litserve.LitAPI):
    def setup(self, device: str) -> None:
        self.film_model = PeerModel()

    def decode_request(self, request: dict[str, str], **_: Any) -> np.ndarray:
        return self.film_model.prepare(base64.b64decode(request["image"]))

    def batch(self, inputs: list[np.ndarray]) -> list[np.ndarray]:
        return inputs

    def predict(self, x: list[np.ndarray], **_: Any) -> list[dict[str, Any]]:
        return self.film_model.run(x)

    def unbatch(self, output: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return output

    def encode_response(self, output: dict[str, Any], **_: Any) -> dict[str, Any]:
        return output


if __name__ == "__main__":
    server = litserve.LitServer(
        Film(max_batch_size=BATCH, batch_timeout=WAIT_S), accelerator="cpu", workers_per_device=WORKERS, fast_queue=True
    )
    server.run(host="127.0.0.1", port=PORT, generate_client_file=False, log_level="warning", num_api_servers=1)
