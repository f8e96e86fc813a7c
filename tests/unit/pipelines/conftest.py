"""A small installation with answered studies; its versions are real ONNX files in folders laid out as Bentos."""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from PIL import Image

from domain.codes import PNEUMONIA
from domain.dataset import DatasetVersion
from domain.identifiers import (
    DEFAULT_TENANT,
    PredictionId,
    Pseudonym,
    SeriesInstanceUID,
    SOPInstanceUID,
    StudyId,
    StudyInstanceUID,
    sha256_of,
)
from domain.intended_use import ImageAttributes, IntendedUse
from domain.model_version import ModelManifest, OperatingPoint, OutOfDistribution, ReferenceAnswer
from domain.prediction import Done, InstanceScore, Prediction, PredictionState
from domain.preprocessing import Preprocessing
from domain.study import Instance, Study
from domain.traffic import Role
from infra.settings import Settings
from models.inference import Scorer
from models.uncertainty import Whitening
from pipelines.wiring import Offline

SPEC = Preprocessing(size_px=32)
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
CHILDREN = IntendedUse(
    statement="Tests only.", modalities=frozenset({"DX"}), body_parts=frozenset({"CHEST"}),
    view_positions=frozenset({"PA", "AP"}), min_age_years=0, max_age_years=18,
)  # fmt: skip


AROUND_ZERO = Whitening(np.zeros(1), np.ones((1, 1)), np.ones(1), np.zeros(()))


def out_of_distribution(limit: float) -> OutOfDistribution:
    return OutOfDistribution(
        file="uncertainty.npz", file_sha256=sha256_of(AROUND_ZERO.to_bytes()), limit=limit, quantile=0.99, n=9,
        fitted_on="tests",
    )  # fmt: skip


def onnx_model(gain: float) -> bytes:
    """probability = logistic(gain · mean of the input), the mean also as embedding; a negative gain flips the sign."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["image"], ["pooled"]),
        helper.make_node("Mul", ["pooled", "gain"], ["logit"]),
        helper.make_node("Sigmoid", ["logit"], ["sigmoid"]),
        helper.make_node("Reshape", ["sigmoid", "vector"], ["probability"]),
        helper.make_node("Flatten", ["pooled"], ["embedding"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 1, SPEC.size_px, SPEC.size_px])],
        [
            helper.make_tensor_value_info("probability", TensorProto.FLOAT, ["n"]),
            helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", 1]),
        ],
        [
            helper.make_tensor("gain", TensorProto.FLOAT, [1], [gain]),
            helper.make_tensor("vector", TensorProto.INT64, [1], [-1]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    content: bytes = model.SerializeToString()
    onnx.checker.check_model(model)
    return content


def film(white: float, *, rows: int = 64) -> np.ndarray:
    """Black and white columns in a known proportion, so that the model's input has a known mean."""
    columns = np.arange(64) < 64 * white
    return np.broadcast_to(np.where(columns, 255, 0).astype(np.uint8), (rows, 64)).copy()


