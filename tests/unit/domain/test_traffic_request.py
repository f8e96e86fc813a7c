"""What a person asks of traffic becomes a policy, or a sentence; pins, kill switch and old records."""

from typing import Any

import pytest
from pydantic import ValidationError

from domain.errors import Conflict, InvalidField
from domain.identifiers import Pseudonym
from domain.traffic import BUCKETS, Challenger, Mode, Pin, Role, Segment, TrafficPolicy, assign
from domain.traffic_request import TrafficRequest, require_pseudonyms

KEY = b"k" * 32
PATIENTS = [Pseudonym(f"{number:032x}") for number in range(400)]


def policy(**changes: Any) -> TrafficPolicy:
    parts: dict[str, Any] = {
        "task": "chest", "policy_version": 4, "champion": 1, "challengers": (Challenger(version=2, share=0.2),),
        "shadows": (3,), "pins": (Pin(patient=PATIENTS[0], version=2),),
    }  # fmt: skip
    return TrafficPolicy(**{**parts, **changes})


def test_what_is_left_out_stays_and_the_number_counts_on() -> None:
    wanted = TrafficRequest(mode=Mode.OFF).of(policy())
    assert wanted == policy(policy_version=5, mode=Mode.OFF)


def test_a_version_that_is_given_a_role_has_no_other_any_more() -> None:
    as_champion = TrafficRequest(champion=2).of(policy())
    assert (as_champion.champion, as_champion.challengers, as_champion.shadows) == (2, (), (3,))
    as_challenger = TrafficRequest(challengers=(Challenger(version=3, share=0.1),), pins=()).of(policy())
    assert (as_challenger.visible, as_challenger.shadows) == ((1, 3), ())
    as_shadow = TrafficRequest(shadows=(2, 3), pins=()).of(policy())
    assert (as_shadow.visible, as_shadow.shadows) == ((1,), (2, 3))


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"challengers": (Challenger(version=2, share=1.2),)}, "a share must lie in 0–1, and that of version"),
        ({"challengers": (Challenger(version=2, share=0.6), Challenger(version=4, share=0.6))}, "add up to at most 1"),
        ({"challengers": (Challenger(version=2, share=0.33333),)}, "a share is a multiple of 0.0001"),
        ({"challengers": (Challenger(version=2, share=float("nan")),)}, "must lie in 0–1"),
        ({"champion": 2, "challengers": (Challenger(version=2, share=0.1),)}, "one role in a policy"),
        ({"shadows": (1,)}, "one role in a policy"),
        ({"pins": (Pin(patient=PATIENTS[1], version=3),)}, "a pin names the champion or a challenger"),
        ({"pins": (Pin(patient=PATIENTS[1], version=2), Pin(patient=PATIENTS[1], version=1))}, "pinned once"),
        ({"challengers": ()}, "a pin names the champion or a challenger"),
    ],
)
def test_what_no_policy_can_be_is_refused_by_its_rule_without_a_pseudonym(asked: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidField, match=said) as refused:
        TrafficRequest(**asked).of(policy())
    assert PATIENTS[1] not in str(refused.value)


def test_a_request_decided_on_another_policy_is_a_conflict() -> None:
    assert TrafficRequest(champion=2, follows=4).of(policy()).policy_version == 5
    with pytest.raises(Conflict, match="Policy 4 of chest is in force, not 3"):
        TrafficRequest(champion=2, follows=3).of(policy())


@pytest.mark.parametrize("patient", ["P-4711", "", "A" * 32, "a" * 31, "a" * 33, "a" * 32 + "\n"])
def test_a_pin_by_anything_but_a_pseudonym_is_refused_without_repeating_it(patient: str) -> None:
    with pytest.raises(InvalidField) as refused:
        require_pseudonyms([Pin(patient=Pseudonym(patient), version=1)])
    assert not patient.strip() or patient not in str(refused.value)


