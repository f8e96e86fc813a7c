"""Ten versions resident on one machine, and the policy switched under load: no request may fail."""

import itertools
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from domain.traffic import Challenger
from tests.benchmarks.support import bentos
from tests.benchmarks.support.bentos import Served
from tests.benchmarks.support.facts import facts, pytest_command
from tests.benchmarks.support.films import SIDES_PX, write_bodies
from tests.benchmarks.support.knobs import BODY, CLIENTS, SECONDS
from tests.benchmarks.support.load import Answers, Running
from tests.benchmarks.support.online import Online, online
from tests.benchmarks.support.tables import Limit, cell, percentile, table, verdicts
from tests.benchmarks.support.trees import own_mib, rss_mib

pytestmark = pytest.mark.benchmark
TASK, VERSIONS = "small", tuple(range(1, 11))
SWITCH_EVERY_S, EFFECTIVE_WITHIN_S = 0.7, 2.0
Switches = dict[int, float]  # policy version → time.monotonic() when it was committed


@pytest.fixture
def ten(
    packaged: dict[str, bentos.Packaged], served: dict[str, Served], tmp_path: Path
) -> Iterator[tuple[Online, float]]:
    """A platform with ten versions of the small network, and the seconds until all were in traffic."""
    first = packaged[TASK]
    others = [bentos.another(first, served[TASK], version=version) for version in VERSIONS[1:]]
    with online(tmp_path) as running:
        running.register(first, *others)
        begun = time.monotonic()
        running.put_in_force(TASK, **policy(0))
        running.wait_served(TASK, *VERSIONS)
        yield running, time.monotonic() - begun


@pytest.mark.timeout(3600)
def test_ten_versions_and_policies_that_change_under_load(
    ten: tuple[Online, float], tmp_path: Path, show: Callable[[str], None]
) -> None:
    platform, ready_s = ten
    header = facts(pytest_command("test_resident_versions.py"))
    (tmp_path / "bodies").mkdir()
    folder = write_bodies(tmp_path / "bodies", side_px=min(SIDES_PX))
    with Running(platform.load(TASK, folder, clients=CLIENTS, seconds=SECONDS)) as running:
        running.go()
        switches = switch(platform, until=time.monotonic() + SECONDS - EFFECTIVE_WITHIN_S / 2)
        answers = running.answers()
    trees = {version: platform.service(TASK, version) for version in VERSIONS}
    rows = [(name, *memory) for name, memory in memories(platform, trees).items()]
    late = [latest_old_answer(answers, number, at) for number, at in switches.items()]
    failed = len(answers.status) - len(answers.good)
    limits = [
        Limit("requests failed while the policy changed", failed, "at most", 0),
        Limit("seconds until no answer was by an older policy", max(late, default=0.0), "at most", EFFECTIVE_WITHIN_S),
    ]
    show(
        f"{header}\n{len(VERSIONS)} versions of the demo's network in traffic {ready_s:.0f} s after the policy named "
        f"them; then {CLIENTS} clients, {BODY} bodies, {len(switches)} policies in {answers.elapsed:.1f} s, each with "
        f"another champion, other shares and shadows: {len(answers.status)} requests, {failed} failed, answered by "
        f"versions {sorted({v for v in answers.version if v})}; p99 {1e3 * percentile(answers.good, 99):.0f} ms; last "
        f"answer by an older policy {cell(statistics.median(late))} s (median) after the change.\n\n"
        f"{table(('process', 'resident MiB', 'of it its own'), rows)}\n{verdicts(limits)}"
    )
    assert len(switches) >= 1
    assert len(answers.good) > 0


def policy(turn: int) -> dict[str, object]:
    """Every version has a role, and each turn another one: one champion, seven challengers, two shadows."""
    turned = tuple(itertools.islice(itertools.cycle(VERSIONS), turn, turn + len(VERSIONS)))
    share = (0.02, 0.1, 0.05)[turn % 3]
    return {
        "champion": turned[0],
        "challengers": tuple(Challenger(version=version, share=share) for version in turned[1:8]),
        "shadows": turned[8:],
    }


def switch(platform: Online, *, until: float) -> Switches:
    """Put one policy after the other in force."""
    switches: Switches = {}
    for turn in itertools.count(1):
        time.sleep(SWITCH_EVERY_S)
        if time.monotonic() > until:
            return switches
        changed = platform.put_in_force(TASK, **policy(turn))
        switches[changed.policy_version] = time.monotonic()
    raise AssertionError("counting does not end")


def latest_old_answer(answers: Answers, number: int, at: float) -> float:
    """Seconds after a change at which the last request began that an older policy still decided."""
    begun = [
        when
        for when, policy in zip(answers.begun, answers.policy, strict=True)
        if policy is not None and policy < number
    ]
    return max(0.0, max(begun, default=at) - at)


def memories(platform: Online, trees: dict[int, object]) -> dict[str, tuple[float, float]]:
    """Resident and own memory of each version, of all, and of what stands around them."""
    found = {f"{TASK}@{version}": (rss_mib(tree), own_mib(tree)) for version, tree in trees.items()}
    whole = sum(rss for rss, _ in found.values()), sum(own for _, own in found.values())
    gateway = platform.process("gateway")
    return {**found, f"{len(found)} versions": whole, "gateway": (rss_mib(gateway), own_mib(gateway))}
