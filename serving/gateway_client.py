"""The gateway as the worker sees it."""

import io
from dataclasses import dataclass
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from domain.errors import Unavailable
from domain.identifiers import PredictionId, Pseudonym, Tenant
from domain.prediction import RoutedScore
from serving.problems import error_from

PATIENT, PREDICTION, TENANT = "X-Fiducial-Patient", "X-Fiducial-Prediction", "X-Fiducial-Tenant"


@dataclass(frozen=True)
class GatewayClient:
    """One kept-alive client for all threads of a process."""

    http: httpx.Client

    @classmethod
    def to(cls, address: str, *, timeout_s: float = 30.0) -> "GatewayClient":
        """A client of the gateway at an address."""
        limits = httpx.Limits(max_connections=32, keepalive_expiry=3.0)  # uvicorn closes an idle connection after 5 s
        timeout = httpx.Timeout(timeout_s, connect=2.0)
        return cls(httpx.Client(base_url=address, timeout=timeout, limits=limits, trust_env=False))

    def score(
        self, pixels: NDArray[Any], *, task: str, tenant: Tenant, patient: Pseudonym, prediction_id: PredictionId
    ) -> RoutedScore:
        """The routed score of one radiograph.

        Raises:
            Unavailable: the gateway, or the version that must answer, does not.
            BadInput: the image itself cannot be scored.
        """
        headers = {TENANT: tenant, PATIENT: patient, PREDICTION: prediction_id}
        try:
            response = self.http.post(f"/v1/tasks/{task}/predict", content=npy_bytes(pixels), headers=headers)
            if response.is_success:
                return RoutedScore.model_validate_json(response.content)
            document = response.json()
        except (httpx.HTTPError, ValidationError, ValueError) as error:
            raise Unavailable("The gateway does not answer.", next_step="Start it, or try again.") from error
        raise error_from(document)

    def close(self) -> None:
        """Close all connections."""
        self.http.close()


def npy_bytes(pixels: NDArray[Any]) -> bytes:
    """An array in NumPy's ``.npy`` format."""
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(pixels), allow_pickle=False)
    return buffer.getvalue()
