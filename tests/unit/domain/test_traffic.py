"""Traffic policies: consistent, sticky by patient, in the declared shares, and stable when a share grows."""

from typing import Any

import pytest
from pydantic import ValidationError

from domain.identifiers import Pseudonym
from domain.traffic import Challenger, Role, TrafficPolicy, assign

KEY = b"k" * 32
PATIENTS = [Pseudonym(f"{number:032x}") for number in range(4000)]


def policy(*shares: float, **changes: Any) -> TrafficPolicy:
    challengers = tuple(Challenger(version=version, share=share) for version, share in enumerate(shares, start=2))
    return TrafficPolicy(**{"task": "chest", "policy_version": 1, "champion": 1, "challengers": challengers, **changes})


def test_without_a_challenger_the_champion_answers_for_everybody() -> None:
    assert {assign(patient, policy(), key=KEY).role for patient in PATIENTS[:50]} == {Role.CHAMPION}


def test_a_patient_keeps_the_version_across_calls_and_policy_versions() -> None:
    before, after = policy(0.2), policy(0.2, policy_version=7)
    assert [assign(p, before, key=KEY) for p in PATIENTS] == [assign(p, after, key=KEY) for p in PATIENTS]


def test_a_fifth_of_the_patients_goes_to_a_challenger_of_a_fifth() -> None:
    roles = [assign(patient, policy(0.2), key=KEY).role for patient in PATIENTS]
    # Binomial with n = 4000, p = 0.2: four standard deviations are 0.025.
    assert roles.count(Role.CHALLENGER) / len(PATIENTS) == pytest.approx(0.2, abs=0.025)


def test_a_growing_share_moves_only_patients_of_the_champion() -> None:
    small, large = policy(0.1), policy(0.4)
    for patient in PATIENTS:
        if assign(patient, small, key=KEY).role is Role.CHALLENGER:
            assert assign(patient, large, key=KEY).role is Role.CHALLENGER


def test_another_key_or_task_assigns_other_patients() -> None:
    ours = [assign(patient, policy(0.5), key=KEY) for patient in PATIENTS[:200]]
    assert ours != [assign(patient, policy(0.5), key=b"z" * 32) for patient in PATIENTS[:200]]
    assert ours != [assign(patient, policy(0.5, task="hand"), key=KEY) for patient in PATIENTS[:200]]


def test_a_share_of_one_takes_everybody() -> None:
    assert {assign(patient, policy(1.0), key=KEY).version for patient in PATIENTS[:200]} == {2}


def test_several_challengers_get_their_own_shares() -> None:
    versions = [assign(patient, policy(0.25, 0.25), key=KEY).version for patient in PATIENTS]
    for version in (2, 3):
        assert versions.count(version) / len(PATIENTS) == pytest.approx(0.25, abs=0.03)


def test_a_shadow_never_answers() -> None:
    shadowed = policy(0.3, shadows=(9,))
    assert 9 not in {assign(patient, shadowed, key=KEY).version for patient in PATIENTS}


@pytest.mark.parametrize(
    ("shares", "changes"),
    [((1.1,), {}), ((-0.1,), {}), ((0.6, 0.6), {}), ((0.2,), {"champion": 2}), ((0.2,), {"shadows": (2,)}),
     ((), {"shadows": (1,)})],
    ids=["above one", "negative", "sum above one", "champion twice", "challenger as shadow", "champion as shadow"],
)  # fmt: skip
def test_an_inconsistent_policy_cannot_be_made(shares: tuple[float, ...], changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        policy(*shares, **changes)
