"""The walk from a prediction to the commit, with what can be read here hashed again."""

from fastapi import APIRouter

from domain.audit import AuditAction
from domain.errors import NotFound
from domain.identifiers import PredictionId
from domain.prediction import Concluded
from serving import promoted
from serving.api.deps import FacadeParts, MayTrace, record_read
from serving.api.openapi import PROTECTED, problems
from serving.trace import CheckedTrace, Reach, check

ROUTER = APIRouter(prefix="/api/v1/predictions", tags=["trace"], responses={**PROTECTED, **problems(404)})


@ROUTER.get("/{prediction_id}/trace")
def read_trace(prediction_id: str, facade: FacadeParts, principal: MayTrace) -> CheckedTrace:
    """Prediction → images → model version → report → run → dataset version → commit, each with its digest."""
    with facade.database.unit_of_work(principal.tenant) as work:
        prediction = work.predictions.get(PredictionId(prediction_id))
        if not isinstance(prediction.state, Concluded):
            raise NotFound(f"Prediction {prediction_id} has no answer to trace.", next_step="Wait until it is done.")
        manifest = promoted.manifest_of(work, prediction.state.model_version)
        bento = (
            None if manifest.engine == "rule" else work.model_versions.get(manifest.task, manifest.version).bento_path
        )
        kept = work.evidence_files.of_version(manifest.task, manifest.version)
        record_read(work, AuditAction.TRACE_READ, entity=prediction_id, by=principal)
    reach = Reach(objects=facade.objects, tenant=principal.tenant, bento=bento, kept=kept)
    return check(prediction, manifest, reach=reach)
