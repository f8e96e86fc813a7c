"""Who acts, and what each role may do."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from domain.identifiers import Tenant


class Permission(StrEnum):
    """One right of the facade."""

    SEND_STUDY = "send_study"
    READ_STUDY = "read_study"
    READ_TRACE = "read_trace"
    READ_WORKLIST = "read_worklist"
    REVIEW_STUDY = "review_study"
    READ_TRAFFIC = "read_traffic"
    CHANGE_TRAFFIC = "change_traffic"


class UserRole(StrEnum):
    """A bundle of rights."""

    CLINICIAN = "clinician"
    ENGINEER = "engineer"


ROLES: dict[UserRole, frozenset[Permission]] = {
    UserRole.CLINICIAN: frozenset(Permission) - {Permission.CHANGE_TRAFFIC},
    UserRole.ENGINEER: frozenset({Permission.READ_TRACE, Permission.READ_TRAFFIC, Permission.CHANGE_TRAFFIC}),
}


class Principal(BaseModel):
    """A person or device that acts, inside one tenant."""

    model_config = ConfigDict(frozen=True)

    name: str
    tenant: Tenant
    role: UserRole

    def may(self, permission: Permission) -> bool:
        """True when the role carries the permission."""
        return permission in ROLES[self.role]
