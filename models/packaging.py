"""Packaging: a validated variant, the code that serves it and a manifest, as one Bento that needs nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib.metadata import version as installed_version
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray

from domain.errors import DigestMismatch, Unavailable
from domain.identifiers import Sha256, sha256_of
from domain.model_version import ModelManifest, Precision, ReferenceAnswer
from evidence.record import ValidationReport
from infra.environment import process_environment
from models import checkpoints as kept
from models.checkpoints import TrainedModel
from models.inference import MANIFEST_FILE, Scorer
from models.task import Task
from models.uncertainty import UNCERTAINTY_FILE, parameters_of

REPORT_FILE = "report.json"
SERVICE = "serving.services.image_classifier:ImageClassifier"
# Everything the service imports from this project.
CODE = (
    "domain/*.py", "models/__init__.py", "models/engines.py", "models/inference.py", "models/preprocess.py",
    "models/image_features.py", "models/uncertainty.py",
    "infra/__init__.py", "infra/lifetime.py", "serving/__init__.py", "serving/services/__init__.py",
    "serving/services/image_classifier.py", "serving/services/application.py", "serving/services/batching.py",
    "serving/services/wire.py",
)  # fmt: skip
_PACKAGES = ("bentoml", "numpy", "pillow", "prometheus-client", "pydantic")
_CANDIDATES, _CARRIED, _SIDE_PX = 24, 3, 200
# Another processor rounds differently: fp32 in the seventh digit, the others in the third.
_TOLERANCES: dict[Precision, float] = {"fp32": 1e-3, "bf16": 1e-2, "int8": 1e-2}
_BUILD_TIMEOUT_S = 300


@dataclass(frozen=True)
class PackagedBento:
    """A Bento on disk."""

    path: Path
    manifest: ModelManifest

    @property
    def tag(self) -> str:
        """BentoML's name for it, ``<task>:<version>``."""
        return f"{self.manifest.task}:{self.manifest.version}"


def build_bento(  # noqa: PLR0913 - every input of the step, by keyword
    task: Task, *, variant: str, version: int, approver: str, checkpoints: Path, reports: Path, code_root: Path,
    bento_home: Path,
) -> PackagedBento:  # fmt: skip
    """The Bento of one registered model version, below ``bento_home``; the same version is built once.

    ``checkpoints`` and ``reports`` are the task's folders; ``code_root`` holds ``serving`` and ``models``.

    Raises:
        DigestMismatch: the report is about another model, or the version exists with another manifest.
        Unavailable: BentoML could not build it.
    """
    trained = TrainedModel.load(checkpoints / variant)
    report, report_sha256 = _report_on(trained, reports / variant)
    model = (checkpoints / variant / kept.MODEL_FILE).read_bytes()
    files = {kept.MODEL_FILE: model}
    if parameters := parameters_of(trained.out_of_distribution, checkpoints / variant):
        files[UNCERTAINTY_FILE] = parameters
    carried = _reference_inputs(trained, model)
    manifest = _manifest(
        task, trained, report, version=version, approver=approver, report_sha256=report_sha256,
        reference_answers=tuple(answer for answer, _ in carried),
    )  # fmt: skip
    path = bento_home / "bentos" / task.name / str(version)
    if not path.exists():
        with tempfile.TemporaryDirectory() as folder:
            staging = Path(folder)
            _stage(staging, manifest, files=files, inputs=carried, code_root=code_root)
            _build(staging, manifest, bento_home=bento_home)
    _require_same(path, manifest)
    return PackagedBento(path=path, manifest=manifest)


def _report_on(trained: TrainedModel, folder: Path) -> tuple[ValidationReport, Sha256]:
    data = (folder / REPORT_FILE).read_bytes()
    report = ValidationReport.model_validate_json(data)
    if report.provenance.model_sha256 != trained.model_sha256:
        raise DigestMismatch(
            f"The report of {trained.task}/{trained.variant} is about another model.", next_step="Validate it again."
        )
    return report, sha256_of(data)


def _manifest(
    task: Task, trained: TrainedModel, report: ValidationReport, *, version: int, approver: str,
    report_sha256: Sha256, reference_answers: tuple[ReferenceAnswer, ...],
) -> ModelManifest:  # fmt: skip
    return ModelManifest(
        task=task.name,
        title=task.title,
        version=version,
        variant=trained.variant,
        demo=trained.dataset_version.synthetic,  # invented films: whatever it says, it says nothing about a patient
        intended_use=task.intended_use,
        finding=task.finding,
        preprocessing=trained.preprocessing,
        operating_point=trained.operating_point,
        engine=trained.engine,
        precision=trained.precision,
        engine_choice=trained.engine_choice,
        conformal=trained.conformal,
        out_of_distribution=trained.out_of_distribution,
        explains=trained.explains,
        parameters=trained.parameters,
        weights_sha256=trained.weights_sha256,
        model_sha256=trained.model_sha256,
        report_sha256=report_sha256,
        dataset_version=trained.dataset_version,
        external_dataset_versions=tuple(outside.dataset_version for outside in report.external),
        run_id=trained.run_id,
        git_commit=trained.git_commit,
        git_dirty=trained.git_dirty,
        seed=trained.seed,
        performance=(*report.test.metrics, *(value for outside in report.external for value in outside.metrics)),
        criteria=report.criteria,
        reference_answers=reference_answers,
        approver=approver,
    )


