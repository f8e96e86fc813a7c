"""Roles: what each may do, and that nothing is allowed by accident."""

import pytest

from domain.access import ROLES, Permission, Principal, UserRole
from domain.identifiers import DEFAULT_TENANT


def principal(role: UserRole) -> Principal:
    return Principal(name="someone", tenant=DEFAULT_TENANT, role=role)


@pytest.mark.parametrize("permission", sorted(set(Permission) - {Permission.CHANGE_TRAFFIC}))
def test_a_clinician_may_send_read_and_review(permission: Permission) -> None:
    assert principal(UserRole.CLINICIAN).may(permission)


def test_a_clinician_does_not_decide_which_version_answers() -> None:
    assert not principal(UserRole.CLINICIAN).may(Permission.CHANGE_TRAFFIC)


def test_an_engineer_sees_provenance_and_traffic_and_no_patient() -> None:
    allowed = {permission for permission in Permission if principal(UserRole.ENGINEER).may(permission)}
    assert allowed == {Permission.READ_TRACE, Permission.READ_TRAFFIC, Permission.CHANGE_TRAFFIC}


def test_every_role_is_defined() -> None:
    assert set(ROLES) == set(UserRole)
