"""Registered versions and their aliases, in a real registry."""

from typing import Any

import pytest

from domain.errors import UnknownModelVersion, UnknownRun
from models import registry

pytestmark = pytest.mark.slow
TASK = "chest_xray_pneumonia"


def test_a_run_approved_again_by_the_same_person_keeps_its_version(trained: Any) -> None:
    run_id = trained.models[0].run_id

    version = registry.register(trained.tracking, task=TASK, run_id=run_id, approver="demo", tags={"variant": "x"})

    assert registry.register(trained.tracking, task=TASK, run_id=run_id, approver="demo") == version
    assert registry.run_of(trained.tracking, task=TASK, version=version) == run_id


def test_another_approver_makes_another_version(trained: Any) -> None:
    run_id = trained.models[0].run_id

    first = registry.register(trained.tracking, task=TASK, run_id=run_id, approver="demo")

    assert registry.register(trained.tracking, task=TASK, run_id=run_id, approver="Dr. Example") != first


def test_an_alias_moves_from_version_to_version(trained: Any) -> None:
    versions = [
        registry.register(trained.tracking, task=TASK, run_id=model.run_id, approver="demo") for model in trained.models
    ]
    for version in versions:
        registry.set_alias(trained.tracking, task=TASK, alias="champion", version=version)
        assert registry.version_with(trained.tracking, task=TASK, alias="champion") == version


def test_what_is_not_there_is_named(trained: Any) -> None:
    assert registry.version_with(trained.tracking, task="unknown", alias="champion") is None
    with pytest.raises(UnknownRun):
        registry.register(trained.tracking, task=TASK, run_id="f" * 32, approver="demo")
    with pytest.raises(UnknownModelVersion):
        registry.set_alias(trained.tracking, task=TASK, alias="champion", version=999)
    with pytest.raises(UnknownModelVersion):
        registry.run_of(trained.tracking, task=TASK, version=999)
