"""A model that is worse than the champion, or changed beyond the change control plan, is refused and that is recorded."""

from collections.abc import Callable
from typing import Any

import pytest

from domain.change_control import GateDecision
from domain.errors import CriteriaNotMet, Refused
from domain.traffic import TrafficPolicy
from pipelines import promotion
from pipelines.promotion import Promotion

pytestmark = pytest.mark.slow
TASK = "chest_xray_pneumonia"


@pytest.fixture
def promote(installation: Any) -> Callable[..., Promotion]:
    """Asks for the promotion of what was validated, in this person's name."""
    return lambda by: promotion.put_in_force(TASK, approver=by, root=installation.root)


@pytest.fixture
def champion(installation: Any, promote: Callable[..., Promotion]) -> Promotion:
    """The first training, validated and in force."""
    installation.register()
    installation.validated("first")
    return promote("Dr. First")


def in_force(installation: Any) -> TrafficPolicy | None:
    with installation.root.database.unit_of_work(installation.root.tenant, read_only=True) as work:
        return work.traffic.current(TASK)


def recorded(installation: Any, version: int) -> tuple[GateDecision, ...]:
    with installation.root.database.unit_of_work(installation.root.tenant, read_only=True) as work:
        return work.decisions.of_version(TASK, f"{TASK}@{version}")


def refused(installation: Any, after: int) -> GateDecision:
    """The one decision about a version registered after these."""
    found = [decision for version in range(after + 1, after + 10) for decision in recorded(installation, version)]
    assert len(found) == 1
    return found[0]


def test_a_worse_model_is_refused_with_criterion_value_bound_and_reason(
    installation: Any, champion: Promotion, promote: Callable[..., Promotion]
) -> None:
    known = max(manifest.version for manifest in champion.manifests)
    installation.validated("worse")
    with pytest.raises(CriteriaNotMet) as told:
        promote("Dr. Second")

    decision = refused(installation, known)
    assert (decision.verdict, decision.champion) == ("refuse", f"{TASK}@{champion.policy.champion}")
    assert (decision.decided_by, decision.report_sha256) == ("Dr. Second", installation.report_sha256())
    failed = {check.name: check for check in decision.failed}
    assert {"auroc_at_least", "auroc_not_inferior_to_champion"} <= failed.keys()
    for check in failed.values():
        for part in (check.name, check.found, check.bound, check.reason):
            assert part
            assert part in told.value.what
    auroc = failed["auroc_at_least"].value
    assert auroc is not None
    assert auroc.interval[0] < 0.8

    assert in_force(installation) == champion.policy
    assert installation.audited(decision.model_version) == [("model.refused", "Dr. Second", "failure")]
    with installation.root.database.unit_of_work(installation.root.tenant, read_only=True) as work:
        assert decision.model_version not in {one.manifest.model_version for one in work.model_versions.list(TASK)}
        assert [change.by for change in work.traffic.history(TASK)] == ["Dr. First"]


def test_a_change_that_the_plan_does_not_foresee_is_refused_however_good_the_model(
    installation: Any, champion: Promotion, promote: Callable[..., Promotion]
) -> None:
    known = max(manifest.version for manifest in champion.manifests)
    installation.validated("larger")
    with pytest.raises(CriteriaNotMet, match="change_in_plan: found preprocessing"):
        promote("Dr. Second")
    decision = refused(installation, known)
    assert "preprocessing" in decision.changes
    assert "preprocessing is not covered" in {check.name: check for check in decision.failed}["change_in_plan"].reason
    assert in_force(installation) == champion.policy


def test_another_seed_is_a_change_that_the_plan_foresees(
    installation: Any, champion: Promotion, promote: Callable[..., Promotion]
) -> None:
    known = max(manifest.version for manifest in champion.manifests)
    installation.validated("second")
    try:
        decision = promote("Dr. Second").decisions[0]
    except CriteriaNotMet:
        decision = refused(installation, known)
    checks = {check.name: check for check in decision.checks}
    assert checks["change_in_plan"].met
    assert checks["comparison_with_champion"].met
    assert {"weights", "training_seed"} <= set(decision.changes) <= {"weights", "training_seed", "threshold"}


def test_a_report_that_does_not_compare_with_the_champion_in_force_promotes_nothing(
    installation: Any, champion: Promotion, promote: Callable[..., Promotion]
) -> None:
    installation.lay("second")
    assert installation.stage_alone() == 0  # without `fiducial validate`, which lays the champion out
    with pytest.raises(Refused, match=f"does not compare with {TASK}@{champion.policy.champion}, which is in force"):
        promote("Dr. Second")
    assert in_force(installation) == champion.policy


def test_the_same_question_gets_the_recorded_answer(
    installation: Any, champion: Promotion, promote: Callable[..., Promotion]
) -> None:
    installation.validated("first")
    assert promote("Dr. First").decisions == champion.decisions
    assert recorded(installation, champion.policy.champion) == champion.decisions