def png(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


@dataclass
class Installation:
    """What a test of replay needs to fill and to ask."""

    root: Offline
    folder: Path
    answered: int = 0

    def package(self, version: int, *, gain: float, use: IntendedUse = CHILDREN, limit: float | None = None) -> Path:
        """Register a version whose Bento folder holds what its manifest names; it abstains beyond ``limit``."""
        model, pixels = onnx_model(gain), film(0.3)
        answer = Scorer(model, preprocessing=SPEC, engine="onnxruntime").score([pixels])[0].probability
        manifest = ModelManifest(
            task="chest", title="Chest", version=version, variant=f"network-seed{version}", demo=False,
            intended_use=use, finding=PNEUMONIA, preprocessing=SPEC,
            operating_point=OperatingPoint(threshold=0.5, rule="test", chosen_on="tune"), engine="onnxruntime",
            explains=False, parameters=1, weights_sha256=sha256_of(model), model_sha256=sha256_of(model),
            report_sha256=sha256_of(b"report"),
            dataset_version=DatasetVersion(
                source="tiny", distribution="generated", digest=sha256_of(b"data"), synthetic=True, counts={},
                excluded={}, shards={},
            ),
            run_id="run", git_commit="c" * 40, git_dirty=False, seed=version, performance=(), criteria=(),
            reference_answers=(ReferenceAnswer(file="reference-0.npy", probability=answer, tolerance=1e-3),),
            approver="Dr A", out_of_distribution=None if limit is None else out_of_distribution(limit),
        )  # fmt: skip
        bento = self.folder / "bentos" / str(version)
        inside = bento / "src" / "model"
        inside.mkdir(parents=True)
        (inside / "model.onnx").write_bytes(model)
        (inside / "manifest.json").write_text(manifest.model_dump_json())
        (inside / "uncertainty.npz").write_bytes(AROUND_ZERO.to_bytes())
        np.save(inside / "reference-0.npy", pixels)
        with self.root.database.unit_of_work(DEFAULT_TENANT) as work:
            work.model_versions.add(manifest, str(bento))
        return bento

    def receive(self, *whites: float, patient: str = "", age_years: float = 4.0) -> Study:
        """Store a study of films with these proportions of white."""
        self.answered += 1
        number = self.answered
        instances = [
            Instance(
                sop_instance_uid=SOPInstanceUID(f"1.2.{number}.{position}"),
                series_instance_uid=SeriesInstanceUID(f"1.2.{number}"),
                object_sha256=self.root.objects.put(DEFAULT_TENANT, png(film(white, rows=64 + number))),
                image_format="png",
                attributes=ImageAttributes(
                    modality="DX", body_part_examined="CHEST", view_position="PA", age_years=age_years
                ),
                attributes_from="declared", rows=64 + number, columns=64,
            )
            for position, white in enumerate(whites)
        ]  # fmt: skip
        study = Study(
            study_id=StudyId(f"st_{number}"), study_instance_uid=StudyInstanceUID(f"1.2.{number}.9"),
            patient=Pseudonym(patient or f"pseudonym-{number}"), received_at=START, instances=tuple(instances),
        )  # fmt: skip
        with self.root.database.unit_of_work(DEFAULT_TENANT) as work:
            work.studies.add(study)
        return study

    def answer(self, study: Study, state: PredictionState | None = None, *, gain: float = 1.0) -> Prediction:
        """Record the answer to a study a minute after the one before; left out, that of version 1."""
        with self.root.database.unit_of_work(DEFAULT_TENANT) as work:
            minutes = len(work.predictions.asked_for("chest", since=START, until=START + timedelta(days=9)))
            prediction = Prediction(
                prediction_id=PredictionId(f"pr_{minutes}"), study_id=study.study_id, task="chest",
                requested_at=START + timedelta(minutes=minutes), state=state or self.done(study, gain=gain),
            )  # fmt: skip
            work.predictions.add(prediction)
        return prediction

    def done(self, study: Study, *, gain: float = 1.0, version: int = 1) -> Done:
        """What that version answers, by its own file."""
        scorer = Scorer(onnx_model(gain), preprocessing=SPEC, engine="onnxruntime")
        kept = []
        for instance in study.instances:
            data = self.root.objects.get(DEFAULT_TENANT, instance.object_sha256)
            pixels = np.asarray(Image.open(io.BytesIO(data)))
            kept.append(
                InstanceScore(
                    sop_instance_uid=instance.sop_instance_uid, object_sha256=instance.object_sha256,
                    probability=scorer.score([pixels])[0].probability,
                )
            )  # fmt: skip
        probability = max(one.probability for one in kept)
        return Done(
            probability=probability, threshold=0.5, finding_present=probability >= 0.5,
            model_version=f"chest@{version}", role=Role.CHAMPION, policy_version=1, fell_back=False, demo=False,
            instances=tuple(kept), explained_instance=None, answered_at=START,
        )  # fmt: skip


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    """An empty one, in a folder of its own."""
    root = Offline(Settings(home=tmp_path / "home"))
    yield Installation(root, tmp_path)
    root.database.close()


@pytest.fixture
def use_of() -> Callable[..., IntendedUse]:
    """The intended use with something changed."""

    def change(**changes: Any) -> IntendedUse:
        return CHILDREN.model_copy(update=changes)

    return change
