"""Validation: the exported model, the very bytes that will serve, on test data it has never seen."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from domain.dataset import DatasetVersion, SourceCard
from domain.errors import DataProblem
from evidence.planned_limits import Rival
from evidence.record import Explanation, Provenance, ReportedModel, ValidationReport
from evidence.report import LEVEL, build_report, write_report
from evidence.results import metric
from evidence.sbom import Package, installed, sbom_bytes
from evidence.scored_set import NOT_STATED, ScoredSet, age_band
from evidence.uncertainty import JudgedSet, uncertainty_of
from evidence.uncertainty_record import UncertaintyResults
from models import candidates, explanation, loaders
from models import checkpoints as kept
from models.checkpoints import TrainedModel
from models.engine_report import confirmed
from models.explanation import Opacity
from models.measures import measure, scored_champion
from models.planned import Fixed, Planned, additions_of, completed, environment
from models.scoring import Scored, failure_pictures, score_cohorts, write_predictions
from models.task import Task
from models.tracking import Tracking

logger = logging.getLogger(__name__)
SBOM_FILE = "sbom.cdx.json"


@dataclass(frozen=True)
class Folders:
    """Where a validation reads and writes: prepared sources, and the task's own folders."""

    prepared: Path
    external: Sequence[Path]
    champion: Path  # as ``models.champion.lay_out`` wrote it
    checkpoints: Path
    reports: Path
    predictions: Path


def validate_task(
    task: Task, *, planned: Planned, folders: Folders, tracking: Tracking, cards: Mapping[str, SourceCard]
) -> tuple[ValidationReport, ...]:
    """Open the test set for each trained variant, score it on tuning, test and external data, and write its report and
    its table of predictions. ``cards``: of each source.

    Raises:
        DataProblem: nothing was trained, it was trained on another dataset version, or the champion's folder is empty.
        DigestMismatch: a model is not the one its record names.
        PlanNotRegistered: the plan is not registered: nothing is scored.
    """
    variants = _variants(folders)
    planned = planned.opened(variants, [loaders.dataset_version(folder) for folder in folders.external])
    packages = _bill_of_materials(folders)
    champion = scored_champion(folders.champion, task=task.name, prepared=folders.prepared)
    prepared, external = folders.prepared, folders.external
    scored = score_cohorts(variants, checkpoints=folders.checkpoints, prepared=prepared, external=external)
    baseline = next((trained for trained in variants if trained.kind == "baseline"), None)
    fixed = Fixed.of(prepared, external, cards=cards, environment=environment(packages), leakage=planned.leakage)
    validated = []
    for trained in variants:
        tune, test, *outside = (_scored_set(part, trained, cards) for part in scored[trained.variant])
        of_test, rival = scored[trained.variant][1], _rival(baseline, trained, scored)
        variant = folders.checkpoints / trained.variant
        model, full = (variant / kept.MODEL_FILE).read_bytes(), candidates.read(variant, trained)
        measured = measure(trained, model=model, full=full, part=of_test, test=test, baseline=rival, champion=champion)
        additions = replace(
            additions_of(task, trained, test=test, planned=planned, measured=measured, fixed=fixed),
            uncertainty=_uncertainty(trained, [test, *outside], scored[trained.variant][1:]),
            engine=confirmed(task, trained, folder=variant, cohort=of_test.cohort, test=test),
        )
        opacities = explanation.known_opacities(folders.prepared)
        report = build_report(
            _described(task, trained),
            provenance=_provenance(trained),
            tune=tune,
            test=test,
            external=outside,
            baseline=rival.scored if rival is not None else None,
            explanation=_explained(of_test, test, opacities) if trained.explains else None,
            additions=additions,
        )
        report = completed(report, measured)
        _keep(report, scored[trained.variant], trained, folders)
        _log(report, trained.run_id, folders.reports / trained.variant, tracking)
        validated.append(report)
    return tuple(validated)


def _keep(report: ValidationReport, parts: Sequence[Scored], trained: TrainedModel, folders: Folders) -> None:
    pictures = failure_pictures([failure.sample_id for failure in report.failures], parts[1])
    write_report(report, gallery=pictures, folder=folders.reports / trained.variant)
    write_predictions(parts, trained, folders.predictions / f"{trained.variant}.parquet")


def _bill_of_materials(folders: Folders) -> tuple[Package, ...]:
    """What is installed, written beside the reports that name its digest."""
    packages = installed()
    folders.reports.mkdir(parents=True, exist_ok=True)
    (folders.reports / SBOM_FILE).write_bytes(sbom_bytes(packages))
    return packages


def _variants(folders: Folders) -> list[TrainedModel]:
    version: DatasetVersion = loaders.dataset_version(folders.prepared)
    variants = [TrainedModel.load(folders.checkpoints / name) for name in kept.variants(folders.checkpoints)]
    if not variants or any(trained.dataset_version.digest != version.digest for trained in variants):
        raise DataProblem(f"No model was trained on {version.name}.", next_step="Train the task first.")
    return variants


