"""Keeps one BentoML process running for each model version the traffic policies name.

A version gets its address, and with it traffic, only after it is ready and repeats its recorded answers over HTTP. It
is watched from then on, and drained when no policy names it any more.
"""

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from domain.errors import FiducialError, IntegrityViolation
from domain.identifiers import Tenant
from domain.model_version import ModelManifest
from infra import logs
from infra.db.session import Database, UnitOfWork
from serving.demo import DEMO_MANIFEST, DEMO_TASK
from serving.process_tree import rss_bytes
from serving.processes import Child, end_all, free_port
from serving.proof import Examiner, Pulse, Stamp, check_bento, stamp_of

log = logs.get(__name__)
KEEP_ALIVE_S = 75  # longer than the gateway keeps an idle connection, so that it never writes into a closed one
READY_WITHIN_S = 120.0
# A gateway may know an address for a second after it was taken back, have 64 requests wait for it and then ask it for
# ten seconds each; whoever was in the queue then is answered by the old version.
DRAIN_S = 30.0
END_WITHIN_S = 15.0
MISSED_PROBES = 3
DEMO_SERVICE = "serving.services.demo_classifier:DemoClassifier"
Key = tuple[str, int]
Wanted = dict[Key, tuple[ModelManifest, Path | None]]


@dataclass
class Running:
    """One version's process and how far it has come."""

    manifest: ModelManifest
    bento: Path | None  # None: the demo classifier, which is part of this program
    child: Child
    url: str
    in_traffic: bool = False
    started_at: float = 0.0
    refused_as: Stamp | None = None  # how its files stood when it was refused
    proof: Future[None] | None = None
    probe: Future[bool] | None = None
    pulse: Pulse = field(default_factory=Pulse)
    drained_at: float | None = None  # it leaves: until then it finishes what it was asked
    asked_to_end_at: float | None = None

    @property
    def name(self) -> str:
        """Printable identity."""
        return self.manifest.model_version


