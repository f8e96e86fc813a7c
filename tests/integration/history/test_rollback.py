"""Rollback puts an earlier champion back, recorded like a promotion, with MLflow or without."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic

import pytest

from domain.audit import AuditAction
from domain.change_control import GateDecision
from domain.errors import DigestMismatch, ForbiddenByLevel, InvalidField, ModelUnavailable, Refused, UnknownTask
from domain.identifiers import sha256_of
from domain.traffic import Challenger, TrafficPolicy
from infra import history
from models import registry
from pipelines import reconciling
from pipelines.rollback import roll_back
from pipelines.wiring import Offline

NOW = datetime(2026, 3, 9, tzinfo=UTC)
Record = Callable[..., None]


def recorded(root: Offline, record: Record, *champions: int, **approvers: str) -> None:
    with root.database.unit_of_work(root.tenant) as work:
        record(work, *champions, **approvers)


def in_force(root: Offline) -> TrafficPolicy | None:
    with root.database.unit_of_work(root.tenant, read_only=True) as work:
        return work.traffic.current("chest")


def aliases(root: Offline) -> tuple[int | None, int | None]:
    said = registry.aliases(root.tracking, task="chest")
    return said["champion"], said["challenger"]


def test_the_champion_before_serves_again_by_a_new_policy_that_says_who_and_why(alone: Offline, record: Record) -> None:
    recorded(alone, record, 1, 2)
    done = roll_back("chest", by="Dr Ada", why="misses effusions at site north", root=alone, now=NOW)
    assert (done.policy.champion, done.policy.policy_version, done.left) == (1, 3, 2)
    with alone.database.unit_of_work(alone.tenant, read_only=True) as work:
        before, last = history.history(work, "chest")[1:]
        assert (before.until, last.since, last.until) == (NOW, NOW, None)
        assert (last.by, last.why) == ("Dr Ada", "misses effusions at site north")
        assert last.versions[0].model_version == "chest@1"
        (rolled,) = work.audit.of("chest@1")
        (changed,) = work.audit.of("chest policy 3")
        assert (rolled.action, rolled.agent, rolled.outcome) == (AuditAction.MODEL_ROLLED_BACK, "Dr Ada", "success")
        assert (changed.action, changed.agent) == (AuditAction.TRAFFIC_CHANGED, "Dr Ada")


def test_it_stands_at_once_while_mlflow_is_stopped_and_says_what_will_follow(alone: Offline, record: Record) -> None:
    recorded(alone, record, 1, 2)
    began = monotonic()
    done = roll_back("chest", by="Dr Ada", why="wrong", root=alone, now=NOW)
    assert monotonic() - began < 10  # MLflow's own client would try for minutes
    assert in_force(alone) == done.policy
    assert "`fiducial reconcile` will write them" in done.aliases


def test_mlflows_aliases_follow(root: Offline, record: Record) -> None:
    recorded(root, record, 1, 2)
    registry.set_alias(root.tracking, task="chest", alias="champion", version=2)
    assert roll_back("chest", by="Dr Ada", why="wrong", root=root, now=NOW).aliases == "MLflow's aliases say the same"
    assert aliases(root) == (1, None)


def test_aliases_left_behind_by_a_rollback_are_written_later_without_an_alarm(
    root: Offline, record: Record, settings: Callable[..., Offline]
) -> None:
    recorded(root, record, 1, 2)
    registry.set_alias(root.tracking, task="chest", alias="champion", version=2)
    uri = root.settings.mlflow
    roll_back("chest", by="Dr Ada", why="wrong", root=settings(mlflow_uri="http://127.0.0.1:9"), now=NOW)
    again = settings(mlflow_uri=uri)
    assert aliases(again) == (2, None)

    (found,) = reconciling.reconcile(again, now=NOW + timedelta(days=2))
    assert (found.late, found.moved, aliases(again)) == (("champion",), (), (1, None))

    registry.set_alias(again.tracking, task="chest", alias="champion", version=2)  # now it is no longer the rollback
    (found,) = reconciling.reconcile(again, now=NOW + timedelta(days=2))
    assert [one.said for one in found.moved] == [2]


def test_a_version_brought_back_is_nowhere_else_and_the_others_keep_their_part(
    alone: Offline, record: Record, with_challenger: TrafficPolicy
) -> None:
    recorded(alone, record, 1)
    with alone.database.unit_of_work(alone.tenant) as work:
        work.traffic.change(with_challenger, by="Dr Bo", why="newer", at=NOW - timedelta(days=1))
    policy = roll_back("chest", by="Dr Ada", why="wrong", root=alone, now=NOW).policy
    assert (policy.champion, policy.challengers, policy.shadows) == (1, (Challenger(version=3, share=0.2),), ())
    policy = roll_back("chest", by="Dr Ada", why="best of all", root=alone, now=NOW, to=3).policy
    assert (policy.champion, policy.challengers, policy.shadows) == (3, (), ())


def test_rolling_back_twice_never_returns_to_what_was_left(alone: Offline, record: Record) -> None:
    recorded(alone, record, 1, 2, 3)
    served = [roll_back("chest", by="Dr Ada", why="wrong", root=alone, now=NOW).policy.champion for _ in range(2)]
    assert served == [2, 1]
    with pytest.raises(Refused, match="No champion came before chest@1") as refused:
        roll_back("chest", by="Dr Ada", why="wrong", root=alone, now=NOW)
    assert "--to" in refused.value.next_step


def test_what_never_answered_comes_back_only_when_the_gate_promoted_it(alone: Offline, record: Record) -> None:
    recorded(alone, record, 1, 2)

    def decide(verdict: str) -> None:
        decision = GateDecision.model_validate(
            {"task": "chest", "model_version": "chest@3", "variant": "v", "champion": None, "verdict": verdict,
             "changes": (), "checks": (), "decided_by": "Dr Ada", "decided_at": NOW, "why": "w",
             **dict.fromkeys(("report_sha256", "plan_sha256", "pccp_sha256"), sha256_of(b""))}
        )  # fmt: skip
        with alone.database.unit_of_work(alone.tenant) as work:
            work.decisions.add(decision)

    for verdict in ("", "refuse"):
        if verdict:
            decide(verdict)
        with pytest.raises(Refused, match="chest@3 has never answered"):
            roll_back("chest", by="Dr Ada", why="wrong", root=alone, now=NOW, to=3)
    decide("promote")
    assert roll_back("chest", by="Dr Ada", why="wrong", root=alone, now=NOW, to=3).policy.champion == 3


@pytest.mark.parametrize(
    ("by", "why", "to", "error", "said"),
    [
        ("Dr Ada", "  ", None, InvalidField, "--why is empty"), ("", "wrong", None, InvalidField, "--by must have"),
        ("x" * 201, "wrong", None, InvalidField, "1 to 200 characters"),
        ("Dr Ada", "wrong", 2, Refused, "chest@2 is the champion in force"),
        ("Dr Ada", "wrong", 9, Refused, "chest@9 has never answered"),
    ],
)  # fmt: skip
def test_what_is_refused_changes_nothing(
    by: str, why: str, to: int | None, error: type[Exception], said: str, alone: Offline, record: Record
) -> None:
    recorded(alone, record, 1, 2)
    with pytest.raises(error, match=said):
        roll_back("chest", by=by, why=why, root=alone, now=NOW, to=to)
    assert in_force(alone) == TrafficPolicy(task="chest", policy_version=2, champion=2)


def test_a_task_without_a_policy_cannot_be_rolled_back(alone: Offline) -> None:
    with pytest.raises(UnknownTask, match="'absent' has no policy"):
        roll_back("absent", by="Dr Ada", why="wrong", root=alone, now=NOW)


@pytest.mark.parametrize("by", ["demo", "Demo"])
def test_from_the_clinical_level_on_demo_may_not_roll_back(
    by: str, alone: Offline, record: Record, settings: Callable[..., Offline]
) -> None:
    recorded(alone, record, 1, 2)
    with pytest.raises(ForbiddenByLevel, match="A rollback by 'demo' is not allowed at the level clinical"):
        roll_back("chest", by=by, why="wrong", root=settings(level="clinical"), now=NOW)
    assert roll_back("chest", by=by, why="wrong", root=settings(level="starter"), now=NOW).policy.champion == 1


def test_from_the_clinical_level_on_what_only_demo_approved_does_not_come_back(
    alone: Offline, record: Record, settings: Callable[..., Offline]
) -> None:
    recorded(alone, record, 1, 2, approver_1="demo")
    with pytest.raises(ForbiddenByLevel, match="chest@1, approved only by 'demo'"):
        roll_back("chest", by="Dr Ada", why="wrong", root=settings(level="clinical"), now=NOW)


def test_a_version_that_could_not_answer_is_not_put_in_force(alone: Offline, record: Record, tmp_path: Path) -> None:
    recorded(alone, record, 1, 2)
    model = tmp_path / "bentos" / "1" / "src" / "model" / "model.onnx"
    model.write_bytes(b"other")
    with pytest.raises(DigestMismatch, match="is not the model of chest@1"):
        roll_back("chest", by="Dr Ada", why="wrong", root=alone, now=NOW)
    model.unlink()
    with pytest.raises(ModelUnavailable, match="The Bento of chest@1 is not at"):
        roll_back("chest", by="Dr Ada", why="wrong", root=alone, now=NOW)
    assert in_force(alone) == TrafficPolicy(task="chest", policy_version=2, champion=2)
