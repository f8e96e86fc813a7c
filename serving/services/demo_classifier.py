"""The rule-based demo classifier as a BentoML service: the same contract as a model version, without weights."""

from collections.abc import Sequence
from typing import Any

import bentoml
import numpy as np

from domain.prediction import ImageScore
from infra.lifetime import end_with_parent
from models import image_features, preprocess
from serving.demo import PREPROCESSING, demo_probability
from serving.services.application import CONFIG, Application
from serving.services.wire import Pixels

_MAP_SIDE = 8
application = Application()


class DemoModel:
    """The rule as the application asks it."""

    def prepare(self, pixels: Pixels) -> ImageScore:
        """The score itself: the rule needs no engine. Raises BadInput."""
        model_input = preprocess.apply(pixels, PREPROCESSING)
        features = image_features.measure(model_input)
        return ImageScore(
            probability=demo_probability(features["upper_minus_lower"]),
            image_features=features,
            activation_map=_brightness(model_input),
        )

    def answer(self, prepared: Sequence[ImageScore]) -> Sequence[ImageScore]:
        """The scores of one batch, in order."""
        return prepared


@bentoml.service(name="demo_classifier", **CONFIG)
@bentoml.asgi_app(application)
class DemoClassifier:
    """Answers while no model version is promoted."""

    def __init__(self) -> None:
        end_with_parent()
        application.serve(DemoModel())

    async def __is_alive__(self) -> bool:
        """BentoML's ``/livez``."""
        return application.is_alive()


def _brightness(model_input: Any) -> tuple[tuple[float, ...], ...]:
    side = model_input.shape[-1] // _MAP_SIDE
    blocks = model_input[0].reshape(_MAP_SIDE, side, _MAP_SIDE, side).mean(axis=(1, 3))
    return tuple(tuple(row) for row in np.asarray(blocks, dtype=float).tolist())
