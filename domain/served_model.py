"""What a running service says it holds: asked for when policies, addresses and services are held against each other."""

from pydantic import BaseModel, ConfigDict

from domain.canonical import canonical_json
from domain.identifiers import Sha256, sha256_of
from domain.model_version import ModelManifest


class ServedModel(BaseModel):
    """One model version by its name and by the digests of its manifest and of the bytes that serve."""

    model_config = ConfigDict(frozen=True)

    model_version: str
    manifest_sha256: Sha256  # of the canonical JSON
    model_sha256: Sha256

    @classmethod
    def of(cls, manifest: ModelManifest) -> "ServedModel":
        """What a service of that manifest must say; a classifier only loads the model its manifest names."""
        return cls(
            model_version=manifest.model_version,
            manifest_sha256=sha256_of(canonical_json(manifest.model_dump(mode="json"))),
            model_sha256=manifest.model_sha256,
        )
