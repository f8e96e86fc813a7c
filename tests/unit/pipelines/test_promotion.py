"""Who serves after a promotion: only a network that meets every criterion, and nobody when the first does not."""

import pytest

from domain.acceptance import CriterionResult, MetricValue, at_least
from domain.dataset import Split
from domain.errors import CriteriaNotMet
from domain.traffic import Challenger
from evidence.record import ValidationReport
from models.checkpoints import TrainedModel
from pipelines.promotion import CHALLENGER_SHARE, Candidate, choose_policy

TASK = "chest_xray_pneumonia"


def result(metric: str, *, low: float, bound: float) -> CriterionResult:
    value = MetricValue(
        name=metric, value=low + 0.02, interval=(low, low + 0.04), method="Wilson", n=624, positives=390,
        split=Split.TEST, dataset_version="films@1", model_version="network",
    )  # fmt: skip
    criterion = at_least(metric, lower_bound=bound)
    return CriterionResult(criterion=criterion, value=value, met=criterion.is_met_by(value))


MET = (result("auroc", low=0.93, bound=0.9), result("sensitivity", low=0.91, bound=0.9))
MISSED = (result("auroc", low=0.93, bound=0.9), result("sensitivity", low=0.85, bound=0.9))


def candidate(version: int, *, kind: str = "network", criteria: tuple[CriterionResult, ...] = MET) -> Candidate:
    variant = "baseline" if kind == "baseline" else f"network-seed{version}"
    trained = TrainedModel.model_construct(task=TASK, variant=variant, kind=kind)
    return Candidate(trained, ValidationReport.model_construct(criteria=criteria), version)


def test_the_first_network_is_champion_and_the_baseline_its_shadow() -> None:
    policy = choose_policy(TASK, [candidate(1), candidate(2, kind="baseline")], policy_version=1)
    assert (policy.champion, policy.challengers, policy.shadows) == (1, (), (2,))


def test_another_network_that_meets_the_criteria_answers_for_a_share_of_patients() -> None:
    found = [candidate(4), candidate(5), candidate(6, kind="baseline")]
    policy = choose_policy(TASK, found, policy_version=3)
    assert (policy.champion, policy.policy_version) == (4, 3)
    assert policy.challengers == (Challenger(version=5, share=CHALLENGER_SHARE),)
    assert policy.shadows == (6,)


def test_a_rival_that_misses_a_criterion_is_never_shown() -> None:
    policy = choose_policy(TASK, [candidate(1), candidate(2, criteria=MISSED), candidate(3)], policy_version=1)
    assert [challenger.version for challenger in policy.challengers] == [3]
    assert policy.shadows == (2,)


def test_of_two_rivals_one_serves_and_the_other_is_a_shadow() -> None:
    policy = choose_policy(TASK, [candidate(1), candidate(2), candidate(3)], policy_version=1)
    assert [challenger.version for challenger in policy.challengers] == [2]
    assert policy.shadows == (3,)


def test_the_baseline_never_serves_however_good_it_is() -> None:
    found = [candidate(1), candidate(2, kind="baseline", criteria=MET)]
    assert choose_policy(TASK, found, policy_version=1).challengers == ()
    with pytest.raises(CriteriaNotMet, match="baseline is not promoted"):
        choose_policy(TASK, [candidate(1, kind="baseline")], policy_version=1)


def test_a_missed_criterion_stops_the_promotion_and_is_named_with_its_interval() -> None:
    with pytest.raises(CriteriaNotMet) as refused:
        choose_policy(TASK, [candidate(1, criteria=MISSED), candidate(2)], policy_version=1)
    said = str(refused.value)
    assert said.startswith(
        f"{TASK}/network-seed1 is not promoted: sensitivity must reach 0.9 and is sensitivity 0.870 "
    )
    assert "(95% CI 0.850–0.890, n=624)" in said
    assert "auroc" not in said


def test_without_a_criterion_nothing_is_promoted() -> None:
    with pytest.raises(CriteriaNotMet, match="states no criterion"):
        choose_policy(TASK, [candidate(1, criteria=())], policy_version=1)
