"""Names for things: DICOM UIDs, digests, tenants, pseudonyms and the opaque identifiers of the API."""

import hashlib
import hmac
import uuid
from typing import NewType

StudyInstanceUID = NewType("StudyInstanceUID", str)
SeriesInstanceUID = NewType("SeriesInstanceUID", str)
SOPInstanceUID = NewType("SOPInstanceUID", str)
Sha256 = NewType("Sha256", str)  # 64 lower-case hexadecimal digits
Tenant = NewType("Tenant", str)
Pseudonym = NewType("Pseudonym", str)
StudyId = NewType("StudyId", str)  # opaque: "st_" + 32 hexadecimal digits
PredictionId = NewType("PredictionId", str)  # opaque: "pr_" + 32 hexadecimal digits

DEFAULT_TENANT = Tenant("default")


def sha256_of(data: bytes) -> Sha256:
    """SHA-256 of bytes, as 64 hexadecimal digits (FIPS 180-4)."""
    return Sha256(hashlib.sha256(data).hexdigest())


def uid_from(unique: uuid.UUID) -> str:
    """The DICOM UID of a UUID: root 2.25 and the UUID as a decimal (PS3.5 B.2)."""
    return f"2.25.{unique.int}"


def pseudonym_of(patient_id: str, *, key: bytes, tenant: Tenant) -> Pseudonym:
    """The patient's keyed, repeatable pseudonym within a tenant (HMAC-SHA-256, first 32 hexadecimal digits)."""
    message = f"{tenant}\0{patient_id}".encode()
    return Pseudonym(hmac.new(key, message, hashlib.sha256).hexdigest()[:32])
