"""Model versions as packaging makes them: a Bento with code, model, manifest and recorded answers."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from domain.codes import PNEUMONIA
from domain.dataset import DatasetVersion
from domain.identifiers import sha256_of
from domain.intended_use import IntendedUse
from domain.model_version import Engine, ModelManifest, OperatingPoint, Precision, ReferenceAnswer
from domain.preprocessing import Preprocessing
from infra.environment import NO_TELEMETRY
from models.packaging import CODE, SERVICE
from tests.benchmarks.support.films import film
from tests.benchmarks.support.knobs import ROOT
from tests.benchmarks.support.scoring import scorer

INCLUDED = ["domain/", "infra/", "models/", "serving/", "model/"]
TOLERANCE = 1e-3


@dataclass(frozen=True)
class Served:
    """What one version answers with."""

    task: str
    model: bytes
    preprocessing: Preprocessing
    engine: Engine = "onnxruntime"
    precision: Precision = "fp32"


@dataclass(frozen=True)
class Packaged:
    """A Bento on disk and the manifest in it."""

    manifest: ModelManifest
    bento: Path


def package(served: Served, *, version: int, home: Path) -> Packaged:
    """Build the Bento of one version below ``home``."""
    staging = home / f"staging-{served.task}-{version}"
    for pattern in CODE:
        for source in ROOT.glob(pattern):
            target = staging / source.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
    manifest = _write_model(served, version=version, folder=staging / "model")
    build = {"service": SERVICE, "name": served.task, "include": INCLUDED,
             "python": {"packages": [], "lock_packages": False}}  # fmt: skip
    (staging / "bentofile.yaml").write_text(yaml.safe_dump(build))
    command = [sys.executable, "-m", "bentoml", "build", "--version", str(version), "--output", "tag", "."]
    environment = {**os.environ, **NO_TELEMETRY, "BENTOML_HOME": str(home), "PIP_NO_INDEX": "1"}
    environment.pop("PYTHONPATH", None)
    subprocess.run(command, cwd=staging, env=environment, check=True, capture_output=True, timeout=300)
    return Packaged(manifest, home / "bentos" / served.task / str(version))


def another(packaged: Packaged, served: Served, *, version: int) -> Packaged:
    """A further version: the same code with a model and manifest of its own, without building it all again."""
    bento = packaged.bento.with_name(str(version))
    shutil.copytree(packaged.bento, bento)
    shutil.rmtree(bento / "src" / "model")
    return Packaged(_write_model(served, version=version, folder=bento / "src" / "model"), bento)


def _write_model(served: Served, *, version: int, folder: Path) -> ModelManifest:
    pixels = film(version, side_px=200)
    probability = (
        scorer(served.model, served.preprocessing, engine=served.engine, precision=served.precision)
        .score([pixels])[0]
        .probability
    )
    manifest = _manifest(served, version=version, probability=probability)
    folder.mkdir()
    (folder / "model.onnx").write_bytes(served.model)
    (folder / "manifest.json").write_text(manifest.model_dump_json())
    np.save(folder / "reference-0.npy", pixels)
    return manifest


def _manifest(served: Served, *, version: int, probability: float) -> ModelManifest:
    return ModelManifest(
        task=served.task, title="Benchmark", version=version, variant=f"network-seed{version}", demo=False,
        intended_use=IntendedUse(
            statement="Benchmarks only.", modalities=frozenset({"DX"}), body_parts=frozenset({"CHEST"}),
            view_positions=frozenset({"PA"}), min_age_years=0, max_age_years=18,
        ),
        finding=PNEUMONIA, preprocessing=served.preprocessing,
        operating_point=OperatingPoint(threshold=0.5, rule="none", chosen_on="not chosen"),
        engine=served.engine, precision=served.precision, explains=True, parameters=1,
        weights_sha256=sha256_of(served.model), model_sha256=sha256_of(served.model),
        report_sha256=sha256_of(b"no report"),
        dataset_version=DatasetVersion(
            source="none", distribution="generated", digest=sha256_of(b"none"), synthetic=True, counts={},
            excluded={}, shards={},
        ),
        run_id="benchmark", git_commit="0" * 40, git_dirty=False, seed=version, performance=(), criteria=(),
        reference_answers=(ReferenceAnswer(file="reference-0.npy", probability=probability, tolerance=TOLERANCE),),
        approver="demo",
    )  # fmt: skip
