"""Results in a line each, every number with its interval, n, split and versions."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from domain.acceptance import MetricValue
from domain.change_control import RegisteredPlan
from domain.dataset import DatasetVersion
from evidence.lineage import VerifiedLink

if TYPE_CHECKING:
    from evidence.record import ValidationReport
    from models.checkpoints import TrainedModel
    from monitoring.record import DriftRecord
    from pipelines.promotion import Promotion

_SHOWN = ("auroc", "sensitivity", "specificity")


def of_datasets(versions: Sequence[DatasetVersion]) -> list[str]:
    """One line for each dataset version."""
    return [_dataset(version) for version in versions]


def _dataset(version: DatasetVersion) -> str:
    splits = ", ".join(
        f"{split} {count['samples']:,} films of {count['patients']:,} patients"
        for split, count in version.counts.items()
        if count["samples"]
    )
    excluded = ", ".join(f"{count} {reason}" for reason, count in version.excluded.items() if count)
    return f"{version.name}: {splits}" + (f"; excluded: {excluded}" if excluded else "")


def of_plan(plan: RegisteredPlan) -> list[str]:
    """Which bytes decide what counts as good enough, and since when."""
    when = f"{plan.registered_at:%Y-%m-%d %H:%M:%S} UTC"
    return [f"plan {plan.sha256[:12]} of {plan.task}, registered by {plan.registered_by} at {when}"]


def of_training(trained: "Sequence[TrainedModel]") -> list[str]:
    """One line for each variant: its weights, and its AUROC on tuning data."""
    return [
        f"{model.variant}: weights {model.weights_sha256[:12]}, {model.parameters:,} parameters, "
        f"{model.seconds:.0f} s, " + ", ".join(_value(value) for value in model.tuning if value.name == "auroc")
        for model in trained
    ]


def of_validation(reports: "Sequence[ValidationReport]") -> list[str]:
    """For each variant its test figures, then each external set's AUROC and the difference to the baseline."""
    lines = []
    for report in reports:
        shown = [value for name in _SHOWN for value in report.test.metrics if value.name == name]
        lines.append(f"{report.model.variant}: " + "; ".join(_value(value) for value in shown))
        lines += [
            f"{report.model.variant}, another hospital (see its caveats): {_value(value)}"
            for outside in report.external
            for value in outside.metrics
            if value.name == "auroc"
        ]
    first = reports[0].comparison
    if first is not None:
        lines.append(f"{reports[0].model.variant} minus baseline: {_value(first.difference)}, p = {first.p_value:.2g}")
    return lines


def of_promotion(promotion: "Promotion") -> list[str]:
    """Who serves now, on which evidence, and who approved."""
    roles = {promotion.policy.champion: "champion"}
    roles |= {one.version: f"challenger, {one.share:.0%} of patients" for one in promotion.policy.challengers}
    roles |= dict.fromkeys(promotion.policy.shadows, "shadow")
    verdicts = [
        f"{manifest.model_version} ({manifest.variant}) is {roles[manifest.version]}; "
        + ", ".join(
            f"{result.criterion.metric} ≥ {result.criterion.lower_bound:g}: {'met' if result.met else 'missed'}"
            for result in manifest.criteria
        )
        for manifest in promotion.manifests
        if manifest.version in roles
    ]
    return [*verdicts, f"traffic policy {promotion.policy.policy_version}, approved by {promotion.approver}"]


def of_prediction(prediction: dict[str, Any]) -> list[str]:
    """What a prediction says, in the facade's words."""
    if prediction["state"] != "done":
        why = ", ".join(prediction.get("reasons", ())) or prediction.get("code", "")
        return [f"{prediction['prediction_id']}: {prediction['state']} {why}".rstrip()]
    mark = " DEMO, says nothing about a patient" if prediction["demo"] else ""
    figures = [
        _value(value)
        for raw in prediction["provenance"]["performance"]
        if (value := MetricValue.model_validate(raw)).name in _SHOWN
        and value.subgroup == "all"
        and value.split == "test"
    ]
    return [
        f"{prediction['prediction_id']}: {prediction['finding']['meaning']} {prediction['probability']:.3f}, threshold "
        f"{prediction['threshold']:.3f}: {prediction['decision']} ({prediction['model_version']}){mark}",
        *([f"that version on its test set: {'; '.join(figures)}"] if figures else []),
    ]


def of_trace(links: Sequence[VerifiedLink]) -> list[str]:
    """How many links were read and hashed again."""
    size = sum(found.size_bytes for found in links)
    kinds = " → ".join(dict.fromkeys(str(found.link.kind) for found in links))
    good = sum(found.status == "verified" for found in links)
    return [f"{good} of {len(links)} links read and hashed again, {size / 1e6:.1f} MB: {kinds}"]


def of_monitoring(found: "DriftRecord", *, report: Path) -> list[str]:
    """What was found, on which windows, and how often such a comparison errs."""
    drifted = [feature.feature for feature in found.data.features if feature.drifted]
    where = f"sites {', '.join(found.sites)}" if found.sites else "all sites"
    alarms = found.false_alarms
    return [
        f"data drift {'FOUND' if found.data.drifted else 'not found'} at {where}: {len(drifted)} of "
        f"{len(found.data.features)} features ({found.data.test}, α = {found.data.alpha:g}, current n = "
        f"{found.data.n_current}, reference n = {found.data.n_reference}, {found.dataset_version}, "
        f"{found.model_version})",
        f"prediction drift {'FOUND' if found.predictions.drifted else 'not found'}",
        f"false alarms on same-distribution windows: {alarms.value:.1%} ({alarms.level:.0%} CI {alarms.low:.1%}–"
        f"{alarms.high:.1%}, {alarms.n} resamples)",
        f"report: {report}",
    ]


def _value(value: MetricValue) -> str:
    return f"{value} on {value.split} of {value.dataset_version}"
