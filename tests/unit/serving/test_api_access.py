"""Who is refused leaves a trace that a flood cannot swell, and whoever guesses passwords has to wait."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from domain.access import Principal, UserRole
from domain.audit import AuditAction, AuditEvent
from domain.errors import TooManyAttempts
from domain.identifiers import DEFAULT_TENANT
from infra.db.session import Database
from serving.api.refusals import Refusals
from serving.intake import Declared, Intake
from serving.throttle import Throttle

STUDY = "GET /api/v1/studies/{study_id}"


def refusals(database: Database, entity: str) -> list[AuditEvent]:
    with database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
        return [event for event in work.audit.of(entity) if event.action is AuditAction.ACCESS_REFUSED]


def sign_in(client: Any, password: str, *, name: str = "clinician") -> Any:
    return client.post("/api/v1/token", data={"username": name, "password": password})


def test_reading_the_worklist_leaves_an_event_that_says_which_page(
    enhanced: Any, intake: Intake, film: Callable[..., bytes], declared: Callable[..., Declared], clinician: Principal,
    database: Database,
) -> None:  # fmt: skip
    study_id = intake.receive([film()], declared=declared(), by=clinician).study_id
    headers = {"Authorization": f"Bearer {enhanced.facade.tokens.issue(clinician)}"}
    for query in ("limit=5", f"limit=5&before={study_id}"):
        assert enhanced.get(f"/api/v1/worklist?{query}", headers=headers).status_code == 200
        with database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
            (event,) = work.audit.of(f"worklist?{query}")
        assert (event.action, event.agent, event.outcome) == (AuditAction.WORKLIST_READ, "clinician", "success")


def test_a_refused_sign_in_leaves_an_event_with_the_account_and_without_the_password(
    enhanced: Any, database: Database, tmp_path: Path
) -> None:
    assert sign_in(enhanced, "hunter2-secret").status_code == 401
    (event,) = refusals(database, "POST /api/v1/token")
    assert (event.agent, event.outcome) == ("clinician", "failure")
    database.close()
    assert b"hunter2" not in b"".join(path.read_bytes() for path in tmp_path.glob("platform.db*"))


def test_a_name_that_nobody_has_is_not_written_down(enhanced: Any, database: Database, tmp_path: Path) -> None:
    assert sign_in(enhanced, "x", name="Doe^Jane-X4711").status_code == 401
    (event,) = refusals(database, "POST /api/v1/token")
    assert event.agent == "unknown"
    database.close()
    assert b"X4711" not in b"".join(path.read_bytes() for path in tmp_path.glob("platform.db*"))


def test_a_missing_right_leaves_an_event_of_who_lacks_it_and_names_no_study(client: Any, database: Database) -> None:
    client.auth = ("engineer", "pw engineer")
    assert client.get("/api/v1/studies/Doe-X4711").status_code == 403
    assert client.post("/api/v1/studies").status_code == 403
    assert [event.agent for event in refusals(database, STUDY)] == ["engineer"]
    assert [event.agent for event in refusals(database, "POST /api/v1/studies")] == ["engineer"]


def test_a_foreign_page_leaves_an_event(client: Any, database: Database) -> None:
    assert client.post("/api/v1/studies", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert [event.agent for event in refusals(database, "another site's page")] == ["unknown"]


def test_a_flood_of_refusals_is_one_row_a_minute_for_each_route(client: Any, database: Database) -> None:
    now = 0.0
    client.facade.refusals.clock = lambda: now
    for number in range(40):
        now += 1.4  # together less than a minute
        assert client.get(f"/api/v1/studies/{number}", auth=("somebody", str(number))).status_code in (401, 429)
        client.get(f"/api/v1/predictions/{number}", auth=None)
    assert len(refusals(database, STUDY)) == 1
    assert len(refusals(database, "GET /api/v1/predictions/{prediction_id}")) == 1
    now += 60
    client.get("/api/v1/studies/1", auth=None)
    assert len(refusals(database, STUDY)) == 2


def test_a_refusal_stands_when_it_cannot_be_written_down(client: Any, tmp_path: Path) -> None:
    without_tables = Refusals(Database(f"sqlite:///{tmp_path / 'empty.db'}"), DEFAULT_TENANT)
    object.__setattr__(client.facade, "refusals", without_tables)
    assert client.get("/api/v1/me", auth=None).status_code == 401
    without_tables.database.close()


def test_after_ten_wrong_passwords_the_right_one_has_to_wait(enhanced: Any, database: Database) -> None:
    now = 0.0
    enhanced.facade.accounts.throttle.clock = lambda: now
    assert [sign_in(enhanced, "wrong").status_code for _ in range(10)] == [401] * 10
    refused = sign_in(enhanced, "pw clinician")
    assert (refused.status_code, refused.headers["content-type"]) == (429, "application/problem+json")
    assert (refused.json()["code"], refused.headers["retry-after"]) == ("too-many-attempts", "60")
    assert sign_in(enhanced, "pw engineer", name="engineer").status_code == 200
    now = 60.0
    assert sign_in(enhanced, "pw clinician").status_code == 200


def test_basic_authentication_is_throttled_too(client: Any) -> None:
    for _ in range(10):
        client.get("/api/v1/me", auth=("clinician", "wrong"))
    assert client.get("/api/v1/me").status_code == 429


def test_the_right_password_clears_the_count(client: Any) -> None:
    for _ in range(3):
        for _ in range(9):
            assert client.get("/api/v1/me", auth=("clinician", "wrong")).status_code == 401
        assert client.get("/api/v1/me").status_code == 200


def test_another_address_is_not_held_up() -> None:
    throttle = Throttle(wrong_attempts=1)
    throttle.wrong(("clinician", "10.0.0.1"))
    throttle.check(("clinician", "10.0.0.2"))
    with pytest.raises(TooManyAttempts):
        throttle.check(("clinician", "10.0.0.1"))


def test_a_token_needs_no_throttle_and_has_none(enhanced: Any) -> None:
    for _ in range(15):
        assert enhanced.get("/api/v1/me", headers={"Authorization": "Bearer guessed"}).status_code == 401
    who = Principal(name="clinician", tenant=DEFAULT_TENANT, role=UserRole.CLINICIAN)
    headers = {"Authorization": f"Bearer {enhanced.facade.tokens.issue(who)}"}
    assert enhanced.get("/api/v1/me", headers=headers).status_code == 200
