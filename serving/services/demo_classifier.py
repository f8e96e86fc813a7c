"""The rule-based demo classifier as a BentoML service: the same contract as a model version, without weights."""

from typing import Any

import bentoml
import numpy as np

from domain.errors import BadInput
from domain.prediction import ImageScore
from infra.lifetime import end_with_parent
from models import image_features, preprocess
from serving.demo import PREPROCESSING, demo_probability
from serving.services.wire import Answer, predict_api

_MAP_SIDE = 8


@bentoml.service(name="demo_classifier", workers=1, traffic={"timeout": 60})
class DemoClassifier:
    """Answers while no model version is promoted."""

    def __init__(self) -> None:
        end_with_parent()

    @predict_api()  # type: ignore[untyped-decorator]
    def predict(self, images: list[Any]) -> list[Answer]:
        """Answers to one batch, in order."""
        return [_answer(image) for image in images]


def _answer(image: Any) -> Answer:
    try:
        model_input = preprocess.apply(image, PREPROCESSING)
    except BadInput as error:
        return error
    features = image_features.measure(model_input)
    return ImageScore(
        probability=demo_probability(features["upper_minus_lower"]),
        image_features=features,
        activation_map=_brightness(model_input),
    )


def _brightness(model_input: Any) -> tuple[tuple[float, ...], ...]:
    side = model_input.shape[-1] // _MAP_SIDE
    blocks = model_input[0].reshape(_MAP_SIDE, side, _MAP_SIDE, side).mean(axis=(1, 3))
    return tuple(tuple(row) for row in np.asarray(blocks, dtype=float).tolist())
