"""A comparison is declared before its first patient, once, as written; stop rules are declared with a reason."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml

from domain.audit import AuditAction
from domain.errors import ForbiddenByLevel, InvalidField, InvalidPlan, NotEstimable, Refused, UnknownTask
from domain.experiment import DEFAULT_STOP_RULES, ArmRow, Declaration, Experiment
from domain.identifiers import PredictionId, Pseudonym, StudyId
from domain.traffic import Challenger, Role, TrafficPolicy
from evidence.plan import parse_document
from infra.clock import now
from pipelines import experiments
from pipelines.experiments import RuleFile
from pipelines.wiring import Offline

ROOT = Path(__file__).resolve().parents[3]
DECLARATION: dict[str, Any] = {
    "task": "chest", "champion": 2, "challenger": 3, "endpoint": "agreement", "max_patients": 200,
    "design": {"kind": "always valid"},
}  # fmt: skip
RULES = b"rules: [{name: positives, measure: positives, low: 0.1, high: 0.4}]"


def policy(root: Offline, **changes: Any) -> TrafficPolicy:
    """Puts the next policy in force: version 2 serves, 3 is a challenger for nobody, unless said otherwise."""
    with root.database.unit_of_work(root.tenant) as work:
        before = work.traffic.current("chest")
        facts: dict[str, Any] = {
            "task": "chest", "policy_version": before.policy_version + 1 if before else 1, "champion": 2,
            "challengers": (Challenger(version=3, share=0.0),),
        }  # fmt: skip
        following = TrafficPolicy(**{**facts, **changes})
        work.traffic.change(following, by="Dr Bo", why="w", at=now())
    return following


def answer(root: Offline, *, under: TrafficPolicy, version: int = 3) -> None:
    role = Role.CHAMPION if version == under.champion else Role.CHALLENGER
    with root.database.unit_of_work(root.tenant) as work:
        work.arm_rows.add(
            ArmRow(
                task="chest", prediction_id=PredictionId("pr_1"), study_id=StudyId("st_1"), patient=Pseudonym("0" * 32),
                assigned=version, answered=version, role=role, policy_version=under.policy_version, outcome="done",
                probability=0.5, finding_present=True, seconds=0.1, recorded_at=now(),
            )
        )  # fmt: skip


def declare(root: Offline, identifier: str = "ex_1", *, by: str = "Dr Ada", **changes: Any) -> Experiment:
    text = yaml.safe_dump({**DECLARATION, **changes}).encode()
    return experiments.declare(text, identifier, by=by, why="better", root=root, now=now())


@pytest.fixture
def half() -> tuple[Challenger, ...]:
    return (Challenger(version=3, share=0.5),)


def test_a_declaration_is_kept_as_written_and_audited(alone: Offline) -> None:
    policy(alone)
    kept = declare(alone, by=" Dr Ada ", margin=0.1)
    with alone.database.unit_of_work(alone.tenant, read_only=True) as work:
        assert work.experiments.list("chest") == (kept,)
        audited = [(one.action, one.agent) for one in work.audit.of("chest experiment ex_1")]
    assert (kept.declaration.margin, kept.declared_by, kept.why) == (0.1, "Dr Ada", "better")
    assert audited == [(AuditAction.EXPERIMENT_DECLARED, "Dr Ada")]


def test_one_comparison_runs_at_a_time(alone: Offline) -> None:
    policy(alone)
    declare(alone)
    with pytest.raises(Refused, match=r"versions 2 and 3 of chest.* runs"):
        declare(alone, "ex_2")
    policy(alone, challengers=())
    policy(alone)
    declare(alone, "ex_2")  # the first ended when its challenger left the policy
    assert [bool(ended) for _, ended in experiments.every(alone)] == [True, False]


def test_of_two_who_declare_at_once_one_is_refused(alone: Offline) -> None:
    policy(alone)

    def attempt(number: int) -> bool:
        try:
            declare(alone, f"ex_{number}")
        except Refused:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(attempt, range(4))) == 1


@pytest.mark.parametrize(
    "changes", [{"champion": 3, "challengers": ()}, {"challengers": (), "shadows": (3,)}], ids=["swapped", "shadow"]
)
def test_versions_that_the_policy_has_in_other_roles_are_not_compared(alone: Offline, changes: dict[str, Any]) -> None:
    policy(alone, **changes)
    with pytest.raises(Refused, match="does not have version 2 as champion and 3 as challenger"):
        declare(alone)


def test_nobody_declares_who_may_have_seen_patients_already(alone: Offline, half: tuple[Challenger, ...]) -> None:
    answer(alone, under=policy(alone, challengers=half))
    with pytest.raises(Refused, match="has answered patients as challenger already"):
        declare(alone)
    policy(alone)  # its share back to 0: begins anew
    declare(alone)


def test_patients_of_the_champion_do_not_stand_in_the_way(alone: Offline, half: tuple[Challenger, ...]) -> None:
    answer(alone, under=policy(alone, challengers=half), version=2)
    declare(alone)


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"margin": 2}, InvalidPlan, "The declaration: margin"),
        ({"secret": 1}, InvalidPlan, "The declaration: secret"),
        ({"design": {"kind": "group sequential", "looks": [0.5, 0.9]}}, NotEstimable, "cannot be kept"),
        ({"by": " "}, InvalidField, "--by"),
        ({"task": "absent"}, UnknownTask, "no traffic policy"),
    ],
)
def test_what_cannot_be_kept_is_refused(alone: Offline, changes: dict[str, Any], error: Any, said: str) -> None:
    policy(alone)
    with pytest.raises(error, match=said):
        declare(alone, **changes)
    assert experiments.every(alone) == ()


def test_rules_are_put_in_force_with_their_reason_and_the_rules_before(alone: Offline) -> None:
    policy(alone)
    kept = experiments.declare_rules("chest", RULES, by="Dr Ada", why="our bands", root=alone, now=now())
    with alone.database.unit_of_work(alone.tenant, read_only=True) as work:
        assert work.stop_rules.in_force("chest") == kept
        (event,) = work.traffic_events.list("chest")
        assert [(one.action, one.agent) for one in work.audit.of("chest")] == [
            (AuditAction.STOP_RULES_DECLARED, "Dr Ada")
        ]
    assert (event.kind, event.by, event.why) == ("rules declared", "Dr Ada", "our bands")
    assert len(event.evidence["before"]) == len(DEFAULT_STOP_RULES)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text", [b"rules: []", b"- positives", b"rules: [{name: a, measure: positives, low: 0.1, band: 2}]", b"{", b"\xff"]
)
def test_a_file_that_holds_no_rules_is_refused(alone: Offline, text: bytes) -> None:
    policy(alone)
    with pytest.raises(InvalidPlan, match="The file of stop rules"):
        experiments.declare_rules("chest", text, by="Dr Ada", why="w", root=alone, now=now())


def test_where_no_word_of_the_demo_counts_it_declares_nothing(
    settings: Callable[..., Offline], new_postgresql_url: str, tmp_path: Path
) -> None:
    root = settings(home=str(tmp_path / "home"), database_url=new_postgresql_url, level="clinical")
    policy(root)
    with pytest.raises(ForbiddenByLevel):
        declare(root, by="demo")
    with pytest.raises(ForbiddenByLevel):
        experiments.declare_rules("chest", RULES, by="Demo", why="w", root=root, now=now())


def test_the_files_shown_in_the_documents_are_taken() -> None:
    def shown(name: str) -> bytes:
        return re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/how-to" / name).read_text(), flags=re.DOTALL)[0].encode()

    assert len(parse_document(shown("watch-live-traffic.md"), RuleFile, what="rules").rules) == 4
    assert parse_document(shown("compare-on-live-traffic.md"), Declaration, what="declaration").guards


def test_the_commands_say_what_was_kept_and_how_it_stands(
    alone: Offline, half: tuple[Challenger, ...], tmp_path: Path
) -> None:
    policy(alone)
    declaration, rules = tmp_path / "comparison.yaml", tmp_path / "rules.yaml"
    declaration.write_text(yaml.safe_dump(DECLARATION))
    rules.write_bytes(RULES)

    def fiducial(*arguments: str) -> str:
        command = [sys.executable, "-m", "pipelines.cli", *arguments]
        environment = {**os.environ, "COLUMNS": "200"}
        return subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True).stdout

    said = ("--by", "Dr Ada", "--why", "[bold]better[/bold]")
    assert "No comparison was declared yet" in fiducial("experiment", "list")
    assert "chest@3 against @2" in fiducial("experiment", "declare", str(declaration), *said)
    assert "1 stop rules in force" in fiducial("traffic-rules", "declare", "chest", str(rules), *said)
    answer(alone, under=policy(alone, challengers=half))
    shown = fiducial("experiment", "show", "chest")
    assert "3 challenger" in shown
    assert "positives 1 of 1 patients" in shown
    assert "[bold]better[/bold]" in shown
    assert "No look has been taken yet." in shown
    told = json.loads(fiducial("experiment", "show", "chest", "--json"))
    assert [(arm["version"], arm["patients"]) for arm in told["arms"]] == [(2, 0), (3, 1)]
    assert re.search(r"3 against 2 .*agreement .*runs", fiducial("experiment", "list"))
    assert "declared by Dr Ada" in fiducial("traffic-rules", "show", "chest")
    assert json.loads(fiducial("traffic-rules", "show", "chest", "--json"))[0]["name"] == "positives"


def test_a_declaration_begins_with_the_rows_after_it(alone: Offline, half: tuple[Challenger, ...]) -> None:
    answer(alone, under=policy(alone, challengers=half), version=2)
    kept = declare(alone)
    view = experiments.live("chest", root=alone)
    assert view.decision is not None
    assert (view.experiment, view.decision.assigned) == (kept, 0)
