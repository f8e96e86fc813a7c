"""What somebody asks of a task's traffic policy: the parts to change, and the policy it was decided on."""

import re
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from domain.errors import Conflict, InvalidField
from domain.traffic import Challenger, Mode, Pin, TrafficPolicy

_PSEUDONYM = re.compile(r"[0-9a-f]{32}")  # what identifiers.pseudonym_of makes


class TrafficRequest(BaseModel):
    """The parts of a policy that are to be other than they are; what is left out stays.

    A version that is given a role has no other any more, and whoever is champion no longer and named nowhere has none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    champion: int | None = None
    challengers: tuple[Challenger, ...] | None = None
    shadows: tuple[int, ...] | None = None
    pins: tuple[Pin, ...] | None = Field(None, description="All of them: a pin that is not named here goes.")
    mode: Mode | None = None
    follows: int | None = Field(None, description="`policy_version` of the policy this was decided on.")

    def of(self, before: TrafficPolicy) -> TrafficPolicy:
        """The policy after ``before`` with these parts changed; patients whose version stays are not moved.

        Raises:
            Conflict: another policy than the one decided on is in force.
            InvalidField: no policy is like that: shares that do not add up, a version in two roles, a pin to nobody.
        """
        if self.follows not in (None, before.policy_version):
            raise Conflict(
                f"Policy {before.policy_version} of {before.task} is in force, not {self.follows}, on which this was "
                "decided.",
                next_step="Read the policy in force and decide again.",
            )
        champion = before.champion if self.champion is None else self.champion
        named = {champion, *(one.version for one in self.challengers or ()), *(self.shadows or ())}
        challengers, shadows = self.challengers, self.shadows
        if challengers is None:
            challengers = tuple(one for one in before.challengers if one.version not in named)
        if shadows is None:
            shadows = tuple(version for version in before.shadows if version not in named)
        wanted = policy(
            task=before.task,
            policy_version=before.policy_version + 1,
            champion=champion,
            challengers=challengers,
            shadows=shadows,
            pins=before.pins if self.pins is None else self.pins,
            mode=before.mode if self.mode is None else self.mode,
        )
        require_pseudonyms(wanted.pins)
        return wanted


def policy(**parts: Any) -> TrafficPolicy:
    """A policy of these parts.

    Raises:
        InvalidField: it cannot be; the rule is told and never the value, which may be a patient's pseudonym.
    """
    try:
        return TrafficPolicy(**parts)
    except ValidationError as error:
        rules = "; ".join(one["msg"].removeprefix("Value error, ") for one in error.errors())
    raise InvalidField(
        f"No traffic policy is like that: {rules}.", next_step="`fiducial traffic show` tells the one in force."
    )


def require_pseudonyms(pins: Iterable[Pin]) -> None:
    """Do nothing where every pin names a patient by pseudonym.

    Raises:
        InvalidField: one does not: it may be the patient's own identifier, which is never stored.
    """
    if not all(_PSEUDONYM.fullmatch(pin.patient) for pin in pins):
        raise InvalidField(
            "A pin names its patient by pseudonym: 32 digits of 0-9 and a-f.",
            next_step="`fiducial traffic pin --patient-id` makes it of the patient's identifier.",
        )
