"""What checking an evidence bundle found: every check with its file, its outcome and the reason in words."""

from typing import Literal

from domain.electronic_signature import ElectronicSignature
from evidence.strict import Record

Status = Literal["verified", "failed", "not_checked"]


class BundleCheck(Record):
    """One thing that was looked at."""

    file: str
    status: Status
    reason: str


class BundleVerdict(Record):
    """All of it; ``trust`` says what the attestation's signature was checked with."""

    trust: Literal["key given", "self-consistent, key not checked"]
    key_id: str  # SHA-256 of the public key that was used; empty: none could be read
    checks: tuple[BundleCheck, ...]
    signatures: tuple[ElectronicSignature, ...]  # those of persons that verified

    @property
    def failed(self) -> tuple[BundleCheck, ...]:
        """The checks that speak against the bundle."""
        return tuple(check for check in self.checks if check.status == "failed")

    @property
    def ok(self) -> bool:
        """True when nothing speaks against it; with a key that was not checked this proves no origin."""
        return bool(self.checks) and not self.failed


def verified(file: str, reason: str) -> BundleCheck:
    """It is as it should be."""
    return BundleCheck(file=file, status="verified", reason=reason)


def failed(file: str, reason: str) -> BundleCheck:
    """It is not."""
    return BundleCheck(file=file, status="failed", reason=reason)


def not_checked(file: str, reason: str) -> BundleCheck:
    """It could not, or needed not, be looked at."""
    return BundleCheck(file=file, status="not_checked", reason=reason)


def same(file: str, what: str, *, found: object, of: str, expected: object) -> BundleCheck:
    """Whether ``what`` in a file is that of another."""
    return (
        verified(file, f"{what} is that of {of}") if found == expected else failed(file, f"{what} is not that of {of}")
    )
