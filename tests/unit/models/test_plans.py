"""Every task has plans that read back, agree with the task, and state the sample sizes that their figures give."""

from pathlib import Path

import pytest

from domain.errors import InvalidPlan, PlanNotRegistered
from evidence.plan import SampleSize, ValidationPlan
from evidence.statistics.power import Sampling
from evidence.statistics.power_auroc import CaseMix, PairedAreas, size_for_auroc, size_for_auroc_non_inferiority
from evidence.statistics.power_paired import DiscordantRates, size_for_paired_non_inferiority
from evidence.statistics.power_proportion import size_for_bound
from models.plans import pccp_file, plan_file, read_task_pccp, read_task_plan
from models.plans.scaffold import scaffold
from models.tasks import get_task, list_tasks

CORRELATION, DISCORDANT = 0.6, 0.02  # assumed in the comments of the chest task's plan


@pytest.mark.parametrize("name", list_tasks())
def test_every_task_has_a_plan_with_its_own_bounds_and_rule(name: str) -> None:
    task, (plan, _) = get_task(name), read_task_plan(name)
    bounds = {one.metric: one.at_least for one in plan.primary if one.kind == "bound"}

    assert bounds == {criterion.metric: criterion.lower_bound for criterion in task.accept}
    assert plan.min_sensitivity == task.min_sensitivity
    assert " ".join(plan.intended_use.split()) == task.intended_use.statement


@pytest.mark.parametrize("name", list_tasks())
def test_every_task_has_a_change_control_plan_for_its_own_sources(name: str) -> None:
    task, (plan, _) = get_task(name), read_task_pccp(name)

    assert {task.source, task.substitute} == set(plan.modification_protocol.data.allowed_sources)
    assert {"champion", "baseline"} == set(plan.modification_protocol.evaluation.required_comparisons)
    assert {one.meaning for one in plan.signatures} == {"author", "review", "approval"}


def needed(size: SampleSize, plan: ValidationPlan) -> int:
    endpoint = next(one for one in plan.primary if one.name == size.endpoint)
    how = {"power": size.power, "alpha": plan.alpha}
    cluster = {"cluster_size": size.samples_per_patient, "icc": size.intracluster_correlation}
    mix = CaseMix(prevalence=size.positive_share, sampling=Sampling(**cluster))
    share = Sampling(share=size.positive_share, **cluster)
    if endpoint.kind == "bound":
        bound = endpoint.at_least or 0.0
        if endpoint.metric == "auroc":
            return size_for_auroc(size.expected, bound=bound, mix=mix, **how).n
        return size_for_bound(size.expected, bound=bound, sampling=share, **how).n
    assert endpoint.kind == "non_inferiority"
    if endpoint.metric == "auroc":
        equal = PairedAreas(size.expected, size.expected, CORRELATION)
        return size_for_auroc_non_inferiority(equal, margin=endpoint.margin, mix=mix, **how).n
    rates = DiscordantRates(DISCORDANT, DISCORDANT)
    return size_for_paired_non_inferiority(rates, margin=endpoint.margin, sampling=share, **how).n


def test_the_sample_sizes_of_the_chest_task_are_those_its_assumptions_give() -> None:
    plan, _ = read_task_plan("chest_xray_pneumonia")

    assert {size.endpoint for size in plan.sample_size} == {endpoint.name for endpoint in plan.primary}
    assert {size.endpoint: size.samples for size in plan.sample_size} == {
        size.endpoint: needed(size, plan) for size in plan.sample_size
    }


def test_what_is_scaffolded_reads_back_and_is_never_overwritten(tmp_path: Path) -> None:
    task = get_task("chest_xray_pneumonia")

    written = scaffold(task, tmp_path)

    assert written == [plan_file(task.name, folder=tmp_path), pccp_file(task.name, folder=tmp_path)]
    plan, _ = read_task_plan(task.name, folder=tmp_path)
    read_task_pccp(task.name, folder=tmp_path)
    assert [one.name for one in plan.primary[:2]] == ["auroc_at_least", "sensitivity_at_least"]
    assert plan.sample_size[0].samples == needed(plan.sample_size[0], plan)
    written[0].write_text("mine")
    written[1].unlink()
    assert scaffold(task, tmp_path) == [written[1]]
    assert written[0].read_text() == "mine"


def test_a_plan_that_is_missing_or_of_another_task_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(PlanNotRegistered, match=r"other_task has no plan\.yaml"):
        read_task_plan("other_task", folder=tmp_path)
    with pytest.raises(PlanNotRegistered, match=r"other_task has no pccp\.yaml"):
        read_task_pccp("other_task", folder=tmp_path)
    stolen = plan_file("other_task", folder=tmp_path)
    stolen.parent.mkdir()
    stolen.write_bytes(plan_file("chest_xray_pneumonia").read_bytes())
    with pytest.raises(InvalidPlan, match="is that of chest_xray_pneumonia"):
        read_task_plan("other_task", folder=tmp_path)
