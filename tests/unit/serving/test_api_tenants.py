"""Another tenant's principal: every protected address answers as if nothing of ours existed."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from domain.access import Principal, UserRole
from domain.identifiers import DEFAULT_TENANT, Tenant
from domain.model_version import ModelManifest
from domain.prediction import Done, InstanceScore
from domain.traffic import Role, TrafficPolicy
from infra.clock import now
from infra.db.session import Database
from serving.demo import DEMO_MANIFEST
from serving.intake import Declared, Intake

ADDRESSES = {
    "study": "/api/v1/studies/{study}", "prediction": "/api/v1/predictions/{prediction}",
    "heat map": "/api/v1/predictions/{prediction}/heatmap", "film": "/api/v1/predictions/{prediction}/film",
    "trace": "/api/v1/predictions/{prediction}/trace", "worklist page": "/api/v1/worklist?before={study}",
    "study history": "/api/v1/studies/{study}/history", "task history": "/api/v1/tasks/{task}/history",
    "reviews": "/api/v1/studies/{study}/reviews", "experiment": "/api/v1/tasks/{task}/experiment",
    "traffic": "/api/v1/tasks/{task}/traffic", "traffic history": "/api/v1/tasks/{task}/traffic/history",
}  # fmt: skip
WITHOUT_IDENTIFIER = {"/api/v1/worklist", "/api/v1/me", "/api/v1/studies"}
OPEN = {"/api/v1/about", "/api/v1/token", "/healthz", "/readyz", "/metrics"}


def token(client: Any, tenant: str) -> dict[str, str]:
    who = Principal(name="clinician", tenant=Tenant(tenant), role=UserRole.CLINICIAN)
    return {"Authorization": f"Bearer {client.facade.tokens.issue(who)}"}


@pytest.fixture
def ours(
    database: Database, intake: Intake, film: Callable[..., bytes], declared: Callable[..., Declared],
    clinician: Principal, manifest: Callable[..., ModelManifest],
) -> dict[str, str]:  # fmt: skip
    """An answered study of the default tenant, with everything that can be read of one, and a task that serves."""
    receipt = intake.receive([film()], declared=declared(), by=clinician)
    with database.unit_of_work(DEFAULT_TENANT) as work:
        (instance,) = work.studies.get(receipt.study_id).instances
        (prediction,) = work.predictions.of_study(receipt.study_id)
        score = InstanceScore(
            sop_instance_uid=instance.sop_instance_uid, object_sha256=instance.object_sha256, probability=0.75
        )
        state = Done(
            probability=0.75, threshold=0.5, finding_present=True, model_version=DEMO_MANIFEST.model_version,
            role=Role.CHAMPION, policy_version=0, fell_back=False, demo=True, instances=(score,),
            explained_instance=instance.sop_instance_uid, answered_at=now(),
        )  # fmt: skip
        work.predictions.set_state(prediction.prediction_id, state)
        work.predictions.set_explanation(prediction.prediction_id, ((0.0, 1.0), (0.5, 0.25)))
        work.model_versions.add(manifest(), "/bento")
        work.traffic.change(TrafficPolicy(task="chest", policy_version=1, champion=1), by="ada", why="new", at=now())
    return {"study": receipt.study_id, "prediction": prediction.prediction_id, "task": "chest"}


@pytest.mark.parametrize("name", ADDRESSES)
def test_what_belongs_to_one_tenant_does_not_exist_for_another(name: str, enhanced: Any, ours: dict[str, str]) -> None:
    address = ADDRESSES[name].format(**ours)
    assert enhanced.get(address, headers=token(enhanced, DEFAULT_TENANT)).status_code == 200
    refused = enhanced.get(address, headers=token(enhanced, "other"))
    assert (refused.status_code, refused.json()["code"]) == (
        404, f"unknown-{next(what for what in ('study', 'prediction', 'task') if what in ADDRESSES[name])}",
    )  # fmt: skip


def test_another_tenants_worklist_is_empty(enhanced: Any, ours: dict[str, str]) -> None:
    assert enhanced.get("/api/v1/worklist", headers=token(enhanced, "other")).json() == {"studies": [], "next": None}
    (listed,) = enhanced.get("/api/v1/worklist", headers=token(enhanced, DEFAULT_TENANT)).json()["studies"]
    assert listed["study_id"] == ours["study"]


def test_the_same_film_of_the_same_patient_is_another_study_in_another_tenant(
    enhanced: Any, ours: dict[str, str], film: Callable[..., bytes], database: Database
) -> None:
    fields = {"patient_id": "patient-1", "modality": "DX", "body_part_examined": "CHEST", "view_position": "PA",
              "age_years": "4", "site": "north"}  # fmt: skip
    sent = enhanced.post(
        "/api/v1/studies", files={"files": ("f", film())}, data=fields, headers=token(enhanced, "other")
    )
    assert (sent.status_code, sent.json()["predictions"][0]["state"]) == (202, "pending")
    assert sent.json()["study_id"] != ours["study"]
    with database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
        (mine,) = work.studies.latest(9)
    with database.unit_of_work(Tenant("other"), read_only=True) as work:
        (theirs,) = work.studies.latest(9)
    assert theirs.patient != mine.patient


def test_every_protected_address_is_asked_here(enhanced: Any) -> None:
    asked = {re.sub(r"{\w+}", "{}", address.partition("?")[0]) for address in ADDRESSES.values()} | WITHOUT_IDENTIFIER
    paths = {re.sub(r"{\w+}", "{}", path) for path in enhanced.get("/openapi.json").json()["paths"]}
    assert asked == paths - OPEN
