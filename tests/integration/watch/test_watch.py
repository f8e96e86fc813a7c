"""The watch stops a version that leaves its bands, once, with its evidence, whatever happens to the watch itself."""

import logging
import signal
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from domain.canonical import canonical_json
from domain.experiment import StopRule
from domain.identifiers import DEFAULT_TENANT, sha256_of
from domain.level import LEVELS, LevelName
from domain.traffic import Role
from evidence.experiment.live import states_of
from infra import live_traffic, logs
from infra.db.session import Database
from serving.stopping import NOBODY, Stopping

Start = Callable[..., "subprocess.Popen[str]"]
Ward = Any  # see conftest.py
FAILED: dict[str, Any] = {"outcome": "failed", "answered": None, "probability": None, "finding_present": None}
ABSTAINED: dict[str, Any] = {"outcome": "abstained", "probability": None, "finding_present": None}


def test_versions_that_keep_to_their_bands_are_left_alone(ward: Ward) -> None:
    ward.serve(1, v2=0.5)
    ward.answer(1, 60)
    ward.answer(2, 60)
    ward.answer(2, 2, **FAILED)
    assert ward.watch.poll() == ward.events == ()
    assert (ward.policy.policy_version, ward.alarms) == (1, [])


def test_a_challenger_that_fails_is_stopped_and_everything_about_it_is_recorded(
    ward: Ward, caplog: pytest.LogCaptureFixture
) -> None:
    logs.configure()
    logging.getLogger().addHandler(caplog.handler)
    ward.serve(1, v2=0.4, v3=0.1)
    ward.answer(1, 30)
    rows = ward.answer(2, 20, **{**FAILED, "answered": 1, "outcome": "done"})  # the champion answered in its place
    ward.clock += timedelta(seconds=2)
    (event,) = ward.watch.poll()
    policy = ward.policy
    assert {one.version: one.share for one in policy.challengers} == {2: 0.0, 3: 0.1}
    assert (event.kind, event.version, event.policy_version, event.by) == ("stopped", 2, 2, "watch")
    assert ward.events == (event,)
    assert sha256_of(canonical_json(event.evidence)) == event.evidence_sha256
    (rule,) = event.evidence["rules"]
    assert (rule["rule"]["name"], rule["count"], rule["patients"]) == ("errors", 20, 20)
    assert rule["rows"] == {"first": rows[0].number, "last": rows[-1].number}
    assert (event.evidence["seconds_since_first_row"], event.evidence["seconds_since_last_row"]) == (21.0, 2.0)
    assert ward.audited("chest@2") == [("version.stopped", "watch", "success")]
    assert ward.audited("chest policy 2") == [("traffic.changed", "watch", "success")]
    (alarm,) = ward.alarms
    assert (alarm["version"], alarm["action"], alarm["evidence_sha256"]) == (2, "share to 0", event.evidence_sha256)
    assert [one.levelname for one in caplog.records if "traffic.stopped" in one.getMessage()] == ["ERROR"]
    assert rows[0].patient not in str(event) + str(alarm) + caplog.text


@pytest.mark.parametrize("fault", [ABSTAINED, {"seconds": 9.0}])
def test_abstentions_and_slow_answers_stop_a_version_too(ward: Ward, fault: dict[str, object]) -> None:
    ward.serve(1, v2=0.5)
    ward.answer(2, 40, **fault)
    assert [event.version for event in ward.watch.poll()] == [2]


def test_a_champion_that_fails_gives_way_to_the_one_before(ward: Ward) -> None:
    for champion in (1, 2):
        ward.serve(champion, v3=0.1)
    ward.answer(2, 20, **FAILED)
    (event,) = ward.watch.poll()
    assert (ward.policy.champion, ward.policy.visible) == (1, (1, 3))
    assert (event.version, event.policy_version, event.evidence["action"]) == (2, 3, "rolled back to 1")
    assert ward.audited("chest@2")[-1] == ("version.stopped", "watch", "success")
    assert ward.audited("chest@1") == [("model.rolled_back", "watch", "success")]
    assert ward.watch.poll() == ()


