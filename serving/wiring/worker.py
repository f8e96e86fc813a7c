"""Composition root of the worker: ``python -m serving.wiring.worker``."""

from infra.heartbeat import Heartbeat
from infra.objects import ObjectStore
from serving.gateway_client import GatewayClient
from serving.processes import stop_on_signals
from serving.wiring.common import limits_of, run, start
from serving.worker import Pace, Worker


def main() -> None:
    """Answer predictions until told to stop."""
    stop = stop_on_signals()
    settings, database = start()
    Worker(
        tenant=settings.tenant,
        database=database,
        objects=ObjectStore(settings.objects),
        gateway=GatewayClient.to(settings.gateway),
        limits=limits_of(settings),
        pace=Pace(lease_s=settings.lease_s, max_attempts=settings.max_attempts),
        heartbeat=Heartbeat(settings.heartbeats, "worker").beat,
    ).run(stop)


if __name__ == "__main__":
    run(main)
