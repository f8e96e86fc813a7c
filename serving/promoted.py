"""Which manifests the traffic policies in force name: asked by worker, supervisor and facade."""

from domain.model_version import ModelManifest
from infra.db.session import UnitOfWork
from serving.demo import DEMO_MANIFEST


def champion(work: UnitOfWork, task: str) -> ModelManifest:
    """The manifest whose intended use decides for a task; the demo classifier's while the task has no policy."""
    policy = work.traffic.current(task)
    return DEMO_MANIFEST if policy is None else work.model_versions.get(task, policy.champion)[0]


def manifest_of(work: UnitOfWork, model_version: str) -> ModelManifest:
    """The manifest of a printed model version such as ``chest_xray_pneumonia@3``; raises UnknownModelVersion."""
    if model_version == DEMO_MANIFEST.model_version:
        return DEMO_MANIFEST
    task, _, version = model_version.rpartition("@")
    return work.model_versions.get(task, int(version))[0]