def test_it_never_goes_back_to_a_version_that_was_stopped_unless_a_person_made_it_champion_since(ward: Ward) -> None:
    ward.serve(1, v2=0.5)
    ward.answer(2, 20, **FAILED)
    ward.watch.poll()
    with ward.database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
        assert live_traffic.read(work, "chest").stopped_for_good() == {2}
    ward.serve(2)
    ward.serve(3)
    ward.answer(3, 20, **FAILED)
    ward.watch.poll()
    assert ward.policy.champion == 2


def test_a_champion_whose_bento_is_gone_is_passed_over(ward: Ward) -> None:
    for champion in (1, 2, 3):
        ward.serve(champion)
    (ward.home / "bentos" / "2" / "src" / "model" / "model.onnx").unlink()
    ward.answer(3, 20, **FAILED)
    (event,) = ward.watch.poll()
    assert ward.policy.champion == 1
    assert "The Bento of chest@2 is not at" in str(event.evidence["passed_over"])


def test_where_nobody_can_take_over_the_champion_stays_and_that_is_alarmed_once(ward: Ward) -> None:
    ward.serve(1)
    ward.answer(1, 20, **FAILED)
    (event,) = ward.watch.poll()
    ward.answer(1, 5, **FAILED)
    for watch in (ward.watch, ward.new_watch()):
        assert watch.poll() == ()
    assert (event.policy_version, event.evidence["action"]) == (None, NOBODY)
    assert (ward.policy.policy_version, len(ward.events), len(ward.alarms)) == (1, 1, 1)
    assert ward.audited("chest@1") == [("version.stopped", "watch", "failure")]


def test_a_level_that_takes_no_word_of_the_demo_is_heeded_by_the_watch_too(ward: Ward) -> None:
    ward.register(4, approver="demo")
    for champion in (4, 2):
        ward.serve(champion)
    ward.answer(2, 20, **FAILED)
    (event,) = ward.new_watch(level=LEVELS[LevelName.CLINICAL]).poll()
    assert (ward.policy.champion, event.evidence["action"]) == (2, NOBODY)
    assert "approved only by 'demo'" in str(event.evidence["reason"])


def test_a_watch_that_starts_again_does_not_act_again(ward: Ward) -> None:
    ward.serve(1, v2=0.5)
    ward.answer(2, 20, **FAILED)
    ward.watch.poll()
    for watch in (ward.watch, ward.new_watch()):
        assert watch.poll() == ()
    assert (ward.policy.policy_version, len(ward.events), len(ward.alarms)) == (2, 1, 1)


def test_rows_that_come_late_under_the_policy_before_count_no_more(ward: Ward) -> None:
    """The gateway follows a change within a second, and the worker writes what was asked before it."""
    ward.serve(1, v2=0.5)
    ward.answer(2, 20, **FAILED)
    ward.watch.poll()
    ward.answer(2, 20, **{**FAILED, "policy_version": 1})
    assert ward.watch.poll() == ward.new_watch().poll() == ()
    assert ward.policy.policy_version == 2


def test_a_stopped_version_that_is_given_patients_again_begins_anew(ward: Ward) -> None:
    ward.serve(1, v2=0.5)
    ward.answer(2, 20, **FAILED)
    ward.watch.poll()
    ward.serve(1, v2=0.5)
    ward.answer(2, 20)
    assert ward.watch.poll() == ward.new_watch().poll() == ()
    ward.answer(2, 40, **FAILED)
    assert [event.version for event in ward.watch.poll()] == [2]
    assert len(ward.alarms) == 2


def test_patients_of_a_role_the_version_had_before_do_not_count_in_the_next(ward: Ward) -> None:
    ward.serve(1, v2=0.5)
    ward.answer(2, 10, **FAILED)
    ward.serve(2)
    ward.answer(2, 100)
    assert ward.watch.poll() == ()


def test_of_two_watches_at_once_one_acts(ward: Ward) -> None:
    for champion in (1, 2):
        ward.serve(champion)
    ward.answer(2, 20, **FAILED)
    watches = [ward.new_watch() for _ in range(4)]
    at_once = threading.Barrier(len(watches))

    def poll(number: int) -> int:
        at_once.wait()
        return len(watches[number].poll())

    with ThreadPoolExecutor(len(watches)) as pool:
        assert sum(pool.map(poll, range(len(watches)))) == 1
    assert [watch.poll() for watch in watches] == [()] * len(watches)
    assert (ward.policy.policy_version, ward.policy.champion, len(ward.events)) == (3, 1, 1)


