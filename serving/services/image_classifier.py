"""One packaged model version as a BentoML service: it serves the bytes its manifest names, or does not start."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import bentoml
import numpy as np
from numpy.typing import NDArray

from domain.prediction import ImageScore
from domain.served_model import ServedModel
from infra.lifetime import end_with_parent
from models import image_features
from models.inference import Classifier
from models.uncertainty import Judge
from serving.services.application import CONFIG, Application, engine_lanes, engine_threads
from serving.services.batching import worthwhile_batch_size
from serving.services.wire import Pixels

# In a Bento: <bento>/src/serving/services/image_classifier.py beside <bento>/src/model/.
MODEL_FOLDER = Path(__file__).resolve().parents[2] / "model"
application = Application()


class Prepared(NamedTuple):
    """One image before the engine."""

    model_input: NDArray[np.float32]
    features: Mapping[str, float]


class ClassifierModel:
    """A classifier as the application asks it."""

    def __init__(self, classifier: Classifier, judge: Judge | None) -> None:
        self._classifier = classifier
        self._judge = judge

    def prepare(self, pixels: Pixels) -> Prepared:
        """Model input and image features; raises BadInput."""
        model_input = self._classifier.prepare(pixels)
        return Prepared(model_input, image_features.measure(model_input))

    def answer(self, prepared: Sequence[Prepared]) -> list[ImageScore]:
        """Scores of one batch, in order."""
        inputs = np.stack([one.model_input for one in prepared])
        scores = self._classifier.score_prepared(inputs, features=[one.features for one in prepared])
        return scores if self._judge is None else [self._judge.judge(score) for score in scores]

    def warm_up(self) -> int:
        """Has the engine allocate for what will come; returns the largest batch worth making on this machine."""
        size_px = self._classifier.preprocessing.size_px

        def run(count: int) -> None:
            self._classifier.probabilities(np.zeros((count, 1, size_px, size_px), dtype=np.float32))

        return worthwhile_batch_size(run, lanes=engine_lanes())


@bentoml.service(name="image_classifier", **CONFIG)
@bentoml.asgi_app(application)
class ImageClassifier:
    """Loading checks every digest and repeats the recorded reference answers.

    That compares the probability alone: an invented pattern is no film and may well be abstained on.
    """

    def __init__(self) -> None:
        end_with_parent()
        classifier = Classifier.load(MODEL_FOLDER, threads=engine_threads(), lanes=engine_lanes())
        classifier.self_test()
        manifest = classifier.manifest
        model = ClassifierModel(classifier, Judge.of(manifest.conformal, manifest.out_of_distribution, MODEL_FOLDER))
        application.serve(model, identity=ServedModel.of(manifest), max_batch_size=model.warm_up())

    async def __is_alive__(self) -> bool:
        """BentoML's ``/livez``."""
        return application.is_alive()
