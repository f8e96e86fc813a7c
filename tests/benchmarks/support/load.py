"""Load on a server from a process of its own, with the processor time of everybody involved."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from types import TracebackType
from typing import Any, Self

import psutil

from tests.benchmarks.support.knobs import ROOT
from tests.benchmarks.support.trees import snapshot

OK, LOST = 200, 0


@dataclass(frozen=True)
class Load:
    """What is sent where: ``clients`` in a closed loop, or ``rate`` requests a second whether answers come or not."""

    url: str
    bodies: str  # a folder
    seconds: float
    clients: int = 0
    rate: float = 0.0
    headers: Mapping[str, str] = field(default_factory=dict)
    identified: bool = False  # each request is another patient's, as the gateway wants to know
    warm_up_s: float = 1.0
    timeout_s: float = 60.0


@dataclass(frozen=True)
class Answers:
    """What came back: one entry a request in each column."""

    begun: Sequence[float]  # time.monotonic(), which all processes of a machine share
    seconds: Sequence[float]
    status: Sequence[int]
    retry_after: Sequence[bool]
    policy: Sequence[int | None]
    version: Sequence[int | None]
    elapsed: float
    cpu_seconds: float  # of the clients

    @cached_property
    def good(self) -> list[float]:
        """Seconds of the answers that carry a score."""
        return self.where(lambda status: status == OK)

    @property
    def refused(self) -> list[float]:
        """Seconds of the answers that carry none."""
        return self.where(lambda status: status not in (OK, LOST))

    @property
    def lost(self) -> int:
        """Requests nobody answered."""
        return self.status.count(LOST)

    @property
    def per_second(self) -> float:
        """Scores a second."""
        return len(self.good) / self.elapsed

    def where(self, wanted: Any) -> list[float]:
        return [seconds for seconds, status in zip(self.seconds, self.status, strict=True) if wanted(status)]


@dataclass(frozen=True)
class Measured:
    """Answers, and the processor seconds each tree of processes spent on them."""

    answers: Answers
    cpu: Mapping[str, float]

    def ms_per_request(self, name: str) -> float:
        """Core-milliseconds of one tree for each request answered."""
        return 1e3 * self.cpu[name] / max(1, len(self.answers.status))


class Running:
    """A load generator that is warm; ``go`` lets it run, ``answers`` waits for its end."""

    def __init__(self, load: Load) -> None:
        command = [sys.executable, "-m", "tests.benchmarks.support.load_generator", json.dumps(asdict(load))]
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Self:
        assert self._process.stdout is not None
        if self._process.stdout.readline().strip() != "ready":
            raise RuntimeError(f"the load generator gave up: {self._process.communicate()[1][-2000:]}")
        return self

    def go(self) -> None:
        """Begin to measure."""
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()

    def answers(self) -> Answers:
        """All answers, once the last one is there."""
        said, complaint = self._process.communicate()
        if self._process.returncode:
            raise RuntimeError(f"the load generator failed: {complaint[-2000:]}")
        return Answers(**json.loads(said))

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()


def measure(load: Load, processes: Mapping[str, psutil.Process]) -> Measured:
    """Run one load; ``client`` stands among the processor times too."""
    with Running(load) as running:
        before = snapshot(processes)
        running.go()
        answers = running.answers()
        after = snapshot(processes)
    spent = {name: after[name] - before[name] for name in processes}
    return Measured(answers, {**spent, "client": answers.cpu_seconds})