def test_of_two_watches_at_once_one_says_that_nobody_can_take_over(ward: Ward) -> None:
    ward.serve(1)
    ward.answer(1, 20, **FAILED)
    watches = [ward.new_watch() for _ in range(4)]
    with ThreadPoolExecutor(len(watches)) as pool:
        assert sum(pool.map(lambda watch: len(watch.poll()), watches)) == 1
    assert len(ward.events) == 1


def test_a_policy_changed_by_a_person_since_it_was_judged_is_judged_again(ward: Ward) -> None:
    ward.serve(1, v2=0.5)
    ward.answer(2, 20, **FAILED)
    with ward.database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
        traffic = live_traffic.read(work, "chest")
    stint = next(one for one in traffic.stints if one.role is Role.CHALLENGER)
    acting = [state for state in states_of(traffic, stint) if state.acts]
    ward.serve(1, v2=0.2)
    stopping = Stopping(DEFAULT_TENANT, ward.database, LEVELS[LevelName.STARTER])
    assert stopping.stop(traffic, ward.clock, stint=stint, states=acting) is None
    assert (ward.policy.policy_version, ward.events) == (2, ())
    assert [event.policy_version for event in ward.watch.poll()] == [3]


DYING = """
import os, signal, sys
from pathlib import Path
from sqlalchemy import event
from domain.level import LEVELS, LevelName
from infra.db.session import Database
from serving.watch import Watch
database = Database(sys.argv[1])
watch = Watch("default", database, Path(sys.argv[2]), LEVELS[LevelName.STARTER])
event.listen(database.engine, "commit", lambda connection: os.kill(os.getpid(), signal.SIGKILL))
watch.poll()
print("survived", flush=True)
"""


def test_a_watch_killed_just_before_its_commit_has_done_nothing_and_the_next_does_all(
    ward: Ward, database_url: str, python: Start
) -> None:
    ward.serve(1, v2=0.5)
    ward.answer(2, 20, **FAILED)
    dying = python(DYING, database_url, str(ward.home))
    assert dying.wait(60) == -signal.SIGKILL
    assert (ward.policy.policy_version, ward.events, ward.audited("chest@2"), ward.alarms) == (1, (), [], [])
    assert len(ward.watch.poll()) == len(ward.events) == len(ward.alarms) == 1


def test_the_alarm_of_a_watch_killed_just_after_its_commit_is_raised_by_the_next(ward: Ward) -> None:
    ward.serve(1, v2=0.5)
    ward.answer(2, 20, **FAILED)
    alarms = ward.home / "alarms"
    alarms.write_text("in the way")  # committed, but no line can be written
    assert len(ward.watch.poll()) == 1
    alarms.unlink()
    assert ward.new_watch().poll() == ()
    assert [one["version"] for one in ward.alarms] == [2]


def test_rules_declared_for_the_task_take_the_place_of_everybodys(ward: Ward) -> None:
    ward.serve(1, v2=0.5)
    rule = StopRule(name="positives", measure="positives", low=0.05, high=0.5)
    with ward.database.unit_of_work(DEFAULT_TENANT) as work:
        work.stop_rules.declare("chest", [rule], by="ada", why="w", at=ward.clock)
    ward.answer(1, 40, finding_present=True, probability=0.9)
    ward.answer(2, 40, **FAILED)
    assert [(one.version, one.evidence["action"]) for one in ward.watch.poll()] == [(1, NOBODY)]


def test_a_watch_without_a_database_waits_for_it(ward: Ward) -> None:
    nowhere = Database("postgresql+psycopg://nobody@127.0.0.1:1/none?connect_timeout=2")
    assert ward.new_watch(database=nowhere).poll() == ()


def test_its_loop_turns_until_it_is_told_to_stop(ward: Ward) -> None:
    ward.serve(1, v2=0.5)
    beats: list[int] = []
    watch, stop = ward.new_watch(poll_s=0.01, heartbeat=lambda: beats.append(1)), threading.Event()
    thread = threading.Thread(target=watch.run, args=(stop,))
    thread.start()
    ward.answer(2, 20, **FAILED)
    deadline = threading.Event()
    for _ in range(500):
        if ward.events:
            break
        deadline.wait(0.02)
    stop.set()
    thread.join(10)
    assert not thread.is_alive()
    assert len(ward.events) == 1
    assert len(beats) > 1
