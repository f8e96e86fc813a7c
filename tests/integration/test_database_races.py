"""Many workers, and workers that die: nothing is lost, nothing happens twice."""

import subprocess
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from domain.errors import Unavailable
from domain.identifiers import DEFAULT_TENANT
from domain.prediction import Failed, Prediction
from domain.study import Study
from infra.db.session import Database

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
Start = Callable[..., "subprocess.Popen[str]"]

PRELUDE = """
import sys, time, datetime
from infra.db.session import Database
database = Database(sys.argv[1])
now = datetime.datetime.fromisoformat(sys.argv[2])
"""


def line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def test_two_workers_never_hold_the_same_message(database: Database) -> None:
    with database.unit_of_work(DEFAULT_TENANT) as work:
        numbers = [work.outbox.put("predict", {}) for _ in range(120)]

    def drain(_: int) -> list[int]:
        mine: list[int] = []
        while True:
            with database.unit_of_work(DEFAULT_TENANT) as work:
                claimed = work.outbox.claim("predict", now=NOW, lease_s=600, limit=3)
            if not claimed:
                return mine
            mine += [message.message_id for message in claimed]

    with ThreadPoolExecutor(8) as pool:
        taken = [number for mine in pool.map(drain, range(8)) for number in mine]
    assert Counter(taken) == Counter(numbers)


def test_of_many_workers_one_records_the_prediction(database: Database, pending: Prediction) -> None:
    def answer(worker: int) -> bool:
        with database.unit_of_work(DEFAULT_TENANT) as work:
            return work.predictions.set_state(pending.prediction_id, Failed(code=str(worker), attempts=1))

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(answer, range(16)))
    assert answers.count(True) == 1
    with database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
        assert work.predictions.get(pending.prediction_id).state == Failed(code=str(answers.index(True)), attempts=1)


def test_two_uploads_of_one_study_at_once_make_one_study(database: Database, study: Study) -> None:
    def receive(number: int) -> str:
        with database.unit_of_work(DEFAULT_TENANT) as work:
            found = work.studies.find(study.study_instance_uid)
            if found:
                return found.study_id
            work.studies.add(study.model_copy(update={"study_id": f"st_{number}"}))
            return f"st_{number}"

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(receive, range(16)))) == 1


def test_kill_9_between_put_and_commit_leaves_nothing(database: Database, database_url: str, python: Start) -> None:
    dying = python(
        PRELUDE
        + """
with database.unit_of_work("default") as work:
    work.outbox.put("predict", {})
    print("put", flush=True)
    time.sleep(600)
""",
        database_url,
        NOW.isoformat(),
    )
    assert line(dying) == "put"
    dying.kill()
    dying.wait()
    with database.unit_of_work(DEFAULT_TENANT) as work:
        assert work.outbox.depth("predict") == 0
        work.outbox.put("predict", {})  # and nobody is locked out


def test_a_message_whose_worker_was_killed_is_claimed_again(
    database: Database, database_url: str, python: Start
) -> None:
    with database.unit_of_work(DEFAULT_TENANT) as work:
        number = work.outbox.put("predict", {})
    dying = python(
        PRELUDE
        + """
with database.unit_of_work("default") as work:
    (message,) = work.outbox.claim("predict", now=now, lease_s=30, limit=1)
print(message.message_id, flush=True)
time.sleep(600)
""",
        database_url,
        NOW.isoformat(),
    )
    assert line(dying) == str(number)
    dying.kill()
    dying.wait()
    with database.unit_of_work(DEFAULT_TENANT) as work:
        assert work.outbox.claim("predict", now=NOW + timedelta(seconds=29), lease_s=30, limit=1) == ()
        (again,) = work.outbox.claim("predict", now=NOW + timedelta(seconds=30), lease_s=30, limit=1)
    assert (again.message_id, again.attempts) == (number, 2)


def test_what_was_committed_survives_kill_9(database: Database, database_url: str, python: Start) -> None:
    dying = python(
        PRELUDE
        + """
for number in range(10**6):
    with database.unit_of_work("default") as work:
        work.outbox.put("predict", {"number": number})
    print(number, flush=True)
""",
        database_url,
        NOW.isoformat(),
    )
    last = [line(dying) for _ in range(20)][-1]
    dying.kill()
    dying.wait()
    with database.unit_of_work(DEFAULT_TENANT) as work:
        kept = [message.payload["number"] for message in work.outbox.claim("predict", now=NOW, lease_s=1, limit=10**6)]
    assert kept == list(range(len(kept)))
    assert len(kept) > int(last)


def test_several_processes_may_migrate_at_once(database_url: str, python: Start) -> None:
    program = PRELUDE + 'database.migrate(); print("migrated", flush=True)'
    processes = [python(program, database_url, NOW.isoformat()) for _ in range(4)]
    assert [line(process) for process in processes] == ["migrated"] * 4


def test_a_database_that_is_not_there_is_unavailable() -> None:
    database = Database("postgresql+psycopg://nobody@127.0.0.1:1/none?connect_timeout=2")
    with pytest.raises(Unavailable) as caught, database.unit_of_work(DEFAULT_TENANT):
        pass
    assert "nobody" not in str(caught.value)