def _rival(
    baseline: TrainedModel | None, trained: TrainedModel, scored: Mapping[str, tuple[Scored, ...]]
) -> Rival | None:
    """The baseline's scores of the test set, unless the baseline itself is reported."""
    if baseline is None or baseline.variant == trained.variant:
        return None
    return Rival(_scored_set(scored[baseline.variant][1], baseline, {}), baseline.operating_point.threshold)


def _scored_set(part: Scored, trained: TrainedModel, cards: Mapping[str, SourceCard]) -> ScoredSet:
    samples = part.cohort.samples
    return ScoredSet(
        dataset_version=part.cohort.dataset_version,
        split=part.split,
        model_version=f"{trained.task}/{trained.variant}",
        sample_ids=tuple(sample.sample_id for sample in samples),
        patient_keys=tuple(sample.patient_key for sample in samples),
        labels=part.cohort.labels,
        probabilities=part.probabilities,
        subgroups={
            "subtype": tuple(sample.subtype or NOT_STATED for sample in samples),
            "site": tuple(sample.site for sample in samples),
            "view": tuple(sample.view_position or NOT_STATED for sample in samples),
            "sex": tuple(sample.sex or NOT_STATED for sample in samples),
            "age": tuple(age_band(sample.age_years) for sample in samples),
        },
        known_flaws=cards[source].known_flaws if (source := part.cohort.dataset_version.source) in cards else (),
    )


def _uncertainty(trained: TrainedModel, sets: Sequence[ScoredSet], parts: Sequence[Scored]) -> UncertaintyResults:
    return uncertainty_of(
        [JudgedSet(scored, part.scores) for scored, part in zip(sets, parts, strict=True)],
        conformal=trained.conformal,
        out_of_distribution=trained.out_of_distribution,
        not_fitted=trained.uncertainty_not_fitted,
        threshold=trained.operating_point.threshold,
        level=LEVEL,
    )


def _explained(part: Scored, test: ScoredSet, opacities: Mapping[str, Sequence[Opacity]]) -> Explanation | None:
    """The pointing game on the test films whose opacities the source knows; ``None`` where it knows of none."""
    played = {
        sample.sample_id: (sample, score.activation_map)
        for sample, score in zip(part.cohort.samples, part.scores, strict=True)
        if sample.sample_id in opacities and score.activation_map is not None
    }
    if len(played) < 2:
        return None
    game = explanation.pointing_game(
        {
            name: explanation.peak_px(activation_map, rows=sample.rows, columns=sample.columns)
            for name, (sample, activation_map) in played.items()
        },
        opacities,
        sizes={name: (sample.rows, sample.columns) for name, (sample, _) in played.items()},
    )
    return Explanation(
        hits=game.hits,
        share=metric(test, "pointing_game", game.share),
        chance_elsewhere=game.chance_elsewhere,
        chance_area=game.chance_area,
    )


def _described(task: Task, trained: TrainedModel) -> ReportedModel:
    return ReportedModel(
        task=task.name,
        title=task.title,
        variant=trained.variant,
        model_version=f"{trained.task}/{trained.variant}",
        demo=trained.dataset_version.synthetic,
        intended_use=task.intended_use,
        finding=task.finding,
        operating_point=trained.operating_point,
        preprocessing=trained.preprocessing,
    )


def _provenance(trained: TrainedModel) -> Provenance:
    return Provenance(
        run_id=trained.run_id,
        git_commit=trained.git_commit,
        git_dirty=trained.git_dirty,
        weights_sha256=trained.weights_sha256,
        model_sha256=trained.model_sha256,
        parameters=trained.parameters,
        seed=trained.seed,
        dataset_version=trained.dataset_version,
    )


def _log(report: ValidationReport, run_id: str, folder: Path, tracking: Tracking) -> None:
    at_ms = time.time_ns() // 1_000_000
    tracking.log_values(run_id, report.test.metrics, prefix="test", at_ms=at_ms)
    tracking.log_dataset(run_id, report.test.dataset_version, context="test")
    if report.explanation is not None:
        tracking.log_values(run_id, [report.explanation.share], prefix="test", at_ms=at_ms)
        chances = report.explanation.model_dump(include={"chance_elsewhere", "chance_area"})
        levels = {f"test.pointing_game.{name}": value for name, value in chances.items()}
        tracking.log_step(run_id, levels, step=0, at_ms=at_ms)
    for outside in report.external:
        source = outside.dataset_version.source
        tracking.log_values(run_id, outside.metrics, prefix=f"external.{source}", at_ms=at_ms)
        tracking.log_dataset(run_id, outside.dataset_version, context=f"external.{source}")
    tracking.log_folder(run_id, folder, to="validation")
    auroc = next(value for value in report.test.metrics if value.name == "auroc")
    logger.info("%s on test data: %s", report.model.variant, auroc)
