"""The clinical facade as its HTTP clients see it; the command line and the main job go through this door too."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from domain.error_codes import error_with_code
from domain.errors import BadInput, FiducialError, NotFound, Refused, Unavailable

_ANSWER_WITHIN_S = 60


@dataclass(frozen=True)
class Film:
    """One image to send, with what is declared of it."""

    name: str
    content: bytes
    fields: Mapping[str, str]


@dataclass(frozen=True)
class Facade:
    """A logged-in client of one facade."""

    client: httpx.Client

    def send(self, film: Film) -> dict[str, Any]:
        """Send one film as a study and wait for its predictions; the study as JSON."""
        answer = self._request(
            "POST",
            "/api/v1/studies",
            params={"wait": _ANSWER_WITHIN_S},
            files={"files": (film.name, film.content)},
            data=dict(film.fields),
        )
        return self.get(answer.headers["Location"])

    def get(self, path: str) -> dict[str, Any]:
        """A resource as JSON.

        Raises:
            FiducialError: of the class that the problem document's code names.
        """
        found: dict[str, Any] = self._request("GET", path).json()
        return found

    def post(self, path: str, form: Mapping[str, str]) -> dict[str, Any]:
        """Send a form; the answer as JSON. Raises as ``get`` does."""
        found: dict[str, Any] = self._request("POST", path, data=dict(form)).json()
        return found

    def _request(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        try:
            answer = self.client.request(method, path, **arguments)
        except httpx.TransportError as error:
            raise Unavailable(
                f"The facade at {self.client.base_url} does not answer.", next_step="Start it: fiducial serve."
            ) from error
        if answer.is_success:
            return answer
        raise _error_of(answer)


@contextmanager
def connect(url: str, *, user: str, password: str, with_token: bool) -> Iterator[Facade]:
    """A client that signs in with HTTP basic, or fetches a token; it goes to the facade and nowhere else."""
    timeout = httpx.Timeout(_ANSWER_WITHIN_S + 10)
    with httpx.Client(base_url=url, timeout=timeout, trust_env=False) as client:
        if with_token:
            form = {"grant_type": "password", "username": user, "password": password}
            token = Facade(client).post("/api/v1/token", form)["access_token"]
            client.headers["Authorization"] = f"Bearer {token}"
        else:
            client.auth = httpx.BasicAuth(user, password)
        yield Facade(client)


def _error_of(answer: httpx.Response) -> FiducialError:
    problem = answer.json() if "json" in answer.headers.get("Content-Type", "") else {}
    what = problem.get("detail") or problem.get("title") or f"The facade answers {answer.status_code}."
    kind = error_with_code(problem.get("code", "")) or _branch_of(answer.status_code)
    return kind(what, next_step=problem.get("next_step", ""))


def _branch_of(status: int) -> type[FiducialError]:
    """For a code we do not know, from another release or from a proxy in between."""
    known: dict[int, type[FiducialError]] = {
        401: Refused, 403: Refused, 404: NotFound, 409: Refused, 429: Refused, 502: Unavailable, 503: Unavailable,
        504: Unavailable,
    }  # fmt: skip
    return known.get(status, BadInput if status < 500 else FiducialError)
