"""A thousand comparisons of a version with itself, or with one exactly at the margin: how often do the rules err?

Patients are split by ``domain.traffic.assign``, as live ones are.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binom

from domain.identifiers import Pseudonym
from domain.traffic import Challenger, TrafficPolicy, allocate, assign
from evidence.experiment.sample_split import ALPHA, always_valid_p_value
from evidence.experiment.simulation import answered, assigned, compare, naive

pytestmark = [pytest.mark.slow]

Make = Callable[..., Any]
Arms = NDArray[np.bool_]
RUNS, PATIENTS, RATE, SEED = 1000, 1000, 0.9, 2026
# With a true rate of alpha a thousand runs err more often than this once in a thousand simulations: 41.
MOST = int(binom.ppf(0.999, RUNS, 0.025)) / RUNS
DESIGNS: dict[str, dict[str, Any]] = {
    "O'Brien-Fleming": {"kind": "group sequential", "looks": [0.2, 0.4, 0.6, 0.8, 1.0]},
    "Pocock": {"kind": "group sequential", "looks": [0.2, 0.4, 0.6, 0.8, 1.0], "spending": "pocock"},
    "always valid": {"kind": "always valid"},
}
SUPERIORITY = {"hypothesis": "superiority", "margin": 0.0}


@pytest.fixture(scope="module", params=[0.2, 0.5])
def arms(request: pytest.FixtureRequest, policy: Make) -> Arms:
    return assigned(policy(request.param), challenger=2, patients=PATIENTS, runs=RUNS)


@pytest.mark.parametrize("design", DESIGNS)
def test_two_equal_versions_are_told_apart_no_more_often_than_alpha(arms: Arms, declaration: Make, design: str) -> None:
    success = answered(arms, champion_rate=RATE, challenger_rate=RATE, seed=SEED)
    runs = compare(declaration(design=DESIGNS[design], **SUPERIORITY), arms, success)
    assert 0.0 < runs.rate("challenger accepted") <= MOST
    assert 0.0 < runs.rate("challenger rejected") <= MOST


@pytest.mark.parametrize("design", DESIGNS)
def test_a_challenger_exactly_at_the_margin_is_accepted_no_more_often_than_alpha(
    arms: Arms, declaration: Make, design: str
) -> None:
    success = answered(arms, champion_rate=RATE, challenger_rate=RATE - 0.05, seed=SEED)
    runs = compare(declaration(design=DESIGNS[design]), arms, success)
    assert 0.0 < runs.rate("challenger accepted") <= MOST
    assert runs.rate("challenger rejected") <= MOST


@pytest.mark.parametrize("design", DESIGNS)
def test_real_differences_are_found_within_the_largest_number(arms: Arms, declaration: Make, design: str) -> None:
    declared = declaration(design=DESIGNS[design])
    better = compare(declared, arms, answered(arms, champion_rate=0.9, challenger_rate=0.95, seed=SEED))
    worse = compare(declared, arms, answered(arms, champion_rate=0.9, challenger_rate=0.7, seed=SEED))
    assert better.rate("challenger accepted") > 0.85
    assert worse.rate("challenger rejected") > 0.9
    assert worse.median("challenger rejected") <= 600


def test_a_test_of_one_look_repeated_every_day_errs_many_times_as_often(arms: Arms, declaration: Make) -> None:
    declared = declaration(**SUPERIORITY)
    success = answered(arms, champion_rate=RATE, challenger_rate=RATE, seed=SEED)
    once = naive(declared, arms, success, every=PATIENTS)
    assert once < 0.045  # looked at once, it is a sound test
    assert naive(declared, arms, success, every=20) > 5 * 0.025 > MOST


def test_the_hash_splits_every_run_as_planned(policy: Make) -> None:
    drawn = assigned(policy(), challenger=2, patients=PATIENTS, runs=200)
    found = [always_valid_p_value(run.astype(np.int64), np.full(PATIENTS, 0.2)) for run in drawn]
    assert np.mean(np.array(found) <= 0.05) <= binom.ppf(0.999, 200, 0.05) / 200
    # Now every other patient of the champion's goes missing, as if its service lost them.
    kept = [run[run | (np.arange(PATIENTS) % 2 > 0)].astype(np.int64) for run in drawn]
    lost = [always_valid_p_value(run, np.full(run.size, 0.2)) for run in kept]
    assert np.mean(np.array(lost) <= ALPHA) > 0.95


def test_the_same_patient_meets_the_same_version_after_a_restart_and_a_change_of_shares_moves_the_fewest() -> None:
    names = [Pseudonym(f"{number:032x}") for number in range(20_000)]
    key = b"k" * 32

    def version_of(policy: TrafficPolicy) -> NDArray[np.int64]:
        reread = TrafficPolicy.model_validate_json(policy.model_dump_json())  # as another replica reads it
        return np.array([assign(name, reread, key=key).version for name in names])

    before = TrafficPolicy(task="chest", policy_version=1, champion=1, challengers=(Challenger(version=2, share=0.2),))
    first = version_of(before)
    assert (version_of(before) == first).all()
    for share in (0.35, 0.05):
        changed = (Challenger(version=2, share=share),)
        after = TrafficPolicy(
            task="chest",
            policy_version=2,
            champion=1,
            challengers=changed,
            segments=allocate(changed, before=before.segments),
        )
        moved = (version_of(after) != first).mean()
        assert moved == pytest.approx(abs(share - 0.2), abs=0.008)
