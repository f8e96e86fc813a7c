"""The whole online side as child processes: ``python -m serving.wiring.platform``."""

import sys

from infra.environment import process_environment
from serving.processes import Child, end_all, stop_on_signals
from serving.wiring.common import run, start

ROOTS = ("services", "gateway", "worker", "watch", "api")
_POLL_S = 0.25


def main() -> None:
    """Keep all roots running until told to stop, then end them side by side."""
    stop = stop_on_signals()
    settings, database = start()  # refused once and migrated once, before the others start
    database.close()
    environment = process_environment(home=settings.home, threads=settings.threads)
    children = [
        Child(name=root, command=[sys.executable, "-m", f"serving.wiring.{root}"], environment=environment)
        for root in ROOTS
    ]
    try:
        while not stop.is_set():
            for child in children:
                child.keep_running()
            stop.wait(_POLL_S)
    finally:
        end_all(children)


if __name__ == "__main__":
    run(main)
