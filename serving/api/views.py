"""Reading what the routes show, inside one unit of work."""

from collections.abc import Iterable

from domain.errors import NoExplanation
from domain.identifiers import PredictionId, Sha256
from domain.prediction import Concluded, Done, Prediction
from domain.study import Study
from infra.db.session import UnitOfWork
from serving import promoted
from serving.api.schemas import PredictionView, StudyView, prediction_view, study_view


def show_prediction(work: UnitOfWork, prediction: Prediction) -> PredictionView:
    """A prediction with its provenance."""
    state = prediction.state
    manifest = promoted.manifest_of(work, state.model_version) if isinstance(state, Concluded) else None
    return prediction_view(prediction, manifest)


def show_study(work: UnitOfWork, study: Study) -> StudyView:
    """A study with its predictions."""
    return study_view(study, _shown(work, work.predictions.of_study(study.study_id)))


def explained_object(work: UnitOfWork, prediction_id: PredictionId) -> Sha256:
    """The stored bytes of the film that a prediction explains; raises NoExplanation."""
    state = work.predictions.get(prediction_id).state
    explained = state.explained_instance if isinstance(state, Done) else None
    if not isinstance(state, Done) or explained is None:
        raise NoExplanation(f"Prediction {prediction_id} has no heat map.", next_step="Read the prediction's state.")
    return next(kept.object_sha256 for kept in state.instances if kept.sop_instance_uid == explained)


def _shown(work: UnitOfWork, predictions: Iterable[Prediction]) -> tuple[PredictionView, ...]:
    return tuple(show_prediction(work, prediction) for prediction in predictions)
