"""The same exported DenseNet121 in other model servers, on the same cores, in turn with ours.

While one server is measured all others are stopped (SIGSTOP): resident, and without a claim on the processor.
"""

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.benchmarks.support.densenet import Exported
from tests.benchmarks.support.facts import facts, pytest_command
from tests.benchmarks.support.knobs import BODY, CLIENTS, ROUNDS, SECONDS
from tests.benchmarks.support.load import Load, Measured, measure
from tests.benchmarks.support.online import SERVICES, Online
from tests.benchmarks.support.peers import FASTAPI, PEERS, running
from tests.benchmarks.support.tables import Limit, p50_p99_ms, percentile, table, verdicts
from tests.benchmarks.support.trees import rss_mib, stopped

pytestmark = pytest.mark.benchmark
TASK, OURS = "densenet_fp32", "ours: gateway → service"
TIME_AGAINST_FASTAPI = 1.15
HEAD = ("server", f"images/s, {CLIENTS} clients", "times ours", f"p50 / p99 ms, {CLIENTS} clients",
        "p50 / p99 ms, 1 client", "core-ms a request", "resident MiB", "not 200")  # fmt: skip


@dataclass(frozen=True)
class Contender:
    """One server: how to load it, whose processor time counts, and what must stop for the others."""

    load: Callable[..., Load]
    counted: Mapping[str, psutil.Process]
    whole: tuple[psutil.Process, ...]


@dataclass(frozen=True)
class Found:
    """What one server did over all rounds."""

    one: list[Measured]
    many: list[Measured]
    mib: float

    @property
    def images_per_second(self) -> float:
        return statistics.median(each.answers.per_second for each in self.many)

    def seconds(self, rounds: list[Measured], percent: float) -> float:
        return percentile([second for each in rounds for second in each.answers.good], percent)

    def row(self, name: str, ours: "Found") -> tuple[object, ...]:
        rounds = [*self.one, *self.many]
        core_ms = statistics.mean(sum(each.ms_per_request(tree) for tree in trees(each)) for each in self.many)
        not_200 = sum(len(each.answers.status) - len(each.answers.good) for each in rounds)
        return (
            name, self.images_per_second, self.images_per_second / ours.images_per_second,
            p50_p99_ms([second for each in self.many for second in each.answers.good]),
            p50_p99_ms([second for each in self.one for second in each.answers.good]), core_ms, self.mib, not_200,
        )  # fmt: skip


def trees(measured: Measured) -> list[str]:
    return [name for name in measured.cpu if name != "client"]


@pytest.mark.timeout(7200)
def test_ours_against_other_servers(
    platform: Online, densenet121: Exported, bodies: dict[int, Path], tmp_path: Path, show: Callable[[str], None]
) -> None:
    header = facts(pytest_command("test_peers.py"))

    def ours(**how: object) -> Load:
        return platform.load(TASK, bodies[min(bodies)], **how)

    gateway_and_service = platform.processes(TASK, 1)
    whole = (platform.process(SERVICES), gateway_and_service["gateway"])
    with running(PEERS, densenet121, tmp_path) as servers:
        contenders = {OURS: Contender(ours, gateway_and_service, whole)}
        for server in servers:
            load = lambda server=server, **how: server.load(tmp_path / "bodies", **how)  # noqa: E731
            contenders[server.peer.name] = Contender(load, {"server": server.process}, (server.process,))
        found = in_turn(contenders)
    rows = [one.row(name, found[OURS]) for name, one in found.items()]
    show(
        f"{header}\nDenseNet121 fp32 on ONNX Runtime, 224 × 224; ours takes {BODY} bodies, routes and records, "
        f"its peers take PNG (LitServe and MLflow as base64).\n\n{table(HEAD, rows)}\n{verdicts(limits(found))}"
    )


def in_turn(contenders: Mapping[str, Contender]) -> dict[str, Found]:
    """Every server in every round, alone."""
    one: dict[str, list[Measured]] = {name: [] for name in contenders}
    many: dict[str, list[Measured]] = {name: [] for name in contenders}
    for _ in range(ROUNDS):
        for name, contender in contenders.items():
            others = [tree for other in contenders.values() if other is not contender for tree in other.whole]
            with stopped(others):
                one[name].append(measure(contender.load(clients=1, seconds=SECONDS), contender.counted))
                many[name].append(measure(contender.load(clients=CLIENTS, seconds=SECONDS), contender.counted))
    memory = {name: sum(rss_mib(tree) for tree in one.counted.values()) for name, one in contenders.items()}
    return {name: Found(one[name], many[name], memory[name]) for name in contenders}


def limits(found: Mapping[str, Found]) -> list[Limit]:
    """Level with the best of the peers in each figure, whichever peer that is, and near the plainest server."""
    ours, peers = found[OURS], {name: one for name, one in found.items() if name != OURS}
    plain = [one for name, one in peers.items() if name.startswith(FASTAPI)]
    many = f"p99 with {CLIENTS} clients against the best peer"
    fastest = max(one.images_per_second for one in peers.values())
    p99_many = min(one.seconds(one.many, 99) for one in peers.values())
    p99_one = min(one.seconds(one.one, 99) for one in peers.values())
    plain_speed, plain_p50 = max(one.images_per_second for one in plain), min(one.seconds(one.one, 50) for one in plain)
    return [
        Limit("images/s against the best peer", ours.images_per_second / fastest, "at least", 1.0),
        Limit(many, ours.seconds(ours.many, 99) / p99_many, "at most", 1.0),
        Limit("p99 with one client against the best peer", ours.seconds(ours.one, 99) / p99_one, "at most", 1.0),
        Limit("time an image against plain FastAPI", plain_speed / ours.images_per_second, "at most",
              TIME_AGAINST_FASTAPI),
        Limit("p50 with one client against plain FastAPI", ours.seconds(ours.one, 50) / plain_p50, "at most",
              TIME_AGAINST_FASTAPI),
    ]  # fmt: skip