def _reference_inputs(trained: TrainedModel, model: bytes) -> list[tuple[ReferenceAnswer, NDArray[np.uint8]]]:
    """Invented patterns, so that no patient's film travels; those few whose probabilities are furthest apart."""
    scorer = Scorer(model, preprocessing=trained.preprocessing, engine=trained.engine, precision=trained.precision)
    patterns = [_pattern(seed) for seed in range(_CANDIDATES)]
    answers = sorted(
        ((score.probability, seed) for seed, score in enumerate(scorer.score(patterns))), key=lambda pair: pair[0]
    )
    chosen = [answers[round(i * (_CANDIDATES - 1) / (_CARRIED - 1))] for i in range(_CARRIED)]
    return [
        (
            ReferenceAnswer(
                file=f"reference-{i}.npy", probability=probability, tolerance=_TOLERANCES[trained.precision]
            ),
            patterns[seed],
        )
        for i, (probability, seed) in enumerate(chosen)
    ]


def _pattern(seed: int) -> NDArray[np.uint8]:
    """Two dark fields on a bright ground with bands, spots and grain: not a film, but of its grey levels."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:_SIDE_PX, 0:_SIDE_PX] / _SIDE_PX
    width, height, grain = random.uniform(0.1, 0.2), random.uniform(0.2, 0.4), random.uniform(0.01, 0.06)
    image = 0.7 + 0.05 * np.sin(2 * np.pi * random.uniform(5, 9) * y)
    for centre in (0.3, 0.7):
        image -= 0.5 * np.exp(-((((x - centre) / width) ** 2 + ((y - 0.5) / height) ** 2) ** 2))
    for _ in range(random.integers(0, 5)):
        at_x, at_y, radius = random.uniform(0.15, 0.85), random.uniform(0.25, 0.75), random.uniform(0.03, 0.12)
        image += 0.3 * np.exp(-((x - at_x) ** 2 + (y - at_y) ** 2) / radius**2)
    image += grain * random.standard_normal(image.shape)
    return np.asarray(np.clip(image, 0, 1) * 255, dtype=np.uint8)


def _stage(
    staging: Path, manifest: ModelManifest, *, files: dict[str, bytes],
    inputs: list[tuple[ReferenceAnswer, NDArray[np.uint8]]], code_root: Path,
) -> None:  # fmt: skip
    """Lay out what the Bento is made of: code, model folder and build file."""
    for pattern in CODE:
        for source in sorted(code_root.glob(pattern)):
            target = staging / source.relative_to(code_root)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
    folder = staging / "model"
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    (folder / MANIFEST_FILE).write_text(manifest.model_dump_json(indent=2) + "\n")
    for answer, pixels in inputs:
        np.save(folder / answer.file, pixels)
    packages = [f"{name}=={installed_version(name)}" for name in (*_PACKAGES, manifest.engine)]
    build = {
        "service": SERVICE,
        "name": manifest.task,
        "include": ["domain/", "infra/", "models/", "serving/", "model/"],
        "labels": {"task": manifest.task, "variant": manifest.variant, "weights_sha256": manifest.weights_sha256},
        # Unlocked: BentoML's lock would take PyTorch's CUDA wheels into account and needs the network.
        "python": {"packages": packages, "lock_packages": False},
    }
    (staging / "bentofile.yaml").write_text(yaml.safe_dump(build))


def _build(staging: Path, manifest: ModelManifest, *, bento_home: Path) -> None:
    """Build in a process of its own: BentoML imports the staged service, which must not meet modules loaded here."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    # Without uv BentoML would install it from PyPI, into the very environment that the bill of materials lists.
    environment |= process_environment() | {"BENTOML_HOME": str(bento_home), "PIP_NO_INDEX": "1"}
    command = [sys.executable, "-m", "bentoml", "build", "--version", str(manifest.version), "--output", "tag", "."]
    finished = subprocess.run(
        command, cwd=staging, env=environment, capture_output=True, text=True, timeout=_BUILD_TIMEOUT_S, check=False
    )
    if finished.returncode != 0:
        said = (finished.stderr or finished.stdout).strip().splitlines()
        raise Unavailable(
            f"BentoML could not build {manifest.model_version}: {said[-1] if said else 'no message'}",
            next_step="`fiducial doctor` checks the installation.",
        )


def _require_same(path: Path, manifest: ModelManifest) -> None:
    built = ModelManifest.model_validate_json((path / "src" / "model" / MANIFEST_FILE).read_bytes())
    if built != manifest:
        raise DigestMismatch(
            f"{manifest.model_version} was packaged before from something else.",
            next_step="A version never changes: register a new one.",
        )
