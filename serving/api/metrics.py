"""The facade's figures for Prometheus: routes, statuses, times and counts; never an identifier."""

import time
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send


@dataclass(frozen=True)
class Metrics:
    """The collectors of one facade."""

    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    requests: Counter = field(init=False)
    seconds: Histogram = field(init=False)
    waiting: Gauge = field(init=False)
    stopped: Gauge = field(init=False)

    def __post_init__(self) -> None:
        requests = Counter(
            "fiducial_http_requests", "Requests by route", ["method", "route", "status"], registry=self.registry
        )
        seconds = Histogram("fiducial_http_seconds", "Time to answer", ["route"], registry=self.registry)
        waiting = Gauge("fiducial_predictions_waiting", "Predictions not answered yet", registry=self.registry)
        stopped = Gauge(
            "fiducial_versions_stopped", "Times a stop rule acted on a version", ["task"], registry=self.registry
        )
        object.__setattr__(self, "stopped", stopped)
        object.__setattr__(self, "requests", requests)
        object.__setattr__(self, "seconds", seconds)
        object.__setattr__(self, "waiting", waiting)


class CountRequests:
    """Counts each request under its route's pattern, so that no identifier becomes a label."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and count it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500
        begun = time.perf_counter()

        async def observed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, observed)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            self._metrics.requests.labels(scope["method"], route, str(status)).inc()
            self._metrics.seconds.labels(route).observe(time.perf_counter() - begun)
