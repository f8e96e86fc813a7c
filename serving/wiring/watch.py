"""Composition root of the watch over live traffic: ``python -m serving.wiring.watch``."""

from infra.heartbeat import Heartbeat
from serving.processes import stop_on_signals
from serving.watch import Watch
from serving.wiring.common import run, start


def main() -> None:
    """Watch until told to stop."""
    stop = stop_on_signals()
    settings, database = start()
    Watch(
        tenant=settings.tenant,
        database=database,
        home=settings.home.resolve(),
        level=settings.limits_of_level,
        heartbeat=Heartbeat(settings.heartbeats, "watch").beat,
    ).run(stop)


if __name__ == "__main__":
    run(main)
