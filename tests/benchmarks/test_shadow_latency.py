"""What a shadow does to the visible answer: the same load with and without one, in turn."""

from collections.abc import Callable
from pathlib import Path

import pytest

from domain.traffic import Challenger
from tests.benchmarks.support import bentos
from tests.benchmarks.support.bentos import Served
from tests.benchmarks.support.facts import facts, pytest_command
from tests.benchmarks.support.knobs import BODY, ROUNDS, SECONDS
from tests.benchmarks.support.load import Answers, measure
from tests.benchmarks.support.online import Online
from tests.benchmarks.support.tables import p50_p99_ms, percentile, table

pytestmark = pytest.mark.benchmark
TASK = "densenet_int8"
SHARE_OF_PEAK = (0.25, 0.5)
WITHOUT, WITH = "without a shadow", "with one"
EFFECTIVE_S = 2.0


@pytest.mark.timeout(3600)
def test_visible_latency_with_and_without_a_shadow(
    platform: Online, served: dict[str, Served], packaged: dict[str, bentos.Packaged], bodies: dict[int, Path],
    show: Callable[[str], None],
) -> None:  # fmt: skip
    header = facts(pytest_command("test_shadow_latency.py"))
    platform.register(bentos.another(packaged[TASK], served[TASK], version=2))
    platform.put_in_force(TASK, **policy(WITHOUT))
    platform.wait_served(TASK, 1, 2)
    folder = bodies[min(bodies)]
    peak = measure(platform.load(TASK, folder, clients=8, seconds=SECONDS), {}).answers.per_second
    answers: dict[tuple[float, str], list[Answers]] = {}
    calls = {outcome: platform.shadow_calls(outcome) for outcome in ("recorded", "shed", "failed")}
    for _ in range(ROUNDS):
        for way in (WITHOUT, WITH):
            platform.put_in_force(TASK, **policy(way))
            for share in SHARE_OF_PEAK:
                # The warm-up is long enough for the policy to be in force before anything is measured.
                load = platform.load(TASK, folder, rate=share * peak, seconds=SECONDS, warm_up_s=EFFECTIVE_S)
                answers.setdefault((share, way), []).append(measure(load, {}).answers)
    counted = {outcome: platform.shadow_calls(outcome) - before for outcome, before in calls.items()}
    platform.put_in_force(TASK, champion=1)
    rows = [(f"{share:.0%} of the peak", way, *row(rounds)) for (share, way), rounds in answers.items()]
    head = ("load", "policy", "answers", "not 200", "p50 / p99 ms")
    ratios = [
        f"{share:.0%}: {p99(answers[share, WITH]) / p99(answers[share, WITHOUT]):.2f} ×" for share in SHARE_OF_PEAK
    ]
    show(
        f"{header}\n{TASK}, {BODY} bodies, 224 × 224, open loop; the shadow is the same network as the champion, on "
        f"the same cores, and resident either way. Peak {peak:.1f} images/s.\n\n{table(head, rows)}\n"
        f"Visible p99 with a shadow against without: {', '.join(ratios)}. Shadow calls meanwhile, warm-up included: "
        f"{', '.join(f'{count:.0f} {outcome}' for outcome, count in counted.items())}.\n"
    )
    assert counted["recorded"] + counted["shed"] > 0


def policy(way: str) -> dict[str, object]:
    """Version 2 as a shadow, or resident as a challenger whom no patient meets."""
    if way == WITH:
        return {"champion": 1, "shadows": (2,)}
    return {"champion": 1, "challengers": (Challenger(version=2, share=0.0),)}


def row(rounds: list[Answers]) -> tuple[object, ...]:
    good = [seconds for one in rounds for seconds in one.good]
    asked = sum(len(one.status) for one in rounds)
    return asked, asked - len(good), p50_p99_ms(good)


def p99(rounds: list[Answers]) -> float:
    return percentile([seconds for one in rounds for seconds in one.good], 99)
