"""One packaged model version as a BentoML service: it serves the bytes its manifest names, or does not start."""

from pathlib import Path
from typing import Any

import bentoml
import numpy as np

from domain.errors import BadInput
from domain.served_model import ServedModel
from infra.lifetime import end_with_parent
from models.inference import Classifier
from models.uncertainty import Judge
from serving.services.wire import Answer, predict_api

# In a Bento: <bento>/src/serving/services/image_classifier.py beside <bento>/src/model/.
MODEL_FOLDER = Path(__file__).resolve().parents[2] / "model"


@bentoml.service(name="image_classifier", workers=1, traffic={"timeout": 60})
class ImageClassifier:
    """Loading checks every digest and repeats the recorded reference answers.

    That compares the probability alone: an invented pattern is no film and may well be abstained on.
    """

    def __init__(self) -> None:
        end_with_parent()
        self._classifier = Classifier.load(MODEL_FOLDER)
        self._classifier.self_test()
        manifest = self._classifier.manifest
        self._judge = Judge.of(manifest.conformal, manifest.out_of_distribution, MODEL_FOLDER)

    @predict_api()  # type: ignore[untyped-decorator]
    def predict(self, images: list[Any]) -> list[Answer]:
        """Scores of one batch, in order."""
        prepared = [self._prepare(image) for image in images]
        inputs = [item for item in prepared if not isinstance(item, BadInput)]
        found = self._classifier.score_prepared(np.stack(inputs)) if inputs else []
        scores = iter(found if self._judge is None else map(self._judge.judge, found))
        return [item if isinstance(item, BadInput) else next(scores) for item in prepared]

    def _prepare(self, image: Any) -> Any:
        try:
            return self._classifier.prepare(image)
        except BadInput as error:
            return error

    @bentoml.api(route="/model")  # type: ignore[untyped-decorator]
    def model(self) -> ServedModel:
        """Which version this process holds in memory, whatever lies on the disk or stands in a table meanwhile."""
        return ServedModel.of(self._classifier.manifest)
