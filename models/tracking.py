"""The door to MLflow's tracking: what a run was given and gave, and what differs between two runs."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import distributions, version
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from domain.acceptance import MetricValue
from domain.dataset import DatasetVersion
from domain.errors import UnknownRun

if TYPE_CHECKING:
    import onnx
    from mlflow import MlflowClient
    from mlflow.models import ModelSignature

MODEL_NAME = "model"  # of the logged model in a run
ENVIRONMENT_FILE = "environment.txt"
_SERVING_PACKAGES = ("numpy", "onnx", "onnxruntime")
_PARTS = ("code", "data", "parameters", "results")


def mlflow() -> ModuleType:
    """MLflow, imported when it is first needed (2 s)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of type hints in its own code
        import mlflow
        import mlflow.onnx
        import mlflow.pyfunc
    module: ModuleType = mlflow
    return module


class Difference(BaseModel):
    """One thing in which two runs differ; ``None``: the run does not have it."""

    model_config = ConfigDict(frozen=True)

    name: str
    a: str | None
    b: str | None


class Comparison(BaseModel):
    """What differs between two runs."""

    model_config = ConfigDict(frozen=True)

    run_a: str
    run_b: str
    code: tuple[Difference, ...]
    data: tuple[Difference, ...]
    parameters: tuple[Difference, ...]
    results: tuple[Difference, ...]

    @property
    def same_inputs(self) -> bool:
        """True when code, data and parameters are equal, so that the results must be."""
        return not (self.code or self.data or self.parameters)


class Tracking:
    """MLflow at ``sqlite:///…`` or ``http(s)://…``; files of new experiments go below ``artifact_root``."""

    def __init__(self, uri: str, *, artifact_root: str | None = None) -> None:
        self.uri = uri
        self.artifact_root = artifact_root

    @property
    def client(self) -> MlflowClient:
        """MLflow's client for this address; imports MLflow."""
        client: MlflowClient = mlflow().MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)
        return client

    def start(self, *, experiment: str, name: str, tags: Mapping[str, str]) -> str:
        """A new run in the experiment (one per task); its identifier."""
        client = self.client
        found = client.get_experiment_by_name(experiment)
        experiment_id = found.experiment_id if found else client.create_experiment(experiment, self.artifact_root)
        run_id: str = client.create_run(experiment_id, run_name=name, tags=dict(tags)).info.run_id
        return run_id

    def is_known(self, run_id: str) -> bool:
        """True when this address has the run, so that a resumed training may go on writing to it."""
        try:
            self.client.get_run(run_id)
        except mlflow().MlflowException:
            return False
        return True

    def reopen(self, run_id: str) -> None:
        """A run that had ended goes on."""
        self.client.update_run(run_id, status="RUNNING")

    def log_parameters(self, run_id: str, parameters: Mapping[str, Any]) -> None:
        """Parameters, as text."""
        self.client.log_batch(
            run_id, params=[mlflow().entities.Param(key, str(value)) for key, value in parameters.items()]
        )

    def log_dataset(self, run_id: str, version: DatasetVersion, *, context: str) -> None:
        """The dataset version as MLflow's dataset input and, for comparisons, as tags."""
        entities = mlflow().entities
        dataset = entities.Dataset(
            name=version.name,
            digest=version.digest[:36],  # MLflow's limit; the whole digest is in the tag
            source_type="fiducial",
            source=version.model_dump_json(include={"source", "distribution", "synthetic"}),
            profile=version.model_dump_json(include={"counts", "excluded"}),
        )
        tag = entities.InputTag("mlflow.data.context", context)
        client = self.client
        client.log_inputs(run_id, datasets=[entities.DatasetInput(dataset, tags=[tag])])
        client.set_tag(run_id, f"dataset.{context}", version.name)
        client.set_tag(run_id, f"dataset.{context}.sha256", version.digest)

    def log_step(self, run_id: str, values: Mapping[str, float], *, step: int, at_ms: int) -> None:
        """Numbers of one epoch; MLflow draws the curves."""
        metric = mlflow().entities.Metric
        self.client.log_batch(run_id, metrics=[metric(key, value, at_ms, step) for key, value in values.items()])

    def log_values(self, run_id: str, values: Sequence[MetricValue], *, prefix: str, at_ms: int) -> None:
        """Metric values with both ends of their intervals: ``test.auroc``, ``test.auroc.low``, ``test.auroc.high``."""
        flat: dict[str, float] = {}
        for value in values:
            stem = f"{prefix}.{value.name}"
            flat |= {stem: value.value, f"{stem}.low": value.interval[0], f"{stem}.high": value.interval[1]}
        self.log_step(run_id, flat, step=0, at_ms=at_ms)

    def log_folder(self, run_id: str, folder: Path, *, to: str) -> None:
        """Every file of a folder as artifacts below ``to``."""
        self.client.log_artifacts(run_id, str(folder), artifact_path=to)

    def log_text(self, run_id: str, text: str, *, to: str) -> None:
        """A text artifact."""
        self.client.log_text(run_id, text, to)

    def set_tags(self, run_id: str, tags: Mapping[str, str]) -> None:
        """Tags."""
        client = self.client
        for key, value in tags.items():
            client.set_tag(run_id, key, value)

    def fluent(self) -> ModuleType:
        """The module ``mlflow``, pointed at this address: for the few things its client cannot do."""
        module = mlflow()
        module.set_tracking_uri(self.uri)
        module.set_registry_uri(self.uri)
        return module

    def log_model(self, run_id: str, model: bytes, *, engine: str) -> None:
        """The exported model in MLflow's ONNX flavour, with its signature, under the name ``model``."""
        import onnx

        fluent, parsed = self.fluent(), onnx.load_from_string(model)
        with fluent.start_run(run_id=run_id):
            fluent.onnx.log_model(
                parsed,
                name=MODEL_NAME,
                signature=_signature(parsed),
                # Given, not inferred: to infer them MLflow starts a process and loads the model, which takes 45 s.
                pip_requirements=[
                    f"{package}=={version(package)}" for package in dict.fromkeys((*_SERVING_PACKAGES, engine))
                ],
                save_as_external_data=False,
            )

    def finish(self, run_id: str, *, status: str = "FINISHED") -> None:
        """End the run: ``FINISHED``, ``FAILED`` or ``KILLED``."""
        self.client.set_terminated(run_id, status=status)


