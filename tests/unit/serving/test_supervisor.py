"""Which versions the supervisor keeps running: every one that a policy names, while the task is switched off, too."""

from collections.abc import Callable
from pathlib import Path

import pytest

from domain.identifiers import DEFAULT_TENANT
from domain.model_version import ModelManifest
from domain.traffic import Challenger, Mode, TrafficPolicy
from infra.clock import now
from infra.db.session import Database
from serving.supervisor import Supervisor


@pytest.mark.parametrize("mode", list(Mode))
def test_the_versions_of_a_policy_run_in_every_mode_a_stopped_challenger_and_a_shadow_too(
    mode: Mode, database: Database, manifest: Callable[..., ModelManifest], tmp_path: Path
) -> None:
    challengers = (Challenger(version=2, share=0.2), Challenger(version=3, share=0.0))
    policy = TrafficPolicy(
        task="chest", policy_version=1, champion=1, challengers=challengers, shadows=(4,), mode=mode
    )  # fmt: skip
    with database.unit_of_work(DEFAULT_TENANT) as work:
        for version in range(1, 6):
            work.model_versions.add(manifest(version=version), f"/bentos/{version}")
        work.traffic.change(policy, by="Dr Bo", why="w", at=now())
    supervisor = Supervisor(
        tenant=DEFAULT_TENANT, database=database, environment={}, scratch=tmp_path, first_port=0, demo_allowed=True
    )
    with database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
        assert sorted(supervisor._wanted(work)) == [("chest", version) for version in (1, 2, 3, 4)]
