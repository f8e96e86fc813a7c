"""The level's start-up rules: one test per rule, and what each level may be started with."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from domain.level import LEVELS, RULES, LevelName, StartUp, refusals


def start_up(**changes: Any) -> StartUp:
    """A configuration that every built level allows, with changes."""
    facts: dict[str, Any] = {
        "level": LevelName.ENHANCED, "database": "sqlite", "authentication": "jwt", "behind_tls": False,
        "signing_key_bytes": 32, "serves_demo_model": False, "demo_approved_versions": (), "tenants": 1,
    }  # fmt: skip
    return StartUp(**{**facts, **changes})


def clinical(**changes: Any) -> StartUp:
    """A clinical configuration in which nothing but the level's missing parts is refused, with changes."""
    allowed = {"level": LevelName.CLINICAL, "database": "postgresql", "authentication": "jwt+mfa", "behind_tls": True}
    return start_up(**{**allowed, **changes})


def newly_refused(changed: StartUp, allowed: StartUp) -> list[str]:
    return [reason for reason in refusals(changed) if reason not in refusals(allowed)]


def test_starter_starts_with_nothing_but_defaults() -> None:
    starter = start_up(level=LevelName.STARTER, authentication="basic", signing_key_bytes=0, serves_demo_model=True)
    assert refusals(starter) == ()


def test_enhanced_starts_with_tokens() -> None:
    assert refusals(start_up()) == ()


@pytest.mark.parametrize("level", [LevelName.CLINICAL, LevelName.ENTERPRISE])
def test_a_level_whose_parts_are_not_built_refuses_to_start(level: LevelName) -> None:
    facts = start_up(level=level, database="postgresql", authentication="oidc+mfa", behind_tls=True)
    assert refusals(facts) == (
        "not all of its parts are built yet; choose starter or enhanced",
        "authentication by oidc+mfa is not built yet; choose basic or jwt",
    )


@pytest.mark.parametrize("authentication", ["jwt+mfa", "oidc+mfa"])
def test_authentication_that_is_not_built_is_refused_and_not_replaced_by_a_weaker_one(authentication: str) -> None:
    refused = newly_refused(start_up(authentication=authentication), start_up())
    assert refused == [f"authentication by {authentication} is not built yet; choose basic or jwt"]


def test_clinical_refuses_sqlite() -> None:
    assert newly_refused(clinical(database="sqlite"), clinical()) == ["the database must be postgresql, not sqlite"]


def test_enhanced_refuses_basic_authentication() -> None:
    assert newly_refused(start_up(authentication="basic"), start_up()) == ["authentication must be jwt"]


def test_stronger_authentication_than_the_level_asks_for_is_allowed() -> None:
    assert refusals(start_up(level=LevelName.STARTER, authentication="jwt")) == ()


def test_clinical_refuses_to_listen_without_tls() -> None:
    assert newly_refused(clinical(behind_tls=False), clinical()) == ["TLS must end in front of the facade"]


@pytest.mark.parametrize("length", [0, 16, 31])
def test_a_short_signing_key_is_refused(length: int) -> None:
    refused = newly_refused(start_up(signing_key_bytes=length), start_up())
    assert refused == ["the token signing key must have at least 32 bytes"]


def test_basic_authentication_needs_no_signing_key() -> None:
    facts = start_up(level=LevelName.STARTER, authentication="basic", signing_key_bytes=0)
    assert refusals(facts) == ()


def test_clinical_refuses_the_demo_classifier() -> None:
    refused = newly_refused(clinical(serves_demo_model=True), clinical())
    assert refused == ["the demo classifier may not answer; promote a validated model version"]


def test_clinical_refuses_versions_that_only_demo_approved() -> None:
    refused = newly_refused(clinical(demo_approved_versions=("chest@1",)), clinical())
    assert refused == ["chest@1 approved only by 'demo'; have a named person approve"]


@pytest.mark.parametrize("level", [LevelName.STARTER, LevelName.ENHANCED])
def test_lower_levels_allow_demo_models_and_demo_approval(level: LevelName) -> None:
    assert refusals(start_up(level=level, serves_demo_model=True, demo_approved_versions=("chest@1",))) == ()


def test_a_second_tenant_is_refused_below_enterprise() -> None:
    assert newly_refused(start_up(tenants=2), start_up()) == [
        "only one tenant is allowed, and the database would hold 2"
    ]


def test_enterprise_allows_several_tenants() -> None:
    many = start_up(level=LevelName.ENTERPRISE, tenants=2)
    assert not [reason for reason in refusals(many) if "tenant" in reason]


def test_every_reason_is_given_at_once() -> None:
    broken = start_up(level=LevelName.CLINICAL, authentication="basic", serves_demo_model=True, tenants=2)
    assert len(refusals(broken)) == 6


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_every_rule_can_refuse(rule: Callable[[StartUp], str]) -> None:
    worst = start_up(
        level=LevelName.CLINICAL, authentication="jwt", signing_key_bytes=0, serves_demo_model=True,
        demo_approved_versions=("chest@1",), tenants=2,
    )  # fmt: skip
    assert any(rule(facts) for facts in (worst, start_up(authentication="jwt+mfa")))


def test_every_level_has_one_row() -> None:
    assert set(LEVELS) == set(LevelName)
    assert all(LEVELS[name].name == name for name in LevelName)


def test_a_higher_level_aims_at_more() -> None:
    aims = [LEVELS[name].aims for name in LevelName]
    for lower, higher in itertools.pairwise(aims):
        assert higher.concurrent_users > lower.concurrent_users
        assert higher.studies_a_day > lower.studies_a_day
        assert higher.uptime_percent >= lower.uptime_percent
        assert set(higher.compliance) >= set(lower.compliance)
