"""What the gateway counts, for Prometheus."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Histogram, Metric
from prometheus_client.core import GaugeMetricFamily

from domain.prediction import RoutedScore
from serving.breakers import State

States = Callable[[], Mapping[str, State]]
_OPENNESS = {State.CLOSED: 0.0, State.HALF_OPEN: 0.5, State.OPEN: 1.0}


@dataclass
class Figures:
    """Answers, problems, seconds, refusals; and as they are when asked for: requests inside, breakers."""

    registry: CollectorRegistry

    def __post_init__(self) -> None:
        self._answers = Counter(
            "fiducial_gateway_answers", "Answers by model version and role",
            ["model_version", "role", "fell_back"], registry=self.registry,
        )  # fmt: skip
        self._problems = Counter("fiducial_gateway_problems", "Problems by code", ["code"], registry=self.registry)
        self._refused = Counter(
            "fiducial_gateway_refused", "Requests refused because too many wait", ["model_version"],
            registry=self.registry,
        )  # fmt: skip
        self._seconds = Histogram("fiducial_gateway_seconds", "Time to the visible answer", registry=self.registry)

    def answered(self, answer: RoutedScore, *, seconds: float) -> None:
        """A visible answer was given."""
        self._answers.labels(answer.model_version, answer.role.value, str(answer.fell_back).lower()).inc()
        self._seconds.observe(seconds)

    def problem(self, code: str) -> None:
        """A request was answered by a problem."""
        self._problems.labels(code).inc()

    def refused(self, model_version: str) -> None:
        """A version had no place left."""
        self._refused.labels(model_version).inc()

    def watch(self, inside: Callable[[], Mapping[str, int]], breakers: States) -> None:
        """Read these whenever somebody asks for the figures."""
        self.registry.register(_AsTheyAre(inside, breakers))


@dataclass(frozen=True)
class _AsTheyAre:
    inside: Callable[[], Mapping[str, int]]
    breakers: States

    def collect(self) -> Iterator[Metric]:
        inside = GaugeMetricFamily("fiducial_gateway_inside", "Requests in flight or waiting", labels=["model_version"])
        for name, count in self.inside().items():
            inside.add_metric([name], count)
        yield inside
        breakers = GaugeMetricFamily("fiducial_gateway_breaker", "0 closed, 0.5 half-open, 1 open", labels=["address"])
        for address, state in self.breakers().items():
            breakers.add_metric([address], _OPENNESS[state])
        yield breakers
