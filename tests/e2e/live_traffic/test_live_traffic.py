"""Three versions and a shadow on live traffic: patients keep their version, and a sign-flipped challenger, whose fault
no test set has shown, is taken out by a stop rule by itself; the seconds and the patients it took are printed.
"""

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from domain.audit import AuditAction
from domain.canonical import canonical_json
from domain.experiment import DEFAULT_STOP_RULES, StopRule, TrafficEvent
from domain.identifiers import DEFAULT_TENANT, PredictionId, sha256_of
from domain.prediction import Done
from domain.review import Review
from domain.traffic import Role, TrafficPolicy
from infra.clock import now
from models import registry

pytestmark = [pytest.mark.slow, pytest.mark.servers]
TASK, CHAMPION, GOOD, FLIPPED, SHADOW = "chest", 1, 2, 3, 4
PATIENTS = [(f"steady-{number}", number % 5 == 0) for number in range(40)]  # a fifth with the finding
BAND = StopRule(name="positives", measure="positives", low=0.01, high=0.5)
WAVE, MOST_WAVES = 16, 40
STOPPED_WITHIN_S = 90.0


@dataclass(frozen=True)
class Steady:
    """The same patients three times: at first, after the gateway was killed, and after a share was raised."""

    first: list[Any]
    after_restart: list[Any]
    after_raise: list[Any]
    before: TrafficPolicy
    raised: TrafficPolicy


@dataclass(frozen=True)
class Fault:
    """What was sent while the flipped version had patients, and how it ended."""

    began: datetime
    sent: list[Any]
    policy: TrafficPolicy  # that gave it patients
    stopped: TrafficPolicy
    by: str
    seconds: float
    patients: int


@pytest.fixture(scope="module")
def steady(drill: Any) -> Steady:
    before = drill.change(challengers={GOOD: 0.3}, why="a first comparison")
    drill.start()
    drill.wait_served(before)
    first = drill.send(PATIENTS)
    drill.restart_gateway()
    after_restart = drill.send(PATIENTS)
    raised = drill.change(challengers={GOOD: 0.5}, why="no harm seen")
    drill.wait_served(raised)
    return Steady(first, after_restart, drill.send(PATIENTS), before, raised)


