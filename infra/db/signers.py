"""Who may sign: accounts with printed name, role and public key, never reused (21 CFR 11.100(a))."""

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from domain.electronic_signature import Signer, SignerRole
from domain.errors import Conflict, NotFound
from infra.db.base import NAME, OPAQUE, Repository, TenantRow


class SignerRow(TenantRow):
    """One signer."""

    __tablename__ = "signers"

    name: Mapped[str] = mapped_column(String(NAME), primary_key=True)
    printed_name: Mapped[str] = mapped_column(String(NAME))
    role: Mapped[str] = mapped_column(String(16))
    public_key: Mapped[str] = mapped_column(String(OPAQUE))
    registered_at: Mapped[datetime]


class Signers(Repository):
    """Signers of one tenant."""

    def add(self, signer: Signer) -> None:
        """Registers a signer.

        Raises:
            Conflict: the name is taken, be it by the same person: a key is not exchanged under old signatures.
        """
        self._reserve(f"signer {signer.name}")
        if self._row(signer.name) is not None:
            raise Conflict(f"A signer {signer.name!r} is registered already.", next_step="Choose another name.")
        self._insert(SignerRow(tenant=self._tenant, **signer.model_dump(exclude={"role"}), role=signer.role.value))

    def get(self, name: str) -> Signer:
        """The signer of that account.

        Raises:
            NotFound: this tenant has none.
        """
        row = self._row(name)
        if row is None:
            raise NotFound(f"No signer {name!r} here.", next_step="Register the signer first.")
        return _signer(row)

    def list(self) -> tuple[Signer, ...]:
        """Every signer, by name."""
        return tuple(_signer(row) for row in self._all(self._select(SignerRow).order_by(SignerRow.name)))

    def _row(self, name: str) -> SignerRow | None:
        return self._one(self._select(SignerRow, SignerRow.name == name))


def _signer(row: SignerRow) -> Signer:
    return Signer(
        name=row.name,
        printed_name=row.printed_name,
        role=SignerRole(row.role),
        public_key=row.public_key,
        registered_at=row.registered_at,
    )
