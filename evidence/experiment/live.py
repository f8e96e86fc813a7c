"""Live traffic as it stands: each version's stop rules, the running comparison, and the view of both for a reader."""

from domain.experiment import Experiment, StopRule, TrafficEvent
from domain.live_traffic import LiveTraffic, Stint
from domain.traffic import Role
from evidence.experiment.arms import Arm, arms
from evidence.experiment.decision import ExperimentView, decide
from evidence.experiment.stopping import RuleState, evaluate
from evidence.strict import Record

EVENTS = 20  # of a view, the last ones


class RuleView(Record):
    """One stop rule and what the patients of one version say of it; the interval holds at any time."""

    name: str
    version: int
    role: Role
    band: tuple[float, float]
    patients: int
    count: int
    share: float | None
    interval: tuple[float, float]
    level: float
    acts: bool
    sentence: str


class LiveView(Record):
    """A task's live traffic.

    ``experiment`` is the newest one; ``ended`` says what ended it, and nothing while it runs.
    """

    task: str
    policy_version: int
    arms: tuple[Arm, ...]
    rules: tuple[RuleView, ...]
    experiment: Experiment | None
    ended: str | None
    decision: ExperimentView | None
    events: tuple[TrafficEvent, ...]


def rule_states(traffic: LiveTraffic) -> tuple[RuleState, ...]:
    """Every rule in force against every version that answers patients, on what it answered since it got its role."""
    return tuple(state for stint in traffic.stints for state in states_of(traffic, stint))


def states_of(traffic: LiveTraffic, stint: Stint) -> tuple[RuleState, ...]:
    """Every rule in force against one version; a running comparison's guards are for its challenger."""
    rows = traffic.rows_of(stint)
    return tuple(
        evaluate(rule, rows, traffic.reviews, version=stint.version, role=stint.role)
        for rule in (*traffic.rules, *_guards(traffic, stint))
    )


def decision_on(traffic: LiveTraffic, experiment: Experiment) -> ExperimentView:
    """The comparison on what was recorded since its declaration."""
    rows = traffic.rows_since(experiment)
    return decide(experiment.declaration, rows, traffic.reviews, policies=traffic.policies)


def view(traffic: LiveTraffic) -> LiveView:
    """Everything a reader is shown of a task's live traffic."""
    since = {(stint.version, stint.role): stint.since for stint in traffic.stints}
    rows = [row for row in traffic.rows if row.policy_version >= since.get((row.assigned, row.role), 0)]
    newest = traffic.experiments[-1] if traffic.experiments else None
    return LiveView(
        task=traffic.policy.task,
        policy_version=traffic.policy.policy_version,
        arms=arms(rows, traffic.reviews, policy=traffic.policy),
        rules=tuple(_shown(state) for state in rule_states(traffic)),
        experiment=newest,
        ended=traffic.why_ended(newest) if newest else None,
        decision=decision_on(traffic, newest) if newest else None,
        events=traffic.events[-EVENTS:],
    )


def _guards(traffic: LiveTraffic, stint: Stint) -> tuple[StopRule, ...]:
    running = traffic.running
    guarded = running is not None and stint.role is Role.CHALLENGER and stint.version == running.declaration.challenger
    return running.declaration.guards if running is not None and guarded else ()


def _shown(state: RuleState) -> RuleView:
    return RuleView(
        name=state.rule.name,
        version=state.version,
        role=state.role,
        band=(state.rule.low, state.rule.high),
        patients=state.patients,
        count=state.count,
        share=state.share,
        interval=(state.low, state.high),
        level=state.level,
        acts=state.acts,
        sentence=state.sentence,
    )
