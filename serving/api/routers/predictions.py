"""Predictions: the answer, its pictures."""

from fastapi import APIRouter, Response

from domain.audit import AuditAction
from domain.errors import NoExplanation
from domain.identifiers import PredictionId
from imaging.radiograph import decode
from serving.api.deps import FacadeParts, MayRead, record_read
from serving.api.openapi import PROTECTED, problems
from serving.api.schemas import PredictionView
from serving.api.views import explained_object, show_prediction
from serving.results import film_png, heat_map_png

ROUTER = APIRouter(prefix="/api/v1/predictions", tags=["predictions"], responses={**PROTECTED, **problems(404)})
PNG = "image/png"


@ROUTER.get("/{prediction_id}")
def read_prediction(prediction_id: str, facade: FacadeParts, principal: MayRead) -> PredictionView:
    """The answer, or why there is none, with the figures and digests behind it."""
    with facade.database.unit_of_work(principal.tenant) as work:
        view = show_prediction(work, work.predictions.get(PredictionId(prediction_id)))
        record_read(work, AuditAction.PREDICTION_READ, entity=prediction_id, by=principal)
    return view


@ROUTER.get("/{prediction_id}/heatmap", response_class=Response, responses={200: {"content": {PNG: {}}}})
def read_heat_map(prediction_id: str, facade: FacadeParts, principal: MayRead) -> Response:
    """The explained film with the evidence for the finding over it."""
    with facade.database.unit_of_work(principal.tenant) as work:
        sha256 = explained_object(work, PredictionId(prediction_id))
        activation_map = work.predictions.explanation(PredictionId(prediction_id))
        record_read(work, AuditAction.PREDICTION_READ, entity=prediction_id, by=principal)
    if activation_map is None:
        raise NoExplanation(f"Prediction {prediction_id} has no heat map.")
    film = decode(facade.objects.get(principal.tenant, sha256), limits=facade.limits)
    return Response(heat_map_png(film.pixels, activation_map), media_type=PNG)


@ROUTER.get("/{prediction_id}/film", response_class=Response, responses={200: {"content": {PNG: {}}}})
def read_film(prediction_id: str, facade: FacadeParts, principal: MayRead) -> Response:
    """The explained film alone, of the same size."""
    with facade.database.unit_of_work(principal.tenant) as work:
        sha256 = explained_object(work, PredictionId(prediction_id))
        record_read(work, AuditAction.PREDICTION_READ, entity=prediction_id, by=principal)
    film = decode(facade.objects.get(principal.tenant, sha256), limits=facade.limits)
    return Response(film_png(film.pixels), media_type=PNG)