def environment() -> str:
    """Every installed package and its version, as ``pip freeze`` prints them, after the interpreter's."""
    packages = {f"{item.metadata['Name']}=={item.version}" for item in distributions()}
    return "\n".join([f"# Python {sys.version.split()[0]}", *sorted(packages, key=str.lower)]) + "\n"


def compare(tracking: Tracking, run_a: str, run_b: str) -> Comparison:
    """What differs between two runs.

    Raises:
        UnknownRun: there is no such run.
    """
    a, b = _facts(tracking, run_a), _facts(tracking, run_b)
    code, data, parameters, results = (_differences(a[part], b[part]) for part in _PARTS)
    return Comparison(run_a=run_a, run_b=run_b, code=code, data=data, parameters=parameters, results=results)


def _facts(tracking: Tracking, run_id: str) -> dict[str, dict[str, str]]:
    try:
        run = tracking.client.get_run(run_id)
    except mlflow().MlflowException as error:
        raise UnknownRun(f"MLflow knows no run {run_id}.", next_step="`fiducial train` prints its runs.") from error
    tags = run.data.tags
    packages = dict(
        line.split("==", 1) for line in _text(tracking, run_id, ENVIRONMENT_FILE).splitlines() if "==" in line
    )
    return {
        "code": {key: tags[key] for key in ("git.commit", "git.dirty") if key in tags} | packages,
        "data": {key: value for key, value in tags.items() if key.startswith("dataset.")},
        "parameters": dict(run.data.params),
        "results": {key: f"{value:.6g}" for key, value in run.data.metrics.items() if key != "seconds"}
        | {key: tags[key] for key in ("weights.sha256", "model.sha256", "engine", "precision") if key in tags},
    }


def _text(tracking: Tracking, run_id: str, name: str) -> str:
    if name not in {file.path for file in tracking.client.list_artifacts(run_id)}:
        return ""
    return str(tracking.fluent().artifacts.load_text(f"{tracking.client.get_run(run_id).info.artifact_uri}/{name}"))


def _differences(a: Mapping[str, str], b: Mapping[str, str]) -> tuple[Difference, ...]:
    names = [name for name in sorted(a.keys() | b.keys()) if a.get(name) != b.get(name)]
    return tuple(Difference(name=name, a=a.get(name), b=b.get(name)) for name in names)


def _signature(model: onnx.ModelProto) -> ModelSignature:
    types = mlflow().types

    def schema(values: Iterable[onnx.ValueInfoProto]) -> Any:
        return types.Schema([types.TensorSpec(np.dtype(np.float32), _shape(value), value.name) for value in values])

    signature: ModelSignature = mlflow().models.ModelSignature(schema(model.graph.input), schema(model.graph.output))
    return signature


def _shape(value: onnx.ValueInfoProto) -> tuple[int, ...]:
    # 0 or unset: a free dimension, which MLflow writes as -1.
    return tuple(dimension.dim_value or -1 for dimension in value.type.tensor_type.shape.dim)
