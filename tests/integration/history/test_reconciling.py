"""An alias moved behind our back is found, alarmed and written back; whatever it says, it is never served."""

import asyncio
import json
import logging
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from domain.audit import AuditAction
from domain.errors import AliasMoved, Unavailable, UnknownTask
from domain.traffic import TrafficPolicy
from infra import logs, traffic_changes
from models import registry
from pipelines import reconciling
from pipelines.reconciling import GRACE
from pipelines.wiring import Offline
from serving.routing import DatabaseRouting

Record = Callable[..., None]
LATER = timedelta(days=1)


@pytest.fixture
def serving(root: Offline, record: Record, with_challenger: TrafficPolicy) -> datetime:
    """Version 2 serves beside challenger 3, the aliases say so; since when."""
    with root.database.unit_of_work(root.tenant) as work:
        record(work, 1)
        since = work.traffic.history("chest")[0].at + timedelta(hours=1)
        work.traffic.change(with_challenger, by="Dr Bo", why="newer", at=since)
    registry.follow(root.tracking, with_challenger)
    return since


def alarms(root: Offline) -> list[dict[str, object]]:
    file = root.home / "alarms" / "aliases.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def audited(root: Offline, alias: str) -> list[tuple[str, str, str]]:
    with root.database.unit_of_work(root.tenant, read_only=True) as work:
        return [(one.action, one.agent, one.outcome) for one in work.audit.of(f"chest alias {alias}")]


def route(root: Offline) -> TrafficPolicy | None:
    return asyncio.run(DatabaseRouting(root.database).route("chest", tenant=root.tenant)).policy


def test_where_the_aliases_say_what_the_policy_says_nothing_happens(root: Offline, serving: datetime) -> None:
    (found,) = reconciling.reconcile(root, now=serving + LATER)
    reconciling.require_unmoved([found])
    assert (found.late, found.moved, alarms(root)) == ((), (), [])
    assert str(found) == "chest: MLflow's aliases compared with policy 2"


def test_a_moved_alias_is_alarmed_in_every_way_and_written_back(
    root: Offline, serving: datetime, caplog: pytest.LogCaptureFixture
) -> None:
    logs.configure()
    logging.getLogger().addHandler(caplog.handler)
    registry.set_alias(root.tracking, task="chest", alias="champion", version=1)
    found = reconciling.reconcile(root, now=serving + LATER)
    with pytest.raises(AliasMoved) as alarmed:
        reconciling.require_unmoved(found)
    assert "chest: champion said version 1, policy 2 says version 2; written back" in str(alarmed.value)
    assert alarmed.value.exit_code == 6
    assert audited(root, "champion") == [(AuditAction.ALIAS_MOVED, "reconciler", "failure")]
    (line,) = alarms(root)
    assert (line["alias"], line["said"], line["policy_says"], line["policy_version"]) == ("champion", 1, 2, 2)
    assert [(one.levelname, "alias.moved" in one.getMessage()) for one in caplog.records if one.name == log_name()] == [
        ("ERROR", True)
    ]
    assert registry.aliases(root.tracking, task="chest") == {"champion": 2, "challenger": 3}
    assert reconciling.reconcile(root, now=serving + LATER)[0].moved == ()
    assert len(alarms(root)) == 1


def log_name() -> str:
    return reconciling.__name__


@pytest.mark.parametrize("version", [1, 3])
def test_whatever_an_alias_says_the_policy_decides_who_serves(root: Offline, serving: datetime, version: int) -> None:
    before = route(root)
    registry.set_alias(root.tracking, task="chest", alias="champion", version=version)
    assert route(root) == before
    reconciling.reconcile(root, now=serving + LATER)
    assert route(root) == before
    with root.database.unit_of_work(root.tenant, read_only=True) as work:
        assert len(work.traffic.history("chest")) == 2


def test_an_alias_taken_away_or_put_where_none_belongs_is_moved_too(root: Offline, record: Record) -> None:
    with root.database.unit_of_work(root.tenant) as work:
        record(work, 1)
        since = work.traffic.history("chest")[0].at
    registry.set_alias(root.tracking, task="chest", alias="challenger", version=3)
    (found,) = reconciling.reconcile(root, now=since + LATER)
    assert {(one.alias, one.said, one.policy_says) for one in found.moved} == {
        ("champion", None, 1), ("challenger", 3, None),
    }  # fmt: skip
    assert registry.aliases(root.tracking, task="chest") == {"champion": 1, "challenger": None}


