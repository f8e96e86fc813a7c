"""Training: networks side by side, one per seed, and the baseline; each a tracked run, each ready to be validated."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from domain.acceptance import MetricValue
from domain.dataset import Split
from domain.identifiers import Sha256, sha256_of
from evidence.statistics.operating_point import choose_threshold
from models import (
    baseline,
    calibration,
    candidates,
    checkpoints,
    engine_choice,
    export,
    fitting,
    loaders,
    metrics,
    preprocess,
    torch_engine,
    uncertainty_fit,
)
from models.checkpoints import EpochRecord, ProbabilityScale, TrainedModel
from models.engine_choice import Chosen, Exported, Named
from models.loaders import Cohort
from models.processes import cores, run_side_by_side
from models.runs import Runs, code_digest, identity
from models.task import Preset, Task
from models.tracking import ENVIRONMENT_FILE, Tracking, environment

logger = logging.getLogger(__name__)
Report = Callable[[EpochRecord], None]
_SHARED = ("preset", "preprocessing", "min_sensitivity", "conformal_coverage")  # parameters of both kinds


class Job(BaseModel):
    """One variant to train: all that its process needs to know."""

    model_config = ConfigDict(frozen=True)

    task: Task
    preset_name: str
    seed: int | None  # None: the baseline
    prepared: Path
    folder: Path  # of the variant's results
    progress: Path  # where an interrupted training stood
    run_id: str
    git_commit: str
    git_dirty: bool
    as_recorded: Named | None = None  # engine and precision of a version that is reproduced

    @property
    def preset(self) -> Preset:
        """How much computing it may spend."""
        return self.task.preset(self.preset_name)

    @property
    def variant(self) -> str:
        """The name of what is trained."""
        return variant_name(self.seed)

    @property
    def name(self) -> str:
        """How its numbers are signed: it has no number before it is registered."""
        return f"{self.task.name}/{self.variant}"


@dataclass(frozen=True)
class Fitted:
    """What a network and a baseline have in common once they are fitted, exported and given an engine."""

    chosen: Chosen
    weights_sha256: Sha256
    parameters: int
    scale: ProbabilityScale | None
    history: tuple[EpochRecord, ...]
    best_epoch: int | None


def variant_name(seed: int | None) -> str:
    """``network-seed<n>`` or ``baseline``."""
    return "baseline" if seed is None else f"network-seed{seed}"


def train_task(  # noqa: PLR0913 - every input of the stage, by keyword
    task: Task, *, prepared: Path, out: Path, preset: str, seeds: Sequence[int], tracking: Tracking, resume: Path,
    git_commit: str, git_dirty: bool, as_recorded: Mapping[str, Named] | None = None,
) -> tuple[TrainedModel, ...]:  # fmt: skip
    """Train one network per seed and the baseline into ``out/<variant>``; each is a finished run in MLflow.

    An interrupted call, repeated with the same arguments and the same code, continues after the last finished epoch and
    ends with the weights it would have had without the interruption. What that needs lies in ``resume`` until the end;
    meanwhile MLflow says of each run that it failed or was killed. ``as_recorded``: by variant, the engine not to be
    chosen but repeated.
    """
    version, code = loaders.dataset_version(prepared), code_digest()
    with Runs(tracking) as runs:
        jobs = []
        for seed in (*seeds, None):
            variant, parameters = variant_name(seed), _parameters(task, preset, seed)
            progress = resume / identity(parameters, version, git_commit=git_commit, code=code) / "progress.pt"
            tags = {"task": task.name, "variant": variant, "git.commit": git_commit, "git.dirty": str(git_dirty)}
            run_id = runs.take_up(progress, experiment=task.name, tags=tags)
            tracking.log_parameters(run_id, parameters)
            tracking.log_dataset(run_id, version, context="training")
            jobs.append(
                Job(
                    task=task, preset_name=preset, seed=seed, prepared=prepared, folder=out / variant,
                    progress=progress, run_id=run_id, git_commit=git_commit, git_dirty=git_dirty,
                    as_recorded=(as_recorded or {}).get(variant),
                )
            )  # fmt: skip
        trained = {job.variant: model for job, model in _results(jobs, runs)}
    in_order = tuple(trained[job.variant] for job in jobs)
    checkpoints.write_runs(out, in_order)
    return in_order


def train_variant(job: Job, report: Report) -> TrainedModel:
    """Fit, calibrate, export, choose an engine and describe one variant; write its models and ``training.json``."""
    began = time.monotonic()
    train, tune = (
        loaders.load(job.prepared, split, preprocessing=job.preset.preprocessing) for split in (Split.TRAIN, Split.TUNE)
    )
    job.folder.mkdir(parents=True, exist_ok=True)
    fitted = _fit_baseline(job, train, tune) if job.seed is None else _fit_network(job, job.seed, train, tune, report)
    chosen, probabilities = fitted.chosen, fitted.chosen.probabilities
    point = choose_threshold(tune.labels, probabilities, min_sensitivity=job.task.min_sensitivity)
    served = chosen.scorer(job.preset.preprocessing)
    sure = uncertainty_fit.fit(served, train, tune, task=job.task, learnt_features=job.seed is not None)
    trained = TrainedModel(
        task=job.task.name,
        variant=job.variant,
        kind="baseline" if job.seed is None else "network",
        preset=job.preset_name,
        seed=job.seed,
        run_id=job.run_id,
        preprocessing=job.preset.preprocessing,
        explains=job.seed is not None,
        parameters=fitted.parameters,
        weights_sha256=fitted.weights_sha256,
        model_sha256=sha256_of(chosen.model),
        calibration=fitted.scale,
        operating_point=point,
        parity=chosen.parity,
        engine_choice=chosen.choice,
        **sure.recorded(),
        tuning=_on_tuning_data(job, tune, probabilities, threshold=point.threshold),
        history=fitted.history,
        best_epoch=fitted.best_epoch,
        dataset_version=tune.dataset_version,
        git_commit=job.git_commit,
        git_dirty=job.git_dirty,
        seconds=time.monotonic() - began,
    )
    candidates.write(job.folder, chosen.files, serves=chosen.model)
    sure.write(job.folder)
    trained.save(job.folder)
    return trained


def _on_tuning_data(
    job: Job, tune: Cohort, probabilities: NDArray[np.float64], *, threshold: float
) -> tuple[MetricValue, ...]:
    return metrics.on_tuning_data(
        tune.labels,
        probabilities,
        threshold=threshold,
        dataset_version=tune.dataset_version.name,
        model_version=job.name,
    )


def _fit_network(job: Job, seed: int, train: Cohort, tune: Cohort, report: Report) -> Fitted:
    learner = fitting.fit(job.task, job.preset, seed=seed, train=train, tune=tune, progress=job.progress, report=report)
    inputs = preprocess.normalise(tune.grey[:, np.newaxis], job.preset.preprocessing)
    logits = learner.logits(inputs)
    scale = calibration.fit(logits, tune.labels, fitted_on=f"{tune.dataset_version.name} tune")
    network = learner.average.module
    exported = Exported(
        files=engine_choice.with_int8(
            export.network_to_onnx(network, calibration=scale, size_px=inputs.shape[-1]), tune.samples, inputs
        ),
        weights_sha256=checkpoints.state_digest(network.state_dict()),
        against="torch",
        runner=partial(torch_engine.runner, network, scale=scale),
    )
    trained = calibration.logistic(scale.slope * logits + scale.intercept)
    checkpoints.save_weights(network.state_dict(), job.folder / checkpoints.WEIGHTS_FILE)
    return Fitted(
        chosen=engine_choice.choose(
            exported, trained, tune=tune, inputs=inputs, model_version=job.name, as_recorded=job.as_recorded
        ),
        weights_sha256=exported.weights_sha256,
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        scale=scale,
        history=tuple(learner.history),
        best_epoch=learner.best_epoch,
    )


def _fit_baseline(job: Job, train: Cohort, tune: Cohort) -> Fitted:
    spec = job.preset.preprocessing
    inputs, tuning = (preprocess.normalise(cohort.grey[:, np.newaxis], spec) for cohort in (train, tune))
    fitted = baseline.fit(inputs, train.labels, tuning=tuning, grid_px=job.preset.baseline_grid_px)
    exported = Exported(
        files={"fp32": fitted.model},
        weights_sha256=checkpoints.weights_digest(fitted.weights),
        against="scikit-learn",
        runner=None,
    )
    np.savez(job.folder / checkpoints.BASELINE_WEIGHTS_FILE, allow_pickle=False, **fitted.weights)
    return Fitted(
        chosen=engine_choice.choose(
            exported,
            fitted.tuning_probabilities,
            tune=tune,
            inputs=tuning,
            model_version=job.name,
            as_recorded=job.as_recorded,
        ),
        weights_sha256=exported.weights_sha256,
        parameters=fitted.parameters,
        scale=None,
        history=(),
        best_epoch=None,
    )


def _results(jobs: Sequence[Job], runs: Runs) -> list[tuple[Job, TrainedModel]]:
    """Train every job, logging epochs as they end; one network alone needs no process of its own."""

    def on_epoch(job: Job, record: EpochRecord) -> None:
        logger.info(
            "%s epoch %d/%d: loss %.4f, tuning AUROC %.4f (%.0f s)",
            job.variant, record.epoch, job.preset.epochs, record.loss, record.tuning_auroc, record.seconds,
        )  # fmt: skip
        values = record.model_dump(exclude={"epoch"})
        runs.tracking.log_step(job.run_id, values, step=record.epoch, at_ms=_now_ms())

    if len(jobs) > 2 and cores() > 1:
        # One more than cores: the baseline is short and should not wait for a network to end.
        finished = run_side_by_side(train_variant, jobs, at_once=cores() + 1, on_report=on_epoch)
    else:
        finished = ((job, train_variant(job, partial(on_epoch, job))) for job in jobs)
    results = []
    for job, trained in finished:
        _log_result(job, trained, runs.tracking)
        runs.finish(job.run_id, progress=job.progress)
        results.append((job, trained))
    return results


def _log_result(job: Job, trained: TrainedModel, tracking: Tracking) -> None:
    tracking.log_values(job.run_id, trained.tuning, prefix="tune", at_ms=_now_ms())
    tracking.log_step(job.run_id, {"training_seconds": trained.seconds}, step=0, at_ms=_now_ms())
    tracking.set_tags(
        job.run_id,
        {
            "weights.sha256": trained.weights_sha256,
            "model.sha256": trained.model_sha256,
            "variant": job.variant,
            "engine": trained.engine,
            "precision": trained.precision,
        },
    )
    tracking.log_text(job.run_id, environment(), to=ENVIRONMENT_FILE)
    tracking.log_folder(job.run_id, job.folder, to="checkpoint")
    tracking.log_model(job.run_id, (job.folder / checkpoints.MODEL_FILE).read_bytes(), engine=trained.engine)
    logger.info("%s trained: %s", job.variant, "; ".join(str(value) for value in trained.tuning))


def _parameters(task: Task, preset: str, seed: int | None) -> dict[str, Any]:
    """What decides this variant, and nothing that decides only the other kind."""
    everything = task.parameters(preset)
    grid_px = everything.pop("baseline_grid_px")
    if seed is not None:
        return everything | {"seed": seed}
    shared = {name: value for name, value in everything.items() if name.split(".")[0] in _SHARED}
    return shared | {f"baseline.{name}": value for name, value in (baseline.PARAMETERS | {"grid_px": grid_px}).items()}


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
