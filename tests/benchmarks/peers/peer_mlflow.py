"""The model of ``mlflow models serve``: a film travels as base64 in JSON, which is what its server reads."""

import base64
from typing import Any

import mlflow.pyfunc
from mlflow.models import set_model
from peer_scoring import PeerModel


class Film(mlflow.pyfunc.PythonModel):
    def load_context(self, context: Any) -> None:
        self._model = PeerModel()

    def predict(self, context: Any, model_input: Any, params: Any = None) -> list[dict[str, Any]]:
        return self._model.run([self._model.prepare(base64.b64decode(str(image))) for image in model_input])


set_model(Film())
