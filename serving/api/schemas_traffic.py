"""What the facade takes and answers about traffic."""

from collections.abc import Sequence
from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from domain.traffic import Challenger, Mode, Pin
from domain.traffic_request import TrafficRequest
from infra.db.traffic import TrafficChange


class TrafficView(BaseModel):
    """One policy of a task, with the decision behind it."""

    model_config = ConfigDict(frozen=True)

    task: str
    policy_version: int = Field(description="Counts the changes; what the next one `follows`.")
    champion: int = Field(description="The model version that answers everybody who is not a challenger's.")
    champion_share: float = Field(description="Of patients, 0-1, pins aside.")
    challengers: tuple[Challenger, ...]
    shadows: tuple[int, ...] = Field(description="Versions that are computed and never shown.")
    pins: tuple[Pin, ...] = Field(description="Patients, by pseudonym, whom one version always answers.")
    mode: Mode = Field(description="`champion only`: it answers everybody; `off`: nobody answers.")
    since: datetime
    by: str
    why: str


class TrafficHistory(BaseModel):
    """Every policy of a task, oldest first."""

    model_config = ConfigDict(frozen=True)

    task: str
    policies: tuple[TrafficView, ...]


class TrafficBody(TrafficRequest):
    """What is to be other than it is: parts left out stay. A version that is given a role has no other any more."""

    why: str = Field(description="The reason, in a sentence; kept for good.")
    follows: int = Field(description="`policy_version` of the policy this was decided on.")

    def request(self) -> TrafficRequest:
        """What is asked for, without the reason."""
        return TrafficRequest(**{name: getattr(self, name) for name in TrafficRequest.model_fields})


def traffic_view(change: TrafficChange) -> TrafficView:
    """A recorded policy as the API shows it."""
    policy = change.policy
    return TrafficView(
        **policy.model_dump(include=set(TrafficView.model_fields)),
        champion_share=policy.share_of(policy.champion),
        since=change.at,
        by=change.by,
        why=change.why,
    )


def traffic_history(task: str, changes: Sequence[TrafficChange]) -> TrafficHistory:
    """Every recorded policy of a task as the API shows it."""
    return TrafficHistory(task=task, policies=tuple(traffic_view(change) for change in changes))
