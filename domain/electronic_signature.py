"""Electronic signatures after 21 CFR 11: who, with what meaning, when, over exactly which bytes."""

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from domain.identifiers import Sha256


class SignatureMeaning(StrEnum):
    """21 CFR 11.50(a)(3): what the signer says by signing."""

    AUTHOR = "author"
    REVIEW = "review"
    APPROVAL = "approval"


class SignerRole(StrEnum):
    """In what capacity somebody signs; a change control plan says which role may give which meaning."""

    ENGINEER = "engineer"
    CLINICIAN = "clinician"
    QUALITY = "quality"


class Signer(BaseModel):
    """A person who may sign. The private key lies encrypted with the platform; the public key here."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str  # account, small letters, unique
    printed_name: str
    role: SignerRole
    public_key: str  # Ed25519, raw 32 bytes as hexadecimal digits
    registered_at: datetime


class ElectronicSignature(BaseModel):
    """One signature, inseparable from the signed bytes by their SHA-256 (21 CFR 11.70)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    signer: Signer
    meaning: SignatureMeaning
    signed_at: datetime
    what: str  # e.g. "report.json of chest_xray_pneumonia/network-seed1"
    sha256: Sha256  # of the signed bytes
    signature: str  # Ed25519 over the canonical JSON of every other field, hexadecimal
