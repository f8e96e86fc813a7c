"""Who serves after a promotion: only a network that the gate promotes, and nobody when it refuses the first."""

from datetime import UTC, datetime
from typing import Literal

import pytest

from domain.change_control import GateCheck, GateDecision
from domain.errors import CriteriaNotMet
from domain.identifiers import Pseudonym, sha256_of
from domain.traffic import Challenger, Mode, Pin, Segment, TrafficPolicy
from evidence.record import ValidationReport
from models.checkpoints import TrainedModel
from pipelines.candidates import Candidate
from pipelines.promotion import CHALLENGER_SHARE, choose_policy

TASK = "chest_xray_pneumonia"
SOME = sha256_of(b"some")


def decision(version: int, verdict: Literal["promote", "refuse"] = "promote") -> GateDecision:
    met = verdict == "promote"
    check = GateCheck(
        name="sensitivity_at_least", kind="bound", bound="lower end ≥ 0.900", found="0.870 (0.850–0.890), n = 624",
        met=met, reason="met" if met else "the interval reaches below the bound",
    )  # fmt: skip
    return GateDecision(
        task=TASK, model_version=f"{TASK}@{version}", variant=f"network-seed{version}", champion=None, verdict=verdict,
        changes=(), checks=(check,), report_sha256=SOME, plan_sha256=SOME, pccp_sha256=SOME, decided_by="anna",
        decided_at=datetime(2026, 11, 24, tzinfo=UTC), why="test",
    )  # fmt: skip


def candidate(version: int, *, kind: str = "network") -> Candidate:
    variant = "baseline" if kind == "baseline" else f"network-seed{version}"
    trained = TrainedModel.model_construct(task=TASK, variant=variant, kind=kind)
    return Candidate(trained, ValidationReport.model_construct(), SOME, version)


def promoted(*versions: int, refused: tuple[int, ...] = ()) -> dict[int, GateDecision]:
    return {v: decision(v) for v in versions} | {v: decision(v, "refuse") for v in refused}


def test_the_first_network_is_champion_and_the_baseline_its_shadow() -> None:
    policy = choose_policy(TASK, [candidate(1), candidate(2, kind="baseline")], promoted(1), before=None)
    assert (policy.champion, policy.challengers, policy.shadows) == (1, (), (2,))


def test_another_network_that_the_gate_promotes_answers_for_a_share_of_patients() -> None:
    found = [candidate(4), candidate(5), candidate(6, kind="baseline")]
    before = TrafficPolicy(task=TASK, policy_version=2, champion=1)
    policy = choose_policy(TASK, found, promoted(4, 5), before=before)
    assert (policy.champion, policy.policy_version) == (4, 3)
    assert policy.challengers == (Challenger(version=5, share=CHALLENGER_SHARE),)
    assert policy.shadows == (6,)


def test_a_promotion_keeps_the_kill_switch_and_the_pins_whose_version_may_still_answer() -> None:
    pins = (Pin(patient=Pseudonym("a" * 32), version=2), Pin(patient=Pseudonym("b" * 32), version=1))
    before = TrafficPolicy(
        task=TASK, policy_version=8, champion=1, challengers=(Challenger(version=2, share=0.1),), pins=pins,
        mode=Mode.CHAMPION_ONLY,
    )  # fmt: skip
    policy = choose_policy(TASK, [candidate(2), candidate(3)], promoted(2, 3), before=before)
    assert (policy.policy_version, policy.mode, policy.pins) == (9, Mode.CHAMPION_ONLY, pins[:1])


def test_the_patients_of_a_challenger_that_is_promoted_stay_with_it() -> None:
    before = TrafficPolicy(
        task=TASK, policy_version=8, champion=1, challengers=(Challenger(version=2, share=0.1),)
    )  # fmt: skip
    policy = choose_policy(TASK, [candidate(2), candidate(3)], promoted(2, 3), before=before)
    assert policy.segments == (Segment(version=3, first=1000, end=3000),)


def test_a_rival_that_the_gate_refuses_is_never_shown() -> None:
    found = [candidate(1), candidate(2), candidate(3)]
    policy = choose_policy(TASK, found, promoted(1, 3, refused=(2,)), before=None)
    assert [challenger.version for challenger in policy.challengers] == [3]
    assert policy.shadows == (2,)


def test_of_two_rivals_one_serves_and_the_other_is_a_shadow() -> None:
    policy = choose_policy(TASK, [candidate(1), candidate(2), candidate(3)], promoted(1, 2, 3), before=None)
    assert [challenger.version for challenger in policy.challengers] == [2]
    assert policy.shadows == (3,)


def test_the_baseline_never_serves_however_good_it_is() -> None:
    found = [candidate(1), candidate(2, kind="baseline")]
    assert choose_policy(TASK, found, promoted(1), before=None).challengers == ()
    with pytest.raises(CriteriaNotMet, match="is the baseline, which never serves"):
        choose_policy(TASK, [candidate(1, kind="baseline")], {}, before=None)


def test_a_refusal_stops_the_promotion_and_names_criterion_value_bound_and_reason() -> None:
    with pytest.raises(CriteriaNotMet) as refused:
        choose_policy(TASK, [candidate(1), candidate(2)], promoted(2, refused=(1,)), before=None)
    said = str(refused.value)
    assert said.startswith(f"{TASK}@1 is not promoted")
    for part in (
        "sensitivity_at_least",
        "0.870 (0.850–0.890), n = 624",
        "lower end ≥ 0.900",
        "reaches below the bound",
    ):
        assert part in said


def test_a_network_that_the_gate_was_not_asked_about_does_not_serve() -> None:
    with pytest.raises(CriteriaNotMet):
        choose_policy(TASK, [candidate(1)], {}, before=None)
