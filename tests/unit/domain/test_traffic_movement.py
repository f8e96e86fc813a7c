"""A change of traffic moves as few patients as the shares must, for any change; assignment is a pure function."""

import random
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from domain.identifiers import Pseudonym
from domain.traffic import BUCKETS, Challenger, Segment, TrafficPolicy, allocate, assign

KEY = b"k" * 32
VERSIONS = range(1, 7)


def holders(policy: TrafficPolicy) -> list[int]:
    """Who answers the patients of each bucket."""
    held = [policy.champion] * BUCKETS
    for segment in policy.segments:
        held[segment.first : segment.end] = [segment.version] * (segment.end - segment.first)
    return held


def moved(before: TrafficPolicy, after: TrafficPolicy) -> int:
    return sum(old != new for old, new in zip(holders(before), holders(after), strict=True))


def fewest(before: TrafficPolicy, after: TrafficPolicy) -> int:
    """What no allocation can undercut: a version can keep no more patients than its smaller share."""
    kept = (min(before.share_of(version), after.share_of(version)) for version in VERSIONS)
    return BUCKETS - sum(round(share * BUCKETS) for share in kept)


def some_policy(chance: random.Random, *, champion: int, number: int) -> TrafficPolicy:
    rivals = [version for version in VERSIONS if version != champion]
    chosen = chance.sample(rivals, chance.randint(0, 4))
    shares = [chance.choice((0, 1, 500, 1000, 2500)) / BUCKETS for _ in chosen]
    challengers = tuple(Challenger(version=v, share=s) for v, s in zip(chosen, shares, strict=True))
    return TrafficPolicy(task="chest", policy_version=number, champion=champion, challengers=challengers)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("champions", [(1,), (1, 2, 3)], ids=["one champion", "changing champions"])
def test_challengers_that_come_go_grow_and_shrink_move_the_fewest_patients(
    seed: int, champions: tuple[int, ...]
) -> None:
    chance = random.Random(seed)
    policies = [some_policy(chance, champion=1, number=1)]
    for number in range(2, 30):
        wanted = some_policy(chance, champion=chance.choice(champions), number=number)
        policies.append(wanted.after(policies[-1]))
    for before, after in pairwise(policies):
        assert moved(before, after) == fewest(before, after)
    assert sum(moved(before, after) for before, after in pairwise(policies)) > BUCKETS  # the shares did change


@pytest.mark.parametrize(("share", "then"), [(0.1, 0.35), (0.35, 0.1), (0.0, 0.2), (0.2, 0.0), (0.2, 1.0)])
def test_a_share_that_changes_by_d_moves_a_share_d_of_the_patients(share: float, then: float) -> None:
    others = (Challenger(version=3, share=0.0), Challenger(version=4, share=0.0))
    before = TrafficPolicy(
        task="chest", policy_version=1, champion=1, challengers=(Challenger(version=2, share=share), *others)
    )
    after = TrafficPolicy(
        task="chest", policy_version=2, champion=1, challengers=(*others, Challenger(version=2, share=then))
    ).after(before)
    assert moved(before, after) == round(abs(then - share) * BUCKETS)


def test_where_champion_and_challenger_change_places_both_keep_what_they_can() -> None:
    before = TrafficPolicy(
        task="chest", policy_version=1, champion=1, challengers=(Challenger(version=2, share=0.2),)
    )  # fmt: skip
    after = TrafficPolicy(
        task="chest", policy_version=2, champion=2, challengers=(Challenger(version=1, share=0.2),)
    ).after(before)
    assert moved(before, after) == round(0.6 * BUCKETS)
    assert holders(after)[:2000] == [2] * 2000


def test_a_champion_that_changes_leaves_every_challengers_patients_alone() -> None:
    challengers = (Challenger(version=2, share=0.2), Challenger(version=3, share=0.1))
    before = TrafficPolicy(task="chest", policy_version=1, champion=1, challengers=challengers)
    after = TrafficPolicy(task="chest", policy_version=2, champion=4, challengers=challengers).after(before)
    assert after.segments == before.segments


def test_a_challenger_grows_into_what_another_gives_back_before_it_takes_from_the_champion() -> None:
    before = (Segment(version=2, first=1000, end=2000),)
    challengers = [Challenger(version=2, share=0.05), Challenger(version=3, share=0.1)]
    assert allocate(challengers, before=before) == (
        Segment(version=3, first=0, end=500), Segment(version=2, first=1000, end=1500),
        Segment(version=3, first=1500, end=2000),
    )  # fmt: skip


def test_assignment_is_the_same_in_another_process() -> None:
    policy = TrafficPolicy(
        task="chest", policy_version=1, champion=1,
        challengers=(Challenger(version=2, share=0.3), Challenger(version=3, share=0.3)),
    )  # fmt: skip
    patients = [Pseudonym(f"{number:032x}") for number in range(300)]
    here = [assign(patient, policy, key=KEY).version for patient in patients]
    program = (
        "import sys; from domain.traffic import TrafficPolicy, assign\n"
        "policy = TrafficPolicy.model_validate_json(sys.argv[1])\n"
        "print([assign(f'{n:032x}', policy, key=b'k' * 32).version for n in range(300)])"
    )
    there = subprocess.run(
        [sys.executable, "-c", program, policy.model_dump_json()], cwd=Path(__file__).parents[3],
        env={"PYTHONHASHSEED": "7"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert there.stdout.strip() == str(here)
    assert set(here) == {1, 2, 3}
