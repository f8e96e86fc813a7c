"""Plans, ledger, decisions, signers, signatures, evidence files and the policy in force, on both databases."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from threading import Barrier

import pytest

from domain.acceptance import MetricValue
from domain.change_control import GateCheck, GateDecision, OpeningRequest, RegisteredPlan
from domain.electronic_signature import ElectronicSignature, SignatureMeaning, Signer, SignerRole
from domain.errors import Conflict, DigestMismatch, IntegrityViolation, NotEstimable, NotFound, PlanNotRegistered
from domain.identifiers import DEFAULT_TENANT, Sha256, Tenant, sha256_of
from domain.traffic import TrafficPolicy
from infra.db.session import Database

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
INSTANT = timedelta(microseconds=1)
OTHER = Tenant("other")
DATASET = Sha256("3" * 64)
PCCP = Sha256("5" * 64)


def plan(content: str = "alpha: 0.05\n", *, task: str = "chest", at: datetime = NOW, by: str = "ada") -> RegisteredPlan:
    return RegisteredPlan(
        task=task, sha256=sha256_of(content.encode()), content=content, registered_by=by, registered_at=at
    )


def request(under: RegisteredPlan, *, at: datetime = NOW, model_version: str = "chest/network-seed1") -> OpeningRequest:
    return OpeningRequest(
        task=under.task, dataset_version="kermany@333333333333", dataset_sha256=DATASET, model_version=model_version,
        model_sha256=Sha256("4" * 64), plan_sha256=under.sha256, purpose="validation", opened_by="ada", opened_at=at,
    )  # fmt: skip


def decision(model_version: str = "chest@2", *, low: float = 0.91) -> GateDecision:
    value = MetricValue(
        name="auroc", value=0.93, interval=(low, 0.95), method="DeLong, logit", n=624, positives=390, split="test",
        dataset_version="kermany@333333333333", model_version=model_version,
    )  # fmt: skip
    check = GateCheck(
        name="auroc", kind="bound", bound="lower end ≥ 0.800", found="0.934", met=True, reason="r", value=value
    )
    return GateDecision(
        task="chest", model_version=model_version, variant="network-seed1", champion=None, verdict="promote",
        changes=("retrained",), checks=(check,), report_sha256=Sha256("6" * 64), plan_sha256=plan().sha256,
        pccp_sha256=PCCP, decided_by="ada", decided_at=NOW, why="better",
    )  # fmt: skip


def signer(name: str = "ada", *, printed_name: str = "Ada Lovelace") -> Signer:
    return Signer(
        name=name, printed_name=printed_name, role=SignerRole.QUALITY, public_key="ab" * 32, registered_at=NOW
    )


def signature(by: Signer, *, sha256: str = "6" * 64, at: datetime = NOW) -> ElectronicSignature:
    return ElectronicSignature(
        signer=by, meaning=SignatureMeaning.APPROVAL, signed_at=at, what="report.json of chest/network-seed1",
        sha256=Sha256(sha256), signature="cd" * 64,
    )  # fmt: skip


def test_a_plan_comes_back_byte_for_byte(database: Database) -> None:
    written = plan("# Plan für α\r\nalpha: 0.05\n")
    with database.unit_of_work(DEFAULT_TENANT) as work:
        assert work.plans.register(written) == written
    with database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
        found = work.plans.get("chest", written.sha256)
    assert found == written
    assert sha256_of(found.content.encode()) == written.sha256


def test_a_plan_registered_again_keeps_its_first_registration(database: Database) -> None:
    first, again = plan(), plan(at=NOW + timedelta(days=1), by="eve")
    with database.unit_of_work(DEFAULT_TENANT) as work:
        work.plans.register(first)
    with database.unit_of_work(DEFAULT_TENANT) as work:
        assert work.plans.register(again) == first
        assert work.plans.list("chest") == (first,)


def test_many_who_register_one_plan_at_once_keep_one_registration(database: Database) -> None:
    together = Barrier(8)

    def register(number: int) -> str:
        with database.unit_of_work(DEFAULT_TENANT) as work:
            together.wait(timeout=60)
            return work.plans.register(plan(by=f"signer {number}")).registered_by

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(register, range(8)))) == 1


def test_a_plan_of_other_bytes_than_its_digest_says_is_not_registered(database: Database) -> None:
    forged = plan().model_copy(update={"content": "alpha: 0.5\n"})
    with database.unit_of_work(DEFAULT_TENANT) as work:
        with pytest.raises(DigestMismatch):
            work.plans.register(forged)
        assert work.plans.list("chest") == ()


def test_plans_are_of_one_task_and_listed_oldest_first(database: Database) -> None:
    newer, older, else_where = plan("b: 1"), plan("a: 1", at=NOW - timedelta(days=1)), plan("b: 1", task="wrist")
    with database.unit_of_work(DEFAULT_TENANT) as work:
        for registered in (newer, older, else_where):
            work.plans.register(registered)
        assert work.plans.list("chest") == (older, newer)
        assert work.plans.get("wrist", newer.sha256) == else_where
        with pytest.raises(PlanNotRegistered):
            work.plans.get("wrist", older.sha256)


def test_each_opening_is_the_next_line_of_the_ledger(database: Database) -> None:
    with database.unit_of_work(DEFAULT_TENANT) as work:
        for registered in (plan(), plan(task="wrist")):
            work.plans.register(registered)
        opened = [work.ledger.open(request(under)) for under in (plan(), plan(task="wrist"), plan())]
    assert [(line.number, line.task) for line in opened] == [(1, "chest"), (2, "wrist"), (3, "chest")]
    assert opened[0].model_dump(exclude={"number"}) == request(plan()).model_dump()
    with database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
        assert work.ledger.list("chest") == (opened[0], opened[2])
        assert work.ledger.of_dataset(DATASET) == tuple(opened)
        assert work.ledger.of_dataset(Sha256("9" * 64)) == ()


def test_openings_at_once_get_consecutive_numbers(database: Database) -> None:
    with database.unit_of_work(DEFAULT_TENANT) as work:
        work.plans.register(plan())

    def open_test_set(number: int) -> int:
        with database.unit_of_work(DEFAULT_TENANT) as work:
            return work.ledger.open(request(plan(), model_version=f"chest/network-seed{number}")).number

    with ThreadPoolExecutor(8) as pool:
        numbers = list(pool.map(open_test_set, range(32)))
    assert sorted(numbers) == list(range(1, 33))
    with database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
        lines = work.ledger.list("chest")
    assert {line.number: line.model_version for line in lines} == {
        number: f"chest/network-seed{seed}" for seed, number in enumerate(numbers)
    }


def test_an_opening_that_is_undone_leaves_no_gap(database: Database) -> None:
    with database.unit_of_work(DEFAULT_TENANT) as work:
        work.plans.register(plan())
    with pytest.raises(RuntimeError), database.unit_of_work(DEFAULT_TENANT) as work:
        work.ledger.open(request(plan()))
        raise RuntimeError
    with database.unit_of_work(DEFAULT_TENANT) as work:
        assert work.ledger.open(request(plan())).number == 1


@pytest.mark.parametrize(
    "refused",
    [
        request(plan("other: 1")),
        request(plan(task="wrist")),  # these bytes, but registered for another task
        request(plan(), at=NOW - INSTANT),
    ],
    ids=["unregistered", "of another task", "registered afterwards"],
)
def test_without_a_plan_registered_before_the_test_set_stays_closed(
    database: Database, refused: OpeningRequest
) -> None:
    with database.unit_of_work(DEFAULT_TENANT) as work:
        work.plans.register(plan())
    with pytest.raises(PlanNotRegistered, match=refused.plan_sha256), database.unit_of_work(DEFAULT_TENANT) as work:
        work.ledger.open(refused)
    with database.unit_of_work(DEFAULT_TENANT) as work, pytest.raises(PlanNotRegistered):
        work.ledger.open(refused)  # caught by the caller, and the unit of work is committed
    with database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
        assert work.ledger.of_dataset(DATASET) == work.ledger.list(refused.task) == ()


def test_decisions_are_numbered_and_come_back_whole(database: Database) -> None:
    refused = decision().model_copy(update={"verdict": "refuse"})
    with database.unit_of_work(DEFAULT_TENANT) as work:
        assert [work.decisions.add(d) for d in (refused, decision("chest@3"), decision())] == [1, 2, 3]
    with database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
        assert work.decisions.of_version("chest", "chest@2") == (refused, decision())
        assert work.decisions.list("chest") == (refused, decision("chest@3"), decision())
        assert work.decisions.of_version("wrist", "chest@2") == work.decisions.list("wrist") == ()


@pytest.mark.parametrize("low", [float("nan"), float("-inf")])
def test_a_decision_that_could_not_be_read_again_is_not_kept(database: Database, low: float) -> None:
    with database.unit_of_work(DEFAULT_TENANT) as work:
        with pytest.raises(NotEstimable, match=r"checks\.0\.value\.interval\.0"):
            work.decisions.add(decision(low=low))
        assert work.decisions.list("chest") == ()


def test_a_signers_name_is_given_once(database: Database) -> None:
    with database.unit_of_work(DEFAULT_TENANT) as work:
        work.signers.add(signer("eve"))
        work.signers.add(signer())
    with database.unit_of_work(DEFAULT_TENANT) as work:
        with pytest.raises(Conflict, match="ada"):
            work.signers.add(signer(printed_name="Somebody Else"))
        assert work.signers.get("ada") == signer()
        assert work.signers.list() == (signer(), signer("eve"))
        with pytest.raises(NotFound):
            work.signers.get("nobody")


def test_signatures_lie_under_the_bytes_they_sign_oldest_first(database: Database) -> None:
    first, second, elsewhere = signature(signer("eve")), signature(signer()), signature(signer(), sha256="7" * 64)
    with database.unit_of_work(DEFAULT_TENANT) as work:
        for signed in (first, elsewhere, second):
            work.signatures.add(signed)
    with database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
        assert work.signatures.of(first.sha256) == (first, second)
        assert work.signatures.list() == (first, elsewhere, second)
        assert work.signatures.of(Sha256("8" * 64)) == ()


def test_a_signature_comes_back_in_the_very_words_that_were_signed(database: Database) -> None:
    abroad = NOW.replace(microsecond=120000).astimezone(timezone(timedelta(hours=5, minutes=30)))
    with database.unit_of_work(DEFAULT_TENANT) as work:
        work.signatures.add(signature(signer(), at=abroad))
    with database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
        (found,) = work.signatures.list()
    assert found.model_dump_json() == signature(signer(), at=abroad).model_dump_json()


def test_an_evidence_file_keeps_its_bytes_for_ever(database: Database) -> None:
    with database.unit_of_work(DEFAULT_TENANT) as work:
        work.evidence_files.add("chest", 1, "report.json", Sha256("6" * 64), 2**40)
        work.evidence_files.add("chest", 1, "plan.yaml", Sha256("7" * 64), 10)
        work.evidence_files.add("chest", 2, "report.json", Sha256("8" * 64), 10)
    with database.unit_of_work(DEFAULT_TENANT) as work:
        work.evidence_files.add("chest", 1, "report.json", Sha256("6" * 64), 2**40)
        for sha256, size_bytes in (("9" * 64, 2**40), ("6" * 64, 11)):
            with pytest.raises(IntegrityViolation, match=r"report\.json of chest@1"):
                work.evidence_files.add("chest", 1, "report.json", Sha256(sha256), size_bytes)
        assert work.evidence_files.of_version("chest", 1) == {"plan.yaml": "7" * 64, "report.json": "6" * 64}
        assert work.evidence_files.of_version("chest", 3) == {}


def test_no_tenant_sees_or_uses_anothers_records(database: Database) -> None:
    policy = TrafficPolicy(task="chest", policy_version=1, champion=1)
    with database.unit_of_work(DEFAULT_TENANT) as work:
        work.plans.register(plan())
        work.ledger.open(request(plan()))
        work.decisions.add(decision())
        work.signers.add(signer())
        work.signatures.add(signature(signer()))
        work.evidence_files.add("chest", 1, "report.json", Sha256("6" * 64), 10)
        work.traffic.change(policy, by="ada", why="w", at=NOW)
    with database.unit_of_work(OTHER) as work:
        assert work.plans.list("chest") == work.ledger.list("chest") == work.ledger.of_dataset(DATASET) == ()
        assert work.decisions.list("chest") == work.decisions.of_version("chest", "chest@2") == ()
        assert work.signers.list() == work.signatures.list() == work.signatures.of(Sha256("6" * 64)) == ()
        assert work.evidence_files.of_version("chest", 1) == {}
        assert work.traffic.in_force("chest", NOW) is None
        with pytest.raises(NotFound):
            work.signers.get("ada")
        for use in (lambda: work.plans.get("chest", plan().sha256), lambda: work.ledger.open(request(plan()))):
            with pytest.raises(PlanNotRegistered):
                use()
        work.signers.add(signer(printed_name="Another Ada"))
        assert work.decisions.add(decision()) == 1


def test_the_policy_in_force_at_a_moment_is_the_newest_set_by_then(database: Database) -> None:
    later = NOW + timedelta(hours=1)
    with database.unit_of_work(DEFAULT_TENANT) as work:
        for version, at in ((1, NOW), (2, later)):
            policy = TrafficPolicy(task="chest", policy_version=version, champion=version)
            work.traffic.change(policy, by="ada", why=f"reason {version}", at=at)
    with database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
        assert work.traffic.in_force("chest", NOW - INSTANT) is None
        assert work.traffic.in_force("wrist", later) is None
        first, second = work.traffic.history("chest")
        abroad = later.astimezone(timezone(timedelta(hours=-8)))
        for at, expected in (
            (NOW, first), (NOW + INSTANT, first), (later - INSTANT, first), (later, second), (abroad, second),
            (later + timedelta(days=900), second),
        ):  # fmt: skip
            assert work.traffic.in_force("chest", at) == expected
