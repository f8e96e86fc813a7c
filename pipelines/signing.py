"""Signers and their signatures over validation reports (21 CFR 11)."""

from datetime import UTC, datetime
from typing import Literal

from domain.audit import AuditAction, AuditEvent
from domain.electronic_signature import ElectronicSignature, SignatureMeaning, Signer, SignerRole
from domain.errors import Conflict, NotFound, SignatureInvalid, SignatureRefused
from domain.identifiers import Sha256, sha256_of
from evidence import signatures
from infra.db.session import UnitOfWork
from infra.keys import SignerKeys
from models.tasks import get_task
from pipelines import plans
from pipelines.results import read_reports
from pipelines.wiring import Offline


def add_signer(name: str, *, printed_name: str, role: SignerRole, passphrase: str, root: Offline) -> Signer:
    """A person with a key of their own, which only their passphrase opens.

    Raises:
        Conflict: the name is taken.
        InvalidField: the name or the passphrase is not one.
    """
    now = datetime.now(UTC)
    with root.database.unit_of_work(root.tenant) as work:
        if any(known.name == name for known in work.signers.list()):
            raise Conflict(
                f"There is a signer {name} already.", next_step="Choose another name: a key is never replaced."
            )
        public_key = SignerKeys(root.settings.secrets / "signers").create(name, passphrase)
        signer = Signer(name=name, printed_name=printed_name, role=role, public_key=public_key, registered_at=now)
        work.signers.add(signer)
        _audit(work, AuditAction.SIGNER_REGISTERED, agent=name, entity=name, at=now)
    return signer


def sign_report(
    task: str, variant: str, *, name: str, passphrase: str, meaning: SignatureMeaning, root: Offline
) -> ElectronicSignature:
    """One signature over the bytes of a variant's ``report.json``, after opening the signer's key anew.

    Raises:
        SignatureRefused: unknown signer, wrong passphrase, or a role that may not sign so by the change control plan;
            each is in the audit trail.
        Conflict: this person has said the same of these bytes before; nothing is recorded.
        NotFound: there is no such report.
    """
    data = report_file(task, variant, root=root)
    try:
        return _signed(task, variant, data, name=name, passphrase=passphrase, meaning=meaning, root=root)
    except SignatureRefused:
        with root.database.unit_of_work(root.tenant) as work:
            known = any(signer.name == name for signer in work.signers.list())
            _audit(
                work, AuditAction.SIGNING_REFUSED, agent=name if known else "unknown", entity=sha256_of(data),
                at=datetime.now(UTC), outcome="failure",
            )  # fmt: skip
        raise


def report_file(task: str, variant: str, *, root: Offline) -> bytes:
    """The bytes of a variant's report, as the validation left them.

    Raises:
        UnknownTask, NotFound: there is no such task, or nothing validated under that name.
    """
    get_task(task)
    if variant not in {report.model.variant for report in read_reports(task)}:
        raise NotFound(f"{task} has no variant {variant!r}.", next_step="`fiducial validate` lists them.")
    return (root.store("reports", task, variant) / "report.json").read_bytes()


def _signed(
    task: str, variant: str, data: bytes, *, name: str, passphrase: str, meaning: SignatureMeaning, root: Offline
) -> ElectronicSignature:  # fmt: skip
    unlocked = SignerKeys(root.settings.secrets / "signers").unlock(name, passphrase)
    with root.database.unit_of_work(root.tenant) as work:
        signer = work.signers.get(name)
        allowed = {(one.meaning, one.role) for one in plans.change_control_of(task, folder=root.copy).signatures}
        if (meaning, signer.role) not in allowed:
            raise SignatureRefused(
                f"{signer.name}, {signer.role}, may not sign as {meaning}.",
                next_step=f"pccp.yaml of {task} says who may: "
                + ", ".join(sorted(f"{one} by {role}" for one, role in allowed)),
            )
        digest = sha256_of(data)
        if any((one.signer.name, one.meaning) == (name, meaning) for one in work.signatures.of(digest)):
            raise Conflict(
                f"{name} has signed these bytes as {meaning} already.", next_step="One signature of a meaning counts."
            )
        now = datetime.now(UTC)
        given = signatures.sign(
            signer, meaning=meaning, what=f"report.json of {task}/{variant}", sha256=digest, at=now,
            sign=unlocked,
        )  # fmt: skip
        signatures.check(given, digest)
        work.signatures.add(given)
        _audit(work, AuditAction.RECORD_SIGNED, agent=name, entity=given.sha256, at=now)
    return given


def valid_over(sha256: Sha256, *, work: UnitOfWork) -> tuple[ElectronicSignature, ...]:
    """Every signature recorded over these bytes.

    Raises:
        SignatureInvalid: one does not belong to them, or is not by the key that its signer was registered with.
    """
    found = work.signatures.of(sha256)
    for one in found:
        signatures.check(one, sha256)
        if work.signers.get(one.signer.name) != one.signer:
            raise SignatureInvalid(f"The signature of {one.signer.name} is not by the registered signer of that name.")
    return found


def _audit(
    work: UnitOfWork, action: AuditAction, *, agent: str, entity: str, at: datetime,
    outcome: Literal["success", "failure"] = "success",
) -> None:  # fmt: skip
    work.audit.append(
        AuditEvent(tenant=work.tenant, agent=agent, action=action, entity=entity, outcome=outcome, recorded=at)
    )
