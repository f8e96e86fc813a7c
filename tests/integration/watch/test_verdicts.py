"""A comparison ends once: a rejected challenger is stopped, an accepted one waits for a person, a doubtful one too."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from domain.experiment import StopRule

Ward = Any  # see conftest.py
POSITIVES = StopRule(name="positives", measure="positives", high=0.3)
PRESENT = {"finding_present": True, "probability": 0.9}


def compared(ward: Ward, n: int, *, right: bool) -> None:
    """Patients of both versions in turn, all reviewed: the champion is always right, the challenger if so said."""
    for _ in range(n):
        ward.review(ward.answer(1, 1), agrees=True)
        ward.review(ward.answer(2, 1), agrees=right)


def test_a_rejected_challenger_is_stopped_with_the_verdict_in_one_commit(ward: Ward) -> None:
    ward.serve(1, v2=0.5)
    ward.declare()
    compared(ward, 40, right=False)
    (event,) = ward.watch.poll()
    stopped, decided = ward.events
    assert (decided, decided.kind, decided.evidence["verdict"]) == (event, "decided", "challenger rejected")
    assert (stopped.kind, stopped.version, stopped.evidence["experiment_id"]) == ("stopped", 2, "ex_1")
    assert (stopped.policy_version, decided.policy_version, ward.policy.share_of(2)) == (2, 2, 0.0)
    assert ward.audited("chest@2") == [("version.stopped", "watch", "success")]
    assert ward.watch.poll() == ward.new_watch().poll() == ()
    assert len(ward.alarms) == 1


def test_an_accepted_challenger_keeps_its_share_until_a_person_promotes_it(ward: Ward) -> None:
    ward.serve(1, v2=0.5)
    ward.declare(margin=0.5)
    compared(ward, 100, right=True)
    (event,) = ward.watch.poll()
    assert (event.kind, event.evidence["verdict"]) == ("decided", "challenger accepted")
    assert (ward.policy.policy_version, ward.policy.share_of(2)) == (1, 0.5)
    compared(ward, 3, right=True)
    assert ward.watch.poll() == ward.new_watch().poll() == ()
    assert (ward.events, ward.alarms) == ((event,), [])


def test_a_verdict_on_a_split_that_was_not_planned_is_recorded_alarmed_and_not_acted_on(ward: Ward) -> None:
    ward.serve(1, v2=0.5)
    ward.declare()
    for _ in range(30):
        ward.review(ward.answer(1, 1), agrees=True)
        ward.review(ward.answer(2, 5), agrees=False)
    (event,) = ward.watch.poll()
    assert (event.evidence["verdict"], event.evidence["trustworthy"]) == ("challenger rejected", False)
    assert "Not acted on" in event.why
    assert (ward.policy.share_of(2), ward.policy.policy_version) == (0.5, 1)
    assert [one["kind"] for one in ward.alarms] == ["decided"]
    assert ward.watch.poll() == ()


def test_of_two_watches_at_once_one_decides(ward: Ward) -> None:
    ward.serve(1, v2=0.5)
    ward.declare(margin=0.5)
    compared(ward, 100, right=True)
    watches = [ward.new_watch() for _ in range(4)]
    with ThreadPoolExecutor(len(watches)) as pool:
        assert sum(pool.map(lambda watch: len(watch.poll()), watches)) == 1
    assert len(ward.events) == 1


def test_a_guard_stops_the_challenger_while_the_comparison_runs_and_nobody_else(ward: Ward) -> None:
    ward.serve(1, v2=0.5)
    ward.declare(guards=(POSITIVES,))
    ward.answer(1, 40, **PRESENT)
    assert ward.watch.poll() == ()
    ward.answer(2, 40, **PRESENT)
    (event,) = ward.watch.poll()
    assert (event.version, event.evidence["rules"][0]["rule"]["name"]) == (2, "positives")


def test_a_guard_of_a_comparison_that_has_ended_stops_nobody(ward: Ward) -> None:
    ward.serve(1, v2=0.5)
    ward.declare(guards=(POSITIVES,))
    ward.serve(1)  # a person took the challenger out, and gives it patients again for another reason
    ward.serve(1, v2=0.5)
    ward.answer(2, 40, **PRESENT)
    assert ward.watch.poll() == ()