@pytest.fixture(scope="module")
def fault(drill: Any, steady: Steady) -> Fault:
    with drill.database.unit_of_work(DEFAULT_TENANT) as work:
        work.stop_rules.declare(
            TASK, (BAND, *DEFAULT_STOP_RULES), by="Dr Ada", why="a fifth of our films is positive", at=now()
        )
    policy = drill.change(challengers={GOOD: 0.4, FLIPPED: 0.3}, why="a second challenger")
    drill.wait_served(policy)
    registry.follow(drill.tracking, policy)
    began, clock, sent = now(), time.monotonic(), []
    for wave in range(MOST_WAVES):
        sent += drill.send([(f"new-{number}", number % 5 == 0) for number in range(wave * WAVE, (wave + 1) * WAVE)])
        if drill.policy().share_of(FLIPPED) == 0.0:
            break
    drill.wait(lambda: drill.policy().share_of(FLIPPED) == 0.0, what="the stop", within_s=STOPPED_WITHIN_S)
    with drill.database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
        change = next(
            one for one in work.traffic.history(TASK) if one.policy.policy_version == policy.policy_version + 1
        )
    assert time.monotonic() - clock < 150
    answered = [one for one in sent if one.answer.get("model_version") == f"{TASK}@{FLIPPED}"]
    return Fault(
        began, sent, policy, change.policy, change.by, (change.at - began).total_seconds(),
        len({one.patient_id for one in answered}),
    )  # fmt: skip


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Writes a line of figures to the terminal, whatever is captured."""
    captured = request.config.pluginmanager.getplugin("capturemanager")

    def line(text: str) -> None:
        with captured.global_and_fixture_disabled():
            request.config.get_terminal_writer().line(f"\n{text}")

    return line


def versions(sent: list[Any]) -> list[str]:
    return [one.answer["model_version"] for one in sent]


def test_patients_keep_their_version_over_a_killed_gateway(steady: Steady, drill: Any) -> None:
    expected = [f"{TASK}@{drill.assigned(patient, steady.before).version}" for patient, _ in PATIENTS]
    assert versions(steady.first) == expected
    assert versions(steady.after_restart) == expected
    assert set(expected) == {"chest@1", "chest@2"}


def test_raising_a_share_moves_patients_from_the_champion_alone(steady: Steady, drill: Any) -> None:
    assert versions(steady.after_raise) == [
        f"{TASK}@{drill.assigned(patient, steady.raised).version}" for patient, _ in PATIENTS
    ]
    moved = {
        pair for pair in zip(versions(steady.first), versions(steady.after_raise), strict=True) if len(set(pair)) > 1
    }
    assert moved == {("chest@1", "chest@2")}


def test_the_flipped_version_is_taken_out_by_itself(fault: Fault, drill: Any, tell: Callable[[str], None]) -> None:
    tell(f"fault to share 0: {fault.seconds:.1f} s, {fault.patients} patients answered by the flipped version")
    assert 0 < fault.seconds < STOPPED_WITHIN_S
    assert 10 < fault.patients < 120
    assert fault.by not in ("Dr Ada", "")
    assert (fault.stopped.champion, fault.stopped.share_of(FLIPPED)) == (CHAMPION, 0.0)
    assert fault.stopped.share_of(GOOD) == fault.policy.share_of(GOOD)
    assert drill.policy().policy_version == fault.stopped.policy_version  # nothing else was stopped


def test_the_stop_is_on_record_with_its_evidence(fault: Fault, drill: Any) -> None:
    with drill.database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
        stops: list[TrafficEvent] = [one for one in work.traffic_events.list(TASK) if one.kind == "stopped"]
        audited = [one for one in work.audit.of(f"{TASK}@{FLIPPED}") if one.action is AuditAction.VERSION_STOPPED]
        work.audit.verify()
    (stop,) = stops
    assert (stop.version, stop.policy_version, stop.by) == (FLIPPED, fault.stopped.policy_version, fault.by)
    assert stop.evidence_sha256 == sha256_of(canonical_json(stop.evidence))
    assert "positives" in json.dumps(stop.evidence)
    assert [one.agent for one in audited] == [fault.by]


def test_its_patients_are_answered_by_the_others_from_then_on(fault: Fault, drill: Any) -> None:
    of_flipped = [one for one in fault.sent if one.answer.get("model_version") == f"{TASK}@{FLIPPED}"]
    time.sleep(1.5)
    again = drill.send([(one.patient_id, one.finding) for one in of_flipped])
    assert set(versions(again)) == {f"{TASK}@{CHAMPION}"}
    assert [one.answer["decision"] == "finding present" for one in again] == [one.finding for one in again]


def test_every_answer_is_of_the_version_that_its_policy_names(fault: Fault, steady: Steady, drill: Any) -> None:
    with drill.database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
        policies = {one.policy.policy_version: one.policy for one in work.traffic.history(TASK)}
        for one in _all(fault, steady):
            state = work.predictions.get(PredictionId(one.answer["prediction_id"])).state
            assert isinstance(state, Done)
            assigned = drill.assigned(one.patient_id, policies[state.policy_version])
            assert (state.model_version, state.role) == (f"{TASK}@{assigned.version}", assigned.role)
            assert not state.fell_back


def test_shadows_are_recorded_and_never_visible(fault: Fault, steady: Steady, drill: Any) -> None:
    assert not any(f"{TASK}@{SHADOW}" in json.dumps(one.study) for one in _all(fault, steady))
    asked = [PredictionId(one.answer["prediction_id"]) for one in steady.after_raise]  # a killed gateway forgets

    def recorded() -> set[str]:
        with drill.database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
            return {score.model_version for one in asked for score in work.shadow_scores.of(one)}

    assert drill.wait(recorded, what="a shadow score") == {f"{TASK}@{SHADOW}"}
    with drill.database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
        assert Role.SHADOW not in {row.role for row in work.arm_rows.after(TASK, 0)}


def test_aliases_policies_and_services_agree_after_the_stop(fault: Fault, drill: Any) -> None:
    quiet = drill.fiducial("reconcile", "--task", TASK)
    assert quiet.returncode == 0, quiet.stderr
    assert not (drill.home / "alarms" / "aliases.jsonl").exists()
    for version in (CHAMPION, GOOD, SHADOW):
        assert f"{TASK}@{version}" in quiet.stdout
    assert registry.aliases(drill.tracking, task=TASK) == registry.aliases_of(drill.policy())


def test_the_replay_of_that_period_tells_what_the_champion_would_have_said(
    fault: Fault, drill: Any, tmp_path: Path, tell: Callable[[str], None]
) -> None:
    with drill.database.unit_of_work(DEFAULT_TENANT) as work:
        for one in fault.sent:
            work.reviews.add(
                Review(
                    study_id=one.study["study_id"], task=TASK, source="review", finding_present=one.finding,
                    by="Dr Eva", at=now(),
                )
            )  # fmt: skip
    done = drill.fiducial(
        "replay", "--task", TASK, "--version", str(CHAMPION), "--since", fault.began.isoformat(), "--by", "Dr Ada",
        "--out", str(tmp_path),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    content = (tmp_path / "replay.json").read_bytes()
    assert f"SHA-256 of replay.json: {sha256_of(content)}" in done.stdout
    report = json.loads(content)
    assert report["answered_then"][f"{TASK}@{FLIPPED}"] >= fault.patients
    for study in report["studies"]:
        flipped_then = study["then"]["model_version"] == f"{TASK}@{FLIPPED}"
        assert (study["change"] is not None) == flipped_then, study
    (against,) = report["comparison"]["against"]
    gained = next(one for one in against["figures"] if one["name"] == "agreement, now less then")
    assert gained["low"] > 0  # the champion agrees with the readers where the flipped version did not
    assert against["tests"]["agreement"]["p_value"] < 0.001
    assert re.search(r"images in [\d.]+ s, \d+ a second", done.stdout)
    tell(done.stdout)


def _all(fault: Fault, steady: Steady) -> Iterator[Any]:
    yield from (*steady.first, *steady.after_restart, *steady.after_raise, *fault.sent)
