"""What the main job does with the running platform: wait for it, send films to it, read answers, check their traces."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from domain.dataset import Split
from domain.errors import FiducialError, ModelUnavailable
from pipelines import facade, servers
from pipelines.choice import Choice
from pipelines.films import films, samples
from pipelines.wiring import offline

_SERVED_WITHIN_S = 120.0
_FILMS_SENT = 200  # a window that shows a drift without asking a user to wait
_AT_ONCE = 6


def wait_until_served(task: str) -> list[str]:
    """Addresses of every version of the policy in force, once each is loaded, self-tested and running.

    Raises:
        ModelUnavailable: one did not come up in time.
    """
    deadline = time.monotonic() + _SERVED_WITHIN_S
    while time.monotonic() < deadline:
        with offline().database.unit_of_work(offline().tenant, read_only=True) as work:
            policy = work.traffic.current(task)
            running = {found.version: found.url for found in work.addresses.list() if found.task == task}
        wanted = () if policy is None else policy.versions
        if wanted and set(wanted) <= set(running):
            time.sleep(1.5)  # the gateway's view of policy and addresses is at most a second old
            return [f"{task}@{version} at {running[version]}" for version in wanted]
        time.sleep(0.3)
    raise ModelUnavailable(
        f"Not every version of {task} runs.", next_step=f"See the logs in {offline().home / 'logs'}."
    )


@contextmanager
def logged_in() -> Iterator[facade.Facade]:
    """A client of this installation's facade."""
    with facade.connect(
        servers.facade_url(offline()),
        user=servers.FACADE_USER,
        password=offline().secrets.password(servers.FACADE_USER),
        with_token=offline().settings.authentication_in_force != "basic",
    ) as client:
        yield client


def predict_test_film(choice: Choice) -> dict[str, Any]:
    """The facade's answer to one film of the test set."""
    prepared = offline().store("prepared", choice.source)
    with logged_in() as client:
        return answered(client.send(next(films(prepared, samples(prepared, Split.TEST)))))


def answered(study: dict[str, Any]) -> dict[str, Any]:
    """The study's first prediction, which must be done.

    Raises:
        FiducialError: it was refused or failed.
    """
    prediction: dict[str, Any] = study["predictions"][0]
    if prediction["state"] != "done":
        why = ", ".join(prediction.get("reasons", ())) or prediction.get("code", "still pending")
        raise FiducialError(f"The prediction is {prediction['state']}: {why}.", next_step="See the worker's log.")
    return prediction


def send_external_films(choice: Choice) -> list[str]:
    """Send a fixed few hundred films of each other hospital through the facade, a few at once; the sites they name."""
    sites: set[str] = set()
    with logged_in() as client, ThreadPoolExecutor(_AT_ONCE) as pool:
        for source in choice.external:
            prepared = offline().store("prepared", source)
            chosen = samples(prepared, Split.TEST)[:_FILMS_SENT]
            for study in pool.map(client.send, films(prepared, chosen)):
                answered(study)
            sites |= {sample.site for sample in chosen}
    return sorted(sites)