@dataclass
class Supervisor:
    """Compares what the policies want with what runs, twice a second. Call ``step`` from one thread."""

    tenant: Tenant
    database: Database
    environment: Mapping[str, str]
    scratch: Path
    first_port: int
    demo_allowed: bool
    poll_s: float = 0.5
    drain_s: float = DRAIN_S
    heartbeat: Callable[[], None] = lambda: None  # called each round: the loop turns
    examiner: Examiner = field(default_factory=Examiner.new)
    _running: dict[Key, Running] = field(default_factory=dict)
    # Nothing that waits for a service is done in the loop: one that hangs must not keep the others from their care.
    _questions: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(16, thread_name_prefix="examine"))

    def run(self, stop: threading.Event) -> None:
        """Supervise until told to stop; addresses are taken back before the processes end."""
        self._forget_addresses()
        try:
            while not stop.is_set():
                self.heartbeat()
                self.try_step()
                stop.wait(self.poll_s)
        finally:
            with contextlib.suppress(FiducialError):
                self._forget_addresses()
            end_all([running.child for running in self._running.values()])
            self._questions.shutdown(cancel_futures=True)

    def try_step(self) -> None:
        """One comparison; a full disk or a database that is away ends neither the loop nor what runs."""
        try:
            self.step()
        except (FiducialError, OSError) as error:
            log.error("supervisor.step_failed", reason=str(error))

    def step(self) -> None:
        """One comparison.

        Raises:
            Unavailable: the database cannot be read or written; the next step does what this one could not.
        """
        with self.database.unit_of_work(self.tenant, read_only=True) as work:
            wanted = self._wanted(work)
        for key in [key for key in self._running if key not in wanted]:
            self._retire(key, self._running[key])
        for key, (manifest, bento) in wanted.items():
            if key not in self._running:
                self._running[key] = self._new(manifest, bento)
            self._running[key].drained_at = None
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
            # Each process has its own folder of figures: BentoML empties it when it starts.
            environment={**self.environment, "PROMETHEUS_MULTIPROC_DIR": str(self.scratch / manifest.model_version)},
            # A Bento carries its own code; the repository must not stand before it on the path.
            folder=None if bento is None else str(bento),
        )
        return Running(manifest, bento, child, url=f"http://127.0.0.1:{port}")

    def _tend(self, key: Key, running: Running) -> None:
        if running.refused_as is not None:
            if running.bento is None or stamp_of(running.bento) == running.refused_as:
                return
            running.refused_as = None  # somebody restored it: look again
        if not running.child.is_running():
            self._take_out(key, running)
            running.proof = running.probe = running.asked_to_end_at = None
            if self._is_unaltered(running) and running.child.keep_running():
                running.started_at = time.monotonic()
        elif running.asked_to_end_at is not None:
            self._end_when_late(running)
        elif running.in_traffic:
            self._watch(key, running)
        else:
            self._admit(key, running)

    def _is_unaltered(self, running: Running) -> bool:
        # Before the process starts: BentoML starts a worker that refuses its model again and again.
        try:
            if running.bento is not None:
                check_bento(running.bento, manifest=running.manifest)
        except IntegrityViolation as error:
            self._refuse(running, error)
        return running.refused_as is None

    def _refuse(self, running: Running, error: FiducialError) -> None:
        running.refused_as = stamp_of(running.bento) if running.bento is not None else ()
        log.error("version.refused", model_version=running.name, code=error.code, reason=error.what)

    def _admit(self, key: Key, running: Running) -> None:
        """Ask whether it is ready, then for its recorded answers, each in a thread; its address follows."""
        if running.proof is not None:
            if running.proof.done():
                self._judge(key, running, running.proof)
        elif running.probe is None:
            running.probe = self._questions.submit(self.examiner.is_ready, running.url)
        elif running.probe.done():
            ready, running.probe = running.probe.result(), None
            if ready:
                prove = self.examiner.prove
                running.proof = self._questions.submit(
                    prove, running.url, manifest=running.manifest, bento=running.bento
                )
        if not running.in_traffic and time.monotonic() - running.started_at > READY_WITHIN_S:
            log.error("version.not_ready", model_version=running.name)
            running.child.kill()

    def _judge(self, key: Key, running: Running, proof: Future[None]) -> None:
        try:
            proof.result()
        except IntegrityViolation as error:
            self._refuse(running, error)
            running.child.kill()
        except (httpx.HTTPError, ValueError) as error:
            log.error("version.fails", model_version=running.name, reason=type(error).__name__)
            running.child.kill()
        else:
            self._put_in_traffic(key, running)
            running.proof, running.pulse = None, Pulse()

    def _put_in_traffic(self, key: Key, running: Running) -> None:
        load_s = time.monotonic() - running.started_at
        memory = rss_bytes(running.child.pid or 0)
        with self.database.unit_of_work(self.tenant) as work:
            work.addresses.set(*key, running.url, load_s=load_s, rss_bytes=memory)
        running.in_traffic = True
        running.child.look_below()
        facts = {"url": running.url, "load_s": round(load_s, 2), "rss_bytes": memory}
        log.info("version.in_traffic", model_version=running.name, **facts)

    def _watch(self, key: Key, running: Running) -> None:
        """A process that runs but does not answer is killed; the next step finds it ended and starts it again."""
        if running.probe is not None and running.probe.done():
            running.pulse.note(alive=running.probe.result())
            running.probe = None
        if running.pulse.missed >= MISSED_PROBES:
            log.error("version.hangs", model_version=running.name)
            running.child.kill()
            self._take_out(key, running)
        elif running.probe is None and running.pulse.is_due():
            running.probe = self._questions.submit(self.examiner.is_alive, running.url)

    def _take_out(self, key: Key, running: Running) -> None:
        if running.in_traffic:
            with self.database.unit_of_work(self.tenant) as work:
                work.addresses.remove(*key)
            running.in_traffic = False

    def _retire(self, key: Key, running: Running) -> None:
        """Take the address back, let it finish what it was asked, then end it; none of this waits."""
        now = time.monotonic()
        if running.drained_at is None:
            running.drained_at = now + (self.drain_s if running.in_traffic else 0.0)
        self._take_out(key, running)
        if running.asked_to_end_at is not None:
            self._end_when_late(running)
        elif now >= running.drained_at:
            running.child.ask_to_end()
            running.asked_to_end_at = now
        if not running.child.is_running():
            running.child.kill()  # whatever it left behind
            del self._running[key]

    def _end_when_late(self, running: Running) -> None:
        if running.asked_to_end_at is not None and time.monotonic() - running.asked_to_end_at > END_WITHIN_S:
            running.child.kill()

    def _forget_addresses(self) -> None:
        with self.database.unit_of_work(self.tenant) as work:
            for address in work.addresses.list():
                work.addresses.remove(address.task, address.version)
