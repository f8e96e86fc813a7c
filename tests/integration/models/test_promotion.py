"""Promotion with a real database and registry: who serves changes only by a version that met its criteria."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from domain.errors import CriteriaNotMet, NotFound
from domain.traffic import TrafficPolicy
from models import registry
from models.plans import PLANS, pccp_file, plan_file
from pipelines import promotion, validating, working_copy
from pipelines.candidates import candidates
from pipelines.results import read_reports
from pipelines.wiring import PROJECT, Offline, configure, offline

pytestmark = pytest.mark.slow
TASK = "chest_xray_pneumonia"
OUT_OF_REACH = [{"kind": "bound", "metric": "auroc", "at_least": 0.9999}]
SIZE = [{"endpoint": "auroc_at_least", "expected": 0.9, "positive_share": 0.5, "power": 0.9, "samples": 50}]
Judge = Callable[..., None]


@pytest.fixture
def root(trained: Any, tmp_path: Path) -> Iterator[Offline]:
    """An installation with trained variants, an empty database and the registry of the training."""
    before = dict(os.environ)
    made = configure(home=str(tmp_path / "home"), mlflow_uri=trained.tracking.uri)
    working_copy.refresh(made.copy, project=PROJECT)
    allow_the_tests_phantom(made)
    shutil.copytree(trained.checkpoints, made.store("checkpoints", TASK))
    for alias in ("champion", "challenger"):
        registry.remove_alias(made.tracking, task=TASK, alias=alias)
    yield made
    made.database.close()
    os.environ.clear()
    os.environ.update(before)
    offline.cache_clear()


def allow_the_tests_phantom(root: Offline) -> None:
    """The working copy's change control plan, for a source and a cohort as small as a test's."""
    file = pccp_file(TASK, folder=root.copy / PLANS)
    document = yaml.safe_load(file.read_bytes())
    document["modification_protocol"]["data"] |= {
        "allowed_sources": ["phantom_easy"], "min_training_samples": 1, "min_training_patients": 1,
    }  # fmt: skip
    file.write_text(yaml.safe_dump(document))


@pytest.fixture
def validate(root: Offline, trained: Any, validate_under_plan: Any) -> Judge:
    """Validate what was trained, under the task's plan or with some of it changed."""

    def run(**changes: Any) -> None:
        validating.get_ready(TASK, by="Engineer", root=root)
        champion, below = root.store("champion", TASK), tmp_below(root)
        validate_under_plan(trained, below, champion=champion, home=root, **changes)
        with root.database.unit_of_work(root.tenant, read_only=True) as work:
            plan = work.plans.list(TASK)[-1]
        plan_file(TASK, folder=root.copy / PLANS).write_text(plan.content)
        for kind in ("reports", "predictions"):
            shutil.rmtree(root.store(kind, TASK), ignore_errors=True)
            shutil.copytree(below / kind, root.store(kind, TASK))

    return run


def tmp_below(root: Offline) -> Path:
    """A folder for what a validation writes before it is moved to where stages leave it."""
    return root.home / "validated"


def in_force(root: Offline) -> TrafficPolicy | None:
    with root.database.unit_of_work(root.tenant, read_only=True) as work:
        return work.traffic.current(TASK)


def aliases(root: Offline) -> tuple[int | None, int | None]:
    champion = registry.version_with(root.tracking, task=TASK, alias="champion")
    return champion, registry.version_with(root.tracking, task=TASK, alias="challenger")


def test_a_refused_candidate_changes_neither_traffic_nor_aliases(root: Offline, validate: Judge) -> None:
    validate()
    promoted = promotion.put_in_force(TASK, approver="demo", root=root)
    champion, shadow = promoted.policy.champion, promoted.policy.shadows[0]
    assert (in_force(root), aliases(root)) == (promoted.policy, (champion, None))
    assert shadow != champion

    validate(primary=OUT_OF_REACH, sample_size=SIZE)
    with pytest.raises(CriteriaNotMet, match=r"auroc_at_least: found .* asked: lower end ≥ 1.000"):
        promotion.put_in_force(TASK, approver="Dr. Example", root=root)

    registered = {int(version.version) for version in root.tracking.client.search_model_versions(f"name='{TASK}'")}
    assert max(registered) > max(champion, shadow)  # the refused one is registered, and that is all
    assert (in_force(root), aliases(root)) == (promoted.policy, (champion, None))
    with root.database.unit_of_work(root.tenant, read_only=True) as work:
        assert [change.by for change in work.traffic.history(TASK)] == ["demo"]
        assert {packaged.manifest.version for packaged in work.model_versions.list(TASK)} == {champion, shadow}


def test_what_is_not_validated_as_it_is_now_is_not_promoted(root: Offline) -> None:
    reports = root.store("reports", TASK)
    assert (reports / "network-seed1" / "report.json").is_file()  # of another training: the phantom's, from git
    with pytest.raises(NotFound, match="trained but not validated"):
        promotion.put_in_force(TASK, approver="demo", root=root)
    shutil.rmtree(reports)
    with pytest.raises(NotFound, match="trained but not validated"):
        promotion.put_in_force(TASK, approver="demo", root=root)
    assert (in_force(root), aliases(root)) == (None, (None, None))


def test_a_candidate_refused_before_anybody_serves_stays_the_challenger(root: Offline, validate: Judge) -> None:
    validate(primary=OUT_OF_REACH, sample_size=SIZE)
    with pytest.raises(CriteriaNotMet):
        promotion.put_in_force(TASK, approver="Dr. First", root=root)
    champion, challenger = aliases(root)
    assert (in_force(root), champion) == (None, None)
    assert challenger == candidates(TASK, approver="Dr. First", root=root)[0].version


def test_promoting_the_same_again_makes_no_new_policy_and_mends_the_aliases(root: Offline, validate: Judge) -> None:
    validate()
    first = promotion.put_in_force(TASK, approver="demo", root=root)
    registry.set_alias(root.tracking, task=TASK, alias="champion", version=first.policy.shadows[0])
    assert promotion.put_in_force(TASK, approver="demo", root=root) == first
    assert aliases(root) == (first.policy.champion, None)


def test_a_plan_loosened_after_a_look_promotes_nothing_and_the_report_says_when_it_was_registered(
    root: Offline, validate: Judge
) -> None:
    validate(primary=OUT_OF_REACH, sample_size=SIZE)
    with pytest.raises(CriteriaNotMet):
        promotion.put_in_force(TASK, approver="Dr. First", root=root)

    validate(primary=[{"kind": "bound", "metric": "auroc", "at_least": 0.51}], sample_size=SIZE)
    report = read_reports(TASK)[0]
    assert report.planned is not None
    assert "after this test set had been opened 2 times under 1 other plan" in report.planned.deviations[0]
    with pytest.raises(CriteriaNotMet, match="plan_not_loosened: found auroc_at_least asks less"):
        promotion.put_in_force(TASK, approver="Dr. First", root=root)
    assert in_force(root) is None
