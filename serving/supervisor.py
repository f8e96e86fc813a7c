"""Keeps one BentoML process running for each model version the traffic policies name.

A version gets its address, and with it traffic, only after it is ready and repeats its recorded answers over HTTP.
"""

import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np

from domain.errors import DigestMismatch, FiducialError, IntegrityViolation
from domain.identifiers import Tenant, sha256_of
from domain.model_version import ModelManifest
from domain.prediction import ImageScore
from infra import logs
from infra.db.session import Database, UnitOfWork
from serving.demo import DEMO_MANIFEST, DEMO_TASK
from serving.gateway_client import npy_bytes
from serving.processes import Child, end_all, free_port
from serving.trace import MANIFEST_FILE, MODEL_FILE, MODEL_FOLDER

log = logs.get(__name__)
KEEP_ALIVE_S = 75  # longer than the gateway keeps an idle connection, so that it never writes into a closed one
READY_WITHIN_S = 120.0
DEMO_SERVICE = "serving.services.demo_classifier:DemoClassifier"
Wanted = dict[tuple[str, int], tuple[ModelManifest, Path | None]]


@dataclass
class Running:
    """One version's process and whether it has its address."""

    manifest: ModelManifest
    bento: Path | None  # None: the demo classifier, which is part of this program
    child: Child
    url: str
    in_traffic: bool = False
    started_at: float = 0.0
    refused: bool = False


@dataclass
class Supervisor:
    """Compares what the policies want with what runs, twice a second."""

    tenant: Tenant
    database: Database
    environment: Mapping[str, str]
    scratch: Path
    first_port: int
    demo_allowed: bool
    poll_s: float = 0.5
    heartbeat: Callable[[], None] = lambda: None  # called each round: the loop turns
    _running: dict[tuple[str, int], Running] = field(default_factory=dict)

    def run(self, stop: threading.Event) -> None:
        """Supervise until told to stop; addresses are taken back before the processes end."""
        self._forget_addresses()
        try:
            while not stop.is_set():
                self.heartbeat()
                self.step()
                stop.wait(self.poll_s)
        finally:
            self._forget_addresses()
            end_all([running.child for running in self._running.values()])

    def step(self) -> None:
        """One comparison."""
        with self.database.unit_of_work(self.tenant, read_only=True) as work:
            wanted = self._wanted(work)
        for key in [key for key in self._running if key not in wanted]:
            self._end(key)
        for key, (manifest, bento) in wanted.items():
            if key not in self._running:
                self._running[key] = self._new(manifest, bento)
            self._tend(key, self._running[key])

    def _wanted(self, work: UnitOfWork) -> Wanted:
        wanted: Wanted = {}
        policies = work.traffic.all_current()
        for policy in policies:
            for version in policy.versions:  # while a task is switched off, too: switching it on is then instant
                packaged = work.model_versions.get(policy.task, version)
                wanted[policy.task, version] = (packaged.manifest, Path(packaged.bento_path))
        if self.demo_allowed and (not policies or self._demo_is_awaited(work)):
            wanted[DEMO_TASK, DEMO_MANIFEST.version] = (DEMO_MANIFEST, None)
        return wanted

    def _demo_is_awaited(self, work: UnitOfWork) -> bool:
        return any(prediction.task == DEMO_TASK for prediction in work.predictions.with_state("pending"))

    def _new(self, manifest: ModelManifest, bento: Path | None) -> Running:
        port = free_port(self.first_port, taken=frozenset(int(r.url.rsplit(":", 1)[1]) for r in self._running.values()))
        served = DEMO_SERVICE if bento is None else str(bento)
        command = [sys.executable, "-m", "bentoml", "serve", served, "--host", "127.0.0.1", "--port", str(port)]
        child = Child(
            name=manifest.model_version,
            command=[*command, "--timeout-keep-alive", str(KEEP_ALIVE_S)],
            environment={
                **self.environment,
                # Each process has its own folder of figures: BentoML empties it when it starts.
                "PROMETHEUS_MULTIPROC_DIR": str(self.scratch / manifest.model_version),
                # A log line for each score costs as much as a small score.
                "BENTOML_CONFIG_OPTIONS": "api_server.logging.access.enabled=false",
            },
            # A Bento carries its own code; the repository must not stand before it on the path.
            folder=None if bento is None else str(bento),
        )
        return Running(manifest, bento, child, url=f"http://127.0.0.1:{port}")

    def _tend(self, key: tuple[str, int], running: Running) -> None:
        if running.refused:
            return
        if not running.child.is_running():
            self._take_out(key, running)
            if self._is_unaltered(running) and running.child.keep_running():
                running.started_at = time.monotonic()
        elif not running.in_traffic:
            self._admit(key, running)

    def _is_unaltered(self, running: Running) -> bool:
        # Before the process starts: BentoML starts a worker that refuses its model again and again.
        try:
            if running.bento is not None:
                check_bento(running.bento, manifest=running.manifest)
        except IntegrityViolation as error:
            self._refuse(running, error)
        return not running.refused

    def _refuse(self, running: Running, error: FiducialError) -> None:
        running.refused = True
        log.error("version.refused", model_version=running.manifest.model_version, code=error.code, reason=error.what)

    def _admit(self, key: tuple[str, int], running: Running) -> None:
        if _is_ready(running.url):
            self._prove(key, running)
        elif time.monotonic() - running.started_at > READY_WITHIN_S:
            log.error("version.not_ready", model_version=running.manifest.model_version)
            running.child.end()

    def _prove(self, key: tuple[str, int], running: Running) -> None:
        try:
            if running.bento is not None:
                self_test(running.url, manifest=running.manifest, model=running.bento / MODEL_FOLDER)
        except IntegrityViolation as error:
            self._refuse(running, error)
            running.child.ask_to_end()
            return
        except (httpx.HTTPError, ValueError) as error:
            log.error("version.fails", model_version=running.manifest.model_version, reason=type(error).__name__)
            running.child.ask_to_end()
            return
        with self.database.unit_of_work(self.tenant) as work:
            work.addresses.set(*key, running.url)
        running.in_traffic = True
        log.info("version.in_traffic", model_version=running.manifest.model_version, url=running.url)

    def _take_out(self, key: tuple[str, int], running: Running) -> None:
        if running.in_traffic:
            with self.database.unit_of_work(self.tenant) as work:
                work.addresses.remove(*key)
            running.in_traffic = False

    def _end(self, key: tuple[str, int]) -> None:
        running = self._running.pop(key)
        self._take_out(key, running)
        running.child.end()

    def _forget_addresses(self) -> None:
        with self.database.unit_of_work(self.tenant) as work:
            for address in work.addresses.list():
                work.addresses.remove(address.task, address.version)


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


def self_test(url: str, *, manifest: ModelManifest, model: Path) -> None:
    """Ask a service for its recorded answers; raises IntegrityViolation where it does not repeat them."""
    for expected in manifest.reference_answers:
        image = npy_bytes(np.load(model / expected.file, allow_pickle=False))
        answer = httpx.post(f"{url}/predict", content=image, timeout=30.0, trust_env=False).raise_for_status()
        probability = ImageScore.model_validate_json(answer.content).probability
        if not abs(probability - expected.probability) <= expected.tolerance:
            raise IntegrityViolation(f"{manifest.model_version} does not repeat its recorded answer.")


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=1.0, trust_env=False).is_success
    except httpx.HTTPError:
        return False
