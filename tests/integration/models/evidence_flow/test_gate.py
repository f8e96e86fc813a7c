"""A model worse than the champion, or changed beyond the change control plan, is refused, and that is recorded."""

from typing import Any

import pytest

from domain.change_control import GateDecision
from domain.errors import CriteriaNotMet, Refused
from models.plans import PLANS, pccp_file
from pipelines import judging, kept_evidence, promotion
from pipelines.candidates import candidates
from pipelines.promotion import Promotion

pytestmark = pytest.mark.slow
TASK = "chest_xray_pneumonia"


def promote(installation: Any, by: str) -> Promotion:
    return promotion.put_in_force(TASK, approver=by, root=installation.root)


def latest_decision(installation: Any) -> GateDecision:
    """The one about the version that was registered last."""
    decided = installation.decisions(*range(max(installation.packaged()) + 1, 100))
    assert len(decided) == 1
    decision: GateDecision = decided[0]
    return decision


def test_a_worse_model_is_refused_with_criterion_value_bound_and_reason(promoted: Any) -> None:
    before, served = promoted.in_force(), promoted.packaged()
    promoted.validated("worse")
    with pytest.raises(CriteriaNotMet) as told:
        promote(promoted, "Dr. Second")

    decision = latest_decision(promoted)
    assert (decision.verdict, decision.champion) == ("refuse", f"{TASK}@{before.champion}")
    assert (decision.decided_by, decision.report_sha256) == ("Dr. Second", promoted.report_sha256())
    failed = {check.name: check for check in decision.failed}
    assert {"auroc_at_least", "auroc_not_inferior_to_champion"} <= failed.keys()
    for check in failed.values():
        for part in (check.name, check.found, check.bound, check.reason):
            assert part
            assert part in told.value.what
    auroc = failed["auroc_at_least"].value
    assert auroc is not None
    assert auroc.interval[0] < 0.8

    assert (promoted.in_force(), promoted.packaged()) == (before, served)
    assert promoted.audited(decision.model_version) == [("model.refused", "Dr. Second", "failure")]
    assert promoted.audited(f"{TASK}@{before.champion}") == [("model.promoted", "Dr. First", "success")]


def test_a_change_that_the_plan_does_not_foresee_is_refused_however_good_the_model(promoted: Any) -> None:
    before = promoted.in_force()
    promoted.validated("larger")
    with pytest.raises(CriteriaNotMet, match="change_in_plan: found preprocessing"):
        promote(promoted, "Dr. Second")
    decision = latest_decision(promoted)
    assert "preprocessing" in decision.changes
    assert "preprocessing is not covered" in {check.name: check for check in decision.failed}["change_in_plan"].reason
    assert promoted.in_force() == before


def test_another_seed_is_a_change_that_the_plan_foresees(promoted: Any) -> None:
    promoted.validated("second")
    candidate = candidates(TASK, approver="Dr. Second", root=promoted.root)[0]
    decision = judging.judge(candidate, by="Dr. Second", why="", before=promoted.in_force(), root=promoted.root)
    met = {check.name for check in decision.checks if check.met}
    assert {"change_in_plan", "comparison_with_champion", "auroc_at_least", "auroc_not_inferior_to_champion"} <= met
    assert {"weights", "training_seed"} <= set(decision.changes) <= {"weights", "training_seed", "threshold"}


def test_a_report_that_does_not_compare_with_the_champion_in_force_promotes_nothing(promoted: Any) -> None:
    before = promoted.in_force()
    promoted.lay("second")
    assert promoted.stage_alone() == 0  # without `fiducial validate`, which lays the champion out
    with pytest.raises(Refused, match=f"does not compare with {TASK}@{before.champion}, which is in force"):
        promote(promoted, "Dr. Second")
    assert promoted.in_force() == before


def test_the_same_question_gets_the_recorded_answer_and_makes_no_new_policy(promoted: Any) -> None:
    before = promoted.in_force()
    first = promoted.decisions(before.champion)
    again = promote(promoted, "Dr. First")
    assert (again.decisions, promoted.decisions(before.champion), again.policy) == (first, first, before)


def test_what_was_promoted_is_promoted_again_though_the_working_copy_has_moved_on(promoted: Any) -> None:
    before = promoted.in_force()
    kept = kept_evidence.names_kept(TASK, before.champion, root=promoted.root)
    for name in ("dvc.lock", "params.yaml"):  # as after preparing another source
        file = promoted.root.copy / name
        file.write_bytes(file.read_bytes() + b"# another source\n")
    assert promote(promoted, "Dr. First").policy == before
    assert kept_evidence.names_kept(TASK, before.champion, root=promoted.root) == kept


def test_under_an_amended_change_control_plan_the_same_model_is_judged_anew_as_another_version(promoted: Any) -> None:
    before = promoted.in_force()
    file = pccp_file(TASK, folder=promoted.root.copy / PLANS)
    file.write_bytes(file.read_bytes() + b"# amended\n")
    again = promote(promoted, "Dr. First")
    assert again.policy.champion > before.champion
    assert again.decisions[0].pccp_sha256 != promoted.decisions(before.champion)[0].pccp_sha256
    for version in (before.champion, again.policy.champion):
        kept = kept_evidence.read_kept(TASK, version, root=promoted.root)
        (decision,) = promoted.decisions(version)
        assert GateDecision.model_validate_json(kept["decision.json"]) == decision