def test_aliases_of_a_promotion_under_way_are_no_alarm_but_a_minute_later_they_are(
    root: Offline, serving: datetime
) -> None:
    with root.database.unit_of_work(root.tenant) as work:
        policy = TrafficPolicy(task="chest", policy_version=3, champion=3)
        work.traffic.change(policy, by="Dr Bo", why="better", at=serving + LATER)
    (found,) = reconciling.reconcile(root, now=serving + LATER + timedelta(seconds=1))
    assert (set(found.late), found.moved) == ({"champion", "challenger"}, ())
    registry.set_alias(root.tracking, task="chest", alias="champion", version=2)
    (found,) = reconciling.reconcile(root, now=serving + LATER + GRACE)
    assert [one.alias for one in found.moved] == ["champion"]


def test_what_no_promotion_ever_said_is_an_alarm_at_any_time(root: Offline, serving: datetime) -> None:
    registry.set_alias(root.tracking, task="chest", alias="champion", version=3)
    (found,) = reconciling.reconcile(root, now=serving + timedelta(seconds=1))
    assert [one.said for one in found.moved] == [3]


def test_an_alias_that_cannot_be_written_back_is_alarmed_again_and_again(root: Offline, serving: datetime) -> None:
    root.tracking.client.delete_model_version("chest", "2")
    for times in (1, 2):
        (found,) = reconciling.reconcile(root, now=serving + LATER)
        assert [(one.alias, one.written_back) for one in found.moved] == [("champion", False)]
        assert len(alarms(root)) == times
    assert route(root) is not None


def test_a_registry_that_does_not_answer_is_not_taken_for_moved_aliases(alone: Offline, record: Record) -> None:
    with alone.database.unit_of_work(alone.tenant) as work:
        record(work, 1)
    with pytest.raises(Unavailable, match="MLflow's server does not answer"):
        reconciling.reconcile(alone, now=datetime.now().astimezone())
    assert (alarms(alone), audited(alone, "champion")) == ([], [])


def test_a_registry_whose_file_is_gone_or_is_none_does_not_answer(
    root: Offline, serving: datetime, settings: Callable[..., Offline]
) -> None:
    broken = root.home / "broken.db"
    broken.write_text("this is no database, and long enough to be read as one" * 20)
    for path in (root.home / "gone.db", broken):
        with pytest.raises(Unavailable, match="MLflow's database does not answer"):
            reconciling.reconcile(settings(mlflow_uri=f"sqlite:///{path}"), now=serving + LATER)
        assert not (root.home / "gone.db").exists()


def test_a_task_without_a_policy_has_nothing_to_reconcile(root: Offline) -> None:
    assert reconciling.reconcile(root, now=datetime.now().astimezone()) == ()
    with pytest.raises(UnknownTask, match="'chest' has no policy"):
        reconciling.reconcile(root, now=datetime.now().astimezone(), task="chest")


@pytest.fixture
def stopped(root: Offline, serving: datetime) -> datetime:
    """The watch stopped challenger 3 and then rolled champion 2 back, without MLflow; a day ago."""
    reconciling.reconcile(root, now=serving + LATER)
    for at in (serving + LATER, serving + 2 * LATER):
        with root.database.unit_of_work(root.tenant) as work:
            if at == serving + LATER:
                traffic_changes.stop_challenger(work, "chest", 3, by="watch", why="stop rule 'errors'", at=at)
            else:
                traffic_changes.roll_back(work, "chest", by="watch", why="stop rule 'errors'", at=at, to=1)
    return serving + 3 * LATER


def test_aliases_left_behind_by_the_watch_follow_without_an_alarm(root: Offline, stopped: datetime) -> None:
    """It cannot reach MLflow, and however late the reconciler comes, nobody tampered."""
    (found,) = reconciling.reconcile(root, now=stopped)
    reconciling.require_unmoved([found])
    assert "champion" in found.late
    assert (found.moved, alarms(root), audited(root, "champion")) == ((), [], [])
    with root.database.unit_of_work(root.tenant, read_only=True) as work:
        policy = work.traffic.current("chest")
    assert policy is not None
    assert registry.aliases(root.tracking, task="chest") == registry.aliases_of(policy)


def test_an_alias_a_stranger_moved_after_the_watch_acted_is_alarmed(root: Offline, stopped: datetime) -> None:
    registry.set_alias(root.tracking, task="chest", alias="champion", version=3)
    (found,) = reconciling.reconcile(root, now=stopped)
    assert [(one.alias, one.said, one.policy_says) for one in found.moved] == [("champion", 3, 1)]
    assert len(alarms(root)) == 1


def test_what_the_aliases_said_before_the_watch_acted_is_an_alarm_once_they_have_followed(
    root: Offline, stopped: datetime
) -> None:
    reconciling.reconcile(root, now=stopped)
    registry.set_alias(root.tracking, task="chest", alias="champion", version=2)
    (found,) = reconciling.reconcile(root, now=stopped + LATER)
    assert [one.said for one in found.moved] == [2]
