"""Electronic signatures, under the SHA-256 of the bytes they are bound to (21 CFR 11.70)."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, String, func
from sqlalchemy.orm import Mapped, mapped_column

from domain.electronic_signature import ElectronicSignature
from domain.identifiers import Sha256
from infra.db.base import NAME, OPAQUE, Repository, TenantRow


class SignatureRow(TenantRow):
    """One signature. ``content`` is the whole of it as signed: a time turned to another zone would make it invalid."""

    __tablename__ = "electronic_signatures"
    __table_args__ = (Index(None, "tenant", "sha256", "number"),)

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    sha256: Mapped[str] = mapped_column(String(OPAQUE))
    signer: Mapped[str] = mapped_column(String(NAME))
    meaning: Mapped[str] = mapped_column(String(16))
    signed_at: Mapped[datetime]
    content: Mapped[dict[str, Any]] = mapped_column(JSON)


class Signatures(Repository):
    """Signatures of one tenant's signers."""

    def add(self, signature: ElectronicSignature) -> None:
        """Keeps a signature. Whether it is valid is for the one who made or received it to check first."""
        self._reserve("signatures")
        signatures = self._select(SignatureRow)
        last = self._session.execute(signatures.with_only_columns(func.max(SignatureRow.number))).scalar() or 0
        row = SignatureRow(
            tenant=self._tenant,
            number=last + 1,
            sha256=signature.sha256,
            signer=signature.signer.name,
            meaning=signature.meaning.value,
            signed_at=signature.signed_at,
            content=signature.model_dump(mode="json"),
        )
        self._insert(row)

    def of(self, sha256: Sha256) -> tuple[ElectronicSignature, ...]:
        """Every signature over these bytes, oldest first."""
        query = self._select(SignatureRow, SignatureRow.sha256 == sha256).order_by(SignatureRow.number)
        return tuple(ElectronicSignature.model_validate(row.content) for row in self._all(query))

    def list(self) -> tuple[ElectronicSignature, ...]:
        """Every signature, oldest first."""
        query = self._select(SignatureRow).order_by(SignatureRow.number)
        return tuple(ElectronicSignature.model_validate(row.content) for row in self._all(query))
