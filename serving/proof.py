"""What a service must show before it is asked for a patient, and while it is."""

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np

from domain.errors import DigestMismatch, IntegrityViolation
from domain.identifiers import sha256_of
from domain.model_version import ModelManifest
from domain.prediction import ImageScore
from serving.gateway_client import npy_bytes
from serving.trace import MANIFEST_FILE, MODEL_FILE, MODEL_FOLDER

ANSWER_WITHIN_S, PROBE_WITHIN_S = 30.0, 2.0
LARGEST_BATCH = 16  # serving.services.batching, which is the Bento's own and not read from here


Stamp = tuple[tuple[str, int, int], ...]


def stamp_of(bento: Path) -> Stamp:
    """How the model's files stand: name, size and time of change. Another stamp is a reason to look at them again."""
    with contextlib.suppress(OSError):
        files = sorted((bento / MODEL_FOLDER).iterdir())
        return tuple((path.name, (found := path.stat()).st_size, found.st_mtime_ns) for path in files)
    return ()


def check_bento(bento: Path, *, manifest: ModelManifest) -> None:
    """That a Bento carries the registered version.

    Raises:
        IntegrityViolation: it is gone, carries another manifest, or another model than its manifest names.
    """
    folder = bento / MODEL_FOLDER
    try:
        carried = ModelManifest.model_validate_json((folder / MANIFEST_FILE).read_bytes())
        model_sha256 = sha256_of((folder / MODEL_FILE).read_bytes())
    except (OSError, ValueError) as error:
        raise IntegrityViolation(f"The Bento of {manifest.model_version} cannot be read.") from error
    if carried != manifest:
        raise IntegrityViolation(f"The Bento of {manifest.model_version} carries another manifest.")
    if model_sha256 != manifest.model_sha256:
        raise DigestMismatch(f"The model of {manifest.model_version} was altered.")


@dataclass(frozen=True)
class Examiner:
    """Asks services over one client, which several threads may use at once."""

    http: httpx.Client

    @classmethod
    def new(cls) -> "Examiner":
        """With connections of its own for each question: a kept one could hang with the service that it was kept to."""
        return cls(httpx.Client(trust_env=False, limits=httpx.Limits(max_keepalive_connections=0)))

    def is_ready(self, url: str) -> bool:
        """True once the model is loaded."""
        return self._is_well(f"{url}/readyz")

    def is_alive(self, url: str) -> bool:
        """True while the service answers in time and its engine does not stand still."""
        return self._is_well(f"{url}/livez")

    def prove(self, url: str, *, manifest: ModelManifest, bento: Path | None) -> None:
        """Have a service repeat its recorded answers, then warm the whole path up with as many as one batch holds.

        Raises:
            IntegrityViolation: it does not repeat them.
            httpx.HTTPError, ValueError: it does not answer, or not as agreed.
        """
        if bento is None:
            return  # the demo classifier has nothing to load
        bodies = [
            npy_bytes(np.load(bento / MODEL_FOLDER / expected.file, allow_pickle=False))
            for expected in manifest.reference_answers
        ]
        for expected, body in zip(manifest.reference_answers, bodies, strict=True):
            if not abs(self._probability(url, body) - expected.probability) <= expected.tolerance:
                raise IntegrityViolation(f"{manifest.model_version} does not repeat its recorded answer.")
        if bodies:
            with ThreadPoolExecutor(LARGEST_BATCH) as together:
                list(together.map(lambda _: self._probability(url, bodies[0]), range(LARGEST_BATCH)))

    def _probability(self, url: str, body: bytes) -> float:
        answer = self.http.post(f"{url}/predict", content=body, timeout=ANSWER_WITHIN_S).raise_for_status()
        return ImageScore.model_validate_json(answer.content).probability

    def _is_well(self, url: str) -> bool:
        try:
            return self.http.get(url, timeout=PROBE_WITHIN_S).is_success
        except httpx.HTTPError:
            return False


@dataclass
class Pulse:
    """Whether a service may be asked whether it lives, and how often in a row it did not say so."""

    every_s: float = 1.0
    missed: int = 0
    _next_at: float = 0.0

    def is_due(self) -> bool:
        """True once in a while."""
        now = time.monotonic()
        if now < self._next_at:
            return False
        self._next_at = now + self.every_s
        return True

    def note(self, *, alive: bool) -> None:
        """What came of it."""
        self.missed = 0 if alive else self.missed + 1
