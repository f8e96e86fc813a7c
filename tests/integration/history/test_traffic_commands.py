"""``fiducial traffic`` as a person types it: tables, JSON, aliases that follow, one sentence for each wrong thing."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from domain.identifiers import pseudonym_of
from domain.traffic import Challenger, Mode, Pin, TrafficPolicy
from domain.traffic_request import TrafficRequest
from infra import traffic_changes
from infra.clock import now
from models import registry
from pipelines import reconciling
from pipelines.cli import main
from pipelines.wiring import Offline

ROOT = Path(__file__).resolve().parents[3]
SAID = ("--by", "Dr Ada", "--why", "worse at site north")
Traffic = Callable[..., tuple[int, str, str]]


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'platform.db'}"


@pytest.fixture
def traffic(
    root: Offline, record: Callable[..., None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Traffic:
    """The command in this process, on an installation where 1, 3 and then 2 served and MLflow is at hand."""
    monkeypatch.setenv("COLUMNS", "200")
    with root.database.unit_of_work(root.tenant) as work:
        record(work, 1, 3, 2)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["fiducial", "traffic", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return run


def in_force(root: Offline) -> TrafficPolicy:
    with root.database.unit_of_work(root.tenant, read_only=True) as work:
        return traffic_changes.in_force(work, "chest")


def row(table: str, version: int) -> list[str]:
    return next(line.split() for line in table.splitlines() if line.split()[:1] == [str(version)])


def test_a_challenger_gets_a_share_a_shadow_none_and_mlflows_aliases_follow(root: Offline, traffic: Traffic) -> None:
    with root.database.unit_of_work(root.tenant) as work:
        work.addresses.set("chest", 2, "http://127.0.0.1:8020", load_s=1.5, rss_bytes=2**20)
    code, told, problem = traffic("set", "chest", "--challenger", "3=0.2", "--shadow", "1", *SAID)
    assert code == 0, problem
    assert "chest: policy 4" in told
    assert "Dr Ada: worse at site north" in told
    assert row(told, 2) == ["2", "champion", "80.00%", "–", "http://127.0.0.1:8020", "1.50", "1048576"]
    assert row(told, 3) == ["3", "challenger", "20.00%", "–", "–", "–", "–"]
    assert row(told, 1) == ["1", "shadow", "–", "–", "–", "–", "–"]
    assert told.endswith("MLflow's aliases say the same\n")
    assert registry.aliases(root.tracking, task="chest") == {"champion": 2, "challenger": 3}

    assert traffic("set", "chest", "--challenger", "none", *SAID)[0] == 0
    assert (in_force(root).visible, in_force(root).shadows) == ((2,), (1,))
    assert registry.aliases(root.tracking, task="chest") == {"champion": 2, "challenger": None}
    assert traffic("set", "chest", "--champion", "1", "--shadow", "none", *SAID)[0] == 0
    assert in_force(root).versions == (1,)


def test_a_patient_is_pinned_by_the_identifier_of_which_only_the_hash_is_kept(
    root: Offline, traffic: Traffic, tmp_path: Path
) -> None:
    traffic("set", "chest", "--challenger", "3=0.2", *SAID)
    code, told, problem = traffic("pin", "chest", "3", "--patient-id", "P-4711", *SAID)
    assert code == 0, problem
    pseudonym = pseudonym_of("P-4711", key=root.secrets.pseudonym_key, tenant=root.tenant)
    assert in_force(root).pins == (Pin(patient=pseudonym, version=3),)
    assert row(told, 3)[3] == "1"
    assert traffic("pin", "chest", "2", "--patient", pseudonym, *SAID)[0] == 0
    assert in_force(root).pins == (Pin(patient=pseudonym, version=2),)  # a patient has one pin
    assert "P-4711" not in told + traffic("show", "chest", "--json")[1]
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 3
    assert [path for path in files if b"P-4711" in path.read_bytes()] == []

    assert traffic("unpin", "chest", "--patient-id", "P-4711", *SAID)[0] == 0
    assert in_force(root).pins == ()
    traffic("pin", "chest", "3", "--patient", "a" * 32, *SAID)
    traffic("pin", "chest", "2", "--patient", "b" * 32, *SAID)
    assert traffic("unpin", "chest", "--version", "3", *SAID)[0] == 0
    assert [pin.version for pin in in_force(root).pins] == [2]


def test_the_kill_switch_goes_off_and_on_and_loses_nothing(root: Offline, traffic: Traffic) -> None:
    traffic("set", "chest", "--challenger", "3=0.2", "--shadow", "1", *SAID)
    before = in_force(root)
    for command, mode, said in (
        ("champion-only", Mode.CHAMPION_ONLY, "CHAMPION ONLY: chest@2 answers everybody"),
        ("off", Mode.OFF, "OFF: nobody answers"),
    ):
        code, told, problem = traffic(command, "chest", *SAID)
        assert (code, said in told, in_force(root).mode) == (0, True, mode), problem
    assert "Policy 6 says so already" in traffic("off", "chest", *SAID)[1]
    assert traffic("on", "chest", *SAID)[0] == 0
    assert in_force(root).model_copy(update={"policy_version": before.policy_version}) == before


def test_a_challenger_is_stopped_with_its_pins_and_the_others_stay(root: Offline, traffic: Traffic) -> None:
    traffic("set", "chest", "--challenger", "3=0.2", "--challenger", "1=0.1", *SAID)
    traffic("pin", "chest", "3", "--patient", "a" * 32, *SAID)
    code, told, problem = traffic("stop", "chest", "3", *SAID)
    assert code == 0, problem
    assert (row(told, 3)[:4], row(told, 1)[2]) == (["3", "challenger", "0.00%", "–"], "10.00%")
    assert in_force(root).challengers == (Challenger(version=3, share=0.0), Challenger(version=1, share=0.1))
    assert "says so already" in traffic("stop", "chest", "3", *SAID)[1]


def test_every_policy_is_told_oldest_first_with_who_and_why(root: Offline, traffic: Traffic) -> None:
    traffic("set", "chest", "--challenger", "3=0.2", *SAID)
    traffic("off", "chest", "--by", "Dr Bo", "--why", "films of another hospital")
    told = traffic("history", "chest")[1]
    lines = [line for line in told.splitlines() if line.strip()[:1].isdigit()]
    assert [line.split()[0] for line in lines] == ["1", "2", "3", "4", "5"]
    assert "[bold]reason[/bold] 1" in lines[0]  # what a person wrote, as it was written
    assert "OFF, 2 champion 80.00%, 3 challenger 20.00%" in lines[-1]
    assert lines[-1].split()[-6:] == ["Dr", "Bo", "films", "of", "another", "hospital"]
    listed = json.loads(traffic("history", "chest", "--json")[1])
    assert [one["policy"]["policy_version"] for one in listed] == [1, 2, 3, 4, 5]
    assert (listed[-1]["by"], listed[-1]["policy"]["mode"]) == ("Dr Bo", "off")
    assert json.loads(traffic("show", "chest", "--json")[1]) == listed[-1]["policy"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("show", "absent"), 3, "'absent' has no traffic policy"), (("history", "absent"), 3, "no traffic policy"),
        (("off", "absent", *SAID), 3, "`fiducial promote` makes the first one"),
        (("set", "chest", "--challenger", "3=1.2", *SAID), 2, "a share must lie in 0–1, and that of version"),
        (("set", "chest", "--challenger", "3", *SAID), 2, "--challenger is VERSION=SHARE"),
        (("set", "chest", "--challenger", "2=0.1", *SAID), 2, "one role in a policy"),
        (("set", "chest", "--shadow", "x", *SAID), 2, "--shadow is a version"),
        (("set", "chest", "--champion", "9", *SAID), 3, "No model version chest@9"),
        (("set", "chest", "--champion", "1", "--by", "Dr Ada", "--why", " "), 2, "--why is empty"),
        (("set", "chest", "--champion", "1"), 2, "Missing option"),
        (("pin", "chest", "2", *SAID), 2, "by --patient or by --patient-id"),
        (("pin", "chest", "2", "--patient", "P-4711", *SAID), 2, "by pseudonym"),
        (("pin", "chest", "3", "--patient", "a" * 32, *SAID), 2, "a pin names the champion or a challenger"),
        (("stop", "chest", "2", *SAID), 4, "chest@2 is no challenger"),
        (("unpin", "chest", "--patient", "a" * 32, *SAID), 2, "No such pin in policy 3"),
        (("unpin", "chest", "--patient", "a" * 32, "--version", "2", *SAID), 2, "go apart"),
    ],
)  # fmt: skip
def test_each_wrong_thing_is_told_in_a_sentence_and_changes_nothing(
    arguments: tuple[str, ...], code: int, said: str, root: Offline, traffic: Traffic
) -> None:
    ended, _, problem = traffic(*arguments)
    assert (ended, said in problem) == (code, True), problem
    assert in_force(root).policy_version == 3


def test_a_change_of_the_facade_is_no_moved_alias_to_the_reconciler(root: Offline, traffic: Traffic) -> None:
    traffic("set", "chest", "--challenger", "3=0.2", *SAID)
    later = now() + timedelta(hours=1)
    with root.database.unit_of_work(root.tenant) as work:  # as serving does it, which knows no MLflow
        for share in (0.1, 0.3):
            challengers = (Challenger(version=1, share=share),)
            request = TrafficRequest(champion=3, challengers=challengers)
            level = root.settings.limits_of_level
            traffic_changes.amend(work, "chest", request, by="engineer", why="w", at=now(), level=level)
    (found,) = reconciling.reconcile(root, now=later)
    assert (found.late, found.moved) == (("champion", "challenger"), ())
    assert registry.aliases(root.tracking, task="chest") == {"champion": 3, "challenger": 1}
    registry.set_alias(root.tracking, task="chest", alias="champion", version=2)  # by hand, to what it said before
    (found,) = reconciling.reconcile(root, now=later)
    assert [one.said for one in found.moved] == [2]


def test_the_command_imports_no_learning_library_to_show_traffic(root: Offline, traffic: Traffic) -> None:
    program = (
        "import sys; sys.argv = ['fiducial', 'traffic', 'show', 'chest']\n"
        "from pipelines.cli import main\n"
        "try:\n    main()\n"
        "except SystemExit as ended:\n    assert not ended.code\n"
        "print('heavy:', sorted({'torch', 'monai', 'mlflow', 'bentoml', 'prefect'} & set(sys.modules)))"
    )
    shown: Any = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, timeout=60
    )
    assert shown.stdout.rstrip().endswith("heavy: []"), shown.stderr
