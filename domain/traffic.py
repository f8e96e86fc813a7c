"""Which model version answers for which patient."""

import hashlib
import hmac
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, model_validator

from domain.identifiers import Pseudonym


class Role(StrEnum):
    """Champion serves, challenger serves a share, shadow is computed but never shown; pinned was asked for by name."""

    CHAMPION = "champion"
    CHALLENGER = "challenger"
    SHADOW = "shadow"
    PINNED = "pinned"


class Challenger(BaseModel):
    """A version and the share of patients, 0–1, it answers for."""

    model_config = ConfigDict(frozen=True)

    version: int
    share: float


class TrafficPolicy(BaseModel):
    """Champion, challengers with shares, and shadows of a task in a tenant; each change raises ``policy_version``."""

    model_config = ConfigDict(frozen=True)

    task: str
    policy_version: int
    champion: int
    challengers: tuple[Challenger, ...] = ()
    shadows: tuple[int, ...] = ()

    @model_validator(mode="after")
    def _is_consistent(self) -> "TrafficPolicy":
        shares = [challenger.share for challenger in self.challengers]
        if any(not 0.0 <= share <= 1.0 for share in shares) or sum(shares) > 1.0:
            raise ValueError("challenger shares must lie in 0–1 and add up to at most 1")
        visible = [self.champion, *(challenger.version for challenger in self.challengers)]
        if len(set(visible)) != len(visible) or set(self.shadows) & set(visible):
            raise ValueError("a model version has one role in a policy")
        return self


class Assignment(BaseModel):
    """The sticky choice for one patient."""

    model_config = ConfigDict(frozen=True)

    version: int
    role: Role


def assign(patient: Pseudonym, policy: TrafficPolicy, *, key: bytes) -> Assignment:
    """The version that answers for a patient, by a keyed hash: the same on every replica and after every restart.

    Challengers fill the unit interval from 0 in order, so growing the last share moves only patients of the champion.
    """
    digest = hmac.new(key, f"{policy.task}\0{patient}".encode(), hashlib.sha256).digest()
    position = int.from_bytes(digest[:8], "big") / 2**64
    upper = 0.0
    for challenger in policy.challengers:
        upper += challenger.share
        if position < upper:
            return Assignment(version=challenger.version, role=Role.CHALLENGER)
    return Assignment(version=policy.champion, role=Role.CHAMPION)
