"""What the facade refuses ends the command with the error's own sentence, next step and exit code."""

import http.server
import threading
from collections.abc import Iterator

import pytest

from domain import errors
from domain.error_codes import all_errors
from domain.errors import FiducialError
from pipelines.facade import Facade, connect
from serving.api.errors import problem_response
from serving.problems import MethodNotAllowed, NotPermitted

# The facade's own are not known to a command line that never imports it: they are told by their status.
OURS = [error for error in all_errors() if error.__module__ == errors.__name__]
FACADES = [MethodNotAllowed, NotPermitted]


class Refusing(http.server.BaseHTTPRequestHandler):
    """A server that answers ``/error/CODE`` as our facade does, and ``/plain/STATUS`` as a proxy might."""

    def do_GET(self) -> None:
        _, kind, name = self.path.split("/")
        if kind == "plain":
            self.answer(int(name), b"<html>", "text/html")
            return
        code, _, renamed = name.partition("?")
        error = {error.code: error for error in all_errors()}[code]
        document = problem_response(error("What is wrong.", next_step="What to do."))
        body = bytes(document.body).replace(f'"{code}"'.encode(), b'"from-the-future"') if renamed else document.body
        self.answer(document.status_code, bytes(body), document.headers["Content-Type"])

    def answer(self, status: int, body: bytes, media_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def facade() -> Iterator[Facade]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        with connect(url, user="clinician", password="-", with_token=False) as client:
            yield client
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("kind", OURS, ids=lambda kind: kind.code)
def test_each_error_comes_back_as_itself_with_its_next_step(facade: Facade, kind: type[FiducialError]) -> None:
    with pytest.raises(FiducialError) as told:
        facade.get(f"/error/{kind.code}")
    assert (type(told.value), told.value.what, told.value.next_step) == (kind, "What is wrong.", "What to do.")


@pytest.mark.parametrize("kind", [*OURS, *FACADES], ids=lambda kind: kind.code)
def test_a_code_of_another_release_keeps_the_exit_code_where_the_status_tells_it(
    facade: Facade, kind: type[FiducialError]
) -> None:
    with pytest.raises(FiducialError) as told:
        facade.get(f"/error/{kind.code}?renamed")
    # Behind a 500 no branch can be told.
    expected = 1 if issubclass(kind, errors.DataProblem | errors.IntegrityViolation) else kind.exit_code
    assert (told.value.exit_code, str(told.value)) == (expected, "What is wrong. What to do.")


@pytest.mark.parametrize(("status", "code"), [(401, 4), (404, 3), (413, 2), (429, 4), (500, 1), (502, 7)])
def test_an_answer_that_is_no_problem_document_is_told_by_its_status(facade: Facade, status: int, code: int) -> None:
    with pytest.raises(FiducialError, match=f"The facade answers {status}") as told:
        facade.get(f"/plain/{status}")
    assert told.value.exit_code == code
