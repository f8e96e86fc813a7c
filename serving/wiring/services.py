"""Composition root of the Bento services' supervisor: ``python -m serving.wiring.services``."""

from infra.environment import process_environment
from infra.heartbeat import Heartbeat
from serving.processes import stop_on_signals
from serving.supervisor import Supervisor
from serving.wiring.common import run, start


def main() -> None:
    """Keep the wanted model versions running until told to stop."""
    stop = stop_on_signals()
    settings, database = start()
    Supervisor(
        tenant=settings.tenant,
        database=database,
        environment={
            **process_environment(home=settings.home, threads=settings.threads),
            **({"FIDUCIAL_ENGINE_THREADS": str(settings.engine_threads)} if settings.engine_threads else {}),
        },
        scratch=settings.home.resolve() / "bentoml" / "metrics",
        first_port=settings.services_port,
        demo_allowed=settings.limits_of_level.demo_models,
        heartbeat=Heartbeat(settings.heartbeats, "services").beat,
    ).run(stop)


if __name__ == "__main__":
    run(main)