def test_a_pinned_patient_is_answered_by_that_version_whatever_the_shares_and_only_in_normal_mode() -> None:
    none = policy(challengers=(Challenger(version=2, share=0.0),))
    pinned = assign(PATIENTS[0], none, key=KEY)
    assert (pinned.version, pinned.role) == (2, Role.PINNED)
    everything = policy(
        challengers=(Challenger(version=2, share=1.0),), pins=(Pin(patient=PATIENTS[0], version=1),)
    )  # fmt: skip
    assert assign(PATIENTS[0], everything, key=KEY).version == 1
    assert assign(PATIENTS[1], everything, key=KEY).version == 2
    only = everything.model_copy(update={"mode": Mode.CHAMPION_ONLY})
    assert {(assign(one, only, key=KEY).version, assign(one, only, key=KEY).role) for one in PATIENTS} == {
        (1, Role.CHAMPION)
    }


def test_switching_to_the_champion_alone_and_back_gives_every_patient_the_version_from_before() -> None:
    before = policy()
    only = TrafficRequest(mode=Mode.CHAMPION_ONLY).of(before).after(before)
    back = TrafficRequest(mode=Mode.NORMAL).of(only).after(only)
    assert [assign(one, back, key=KEY) for one in PATIENTS] == [assign(one, before, key=KEY) for one in PATIENTS]


@pytest.mark.parametrize(
    ("asked", "only_takes"),
    [
        ({"mode": Mode.OFF}, True), ({"challengers": (Challenger(version=2, share=0.1),)}, True),
        ({"challengers": (), "pins": ()}, True), ({"shadows": ()}, True), ({"pins": ()}, True),
        ({"challengers": (Challenger(version=2, share=0.3),)}, False), ({"champion": 2}, False),
        ({"shadows": (3, 4)}, False), ({"challengers": (Challenger(version=3, share=0.0),), "pins": ()}, False),
        ({"pins": (Pin(patient=PATIENTS[0], version=1),)}, False),
    ],
)  # fmt: skip
def test_a_change_that_gives_nobody_a_patient_is_told_from_one_that_does(
    asked: dict[str, Any], only_takes: bool
) -> None:
    assert TrafficRequest(**asked).of(policy()).only_takes_from(policy()) is only_takes


def test_switching_on_gives_patients_back_and_so_must_be_checked() -> None:
    off = policy(mode=Mode.OFF)
    assert not TrafficRequest(mode=Mode.CHAMPION_ONLY).of(off).only_takes_from(off)


def test_a_policy_recorded_before_pins_modes_and_segments_still_loads_and_assigns_as_it_did() -> None:
    old = TrafficPolicy.model_validate(
        {"task": "chest", "policy_version": 2, "champion": 2, "shadows": [1],
         "challengers": [{"version": 3, "share": 0.2}, {"version": 4, "share": 0.1}]}
    )  # fmt: skip
    assert (old.pins, old.mode, old.versions) == ((), Mode.NORMAL, (2, 3, 4, 1))
    assert old.segments == (Segment(version=3, first=0, end=2000), Segment(version=4, first=2000, end=3000))
    assert old.share_of(2) == 0.7


@pytest.mark.parametrize(
    "segments",
    [
        [(2, 0, 1999)], [(2, 0, 1000), (2, 500, 1500)], [(9, 0, 2000)], [(2, 9000, 11000)],
        [(2, 500, 1500), (2, 0, 1000)], [(2, 0, 0), (2, 0, 2000)],
    ],
    ids=["too few", "overlap", "no challenger", "beyond the end", "not rising", "empty"],
)  # fmt: skip
def test_segments_that_do_not_hold_exactly_the_shares_cannot_be(segments: list[tuple[int, int, int]]) -> None:
    made = tuple(Segment(version=version, first=first, end=end) for version, first, end in segments)
    with pytest.raises(ValidationError):
        policy(segments=made)
    assert policy(segments=(Segment(version=2, first=BUCKETS - 2000, end=BUCKETS),)).share_of(2) == 0.2
