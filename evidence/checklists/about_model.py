"""What a report says of its model: use, identity, operating point, training record, environment."""

from evidence.checklists.words import digest, sentence
from evidence.record import ValidationReport


def intended_use(report: ValidationReport) -> str:
    """The statement, and that a demonstration model has no clinical use."""
    said = sentence(report.model.intended_use.statement)
    return f"{said} This version is a demonstration model, for no clinical use.".strip() if report.model.demo else said


def refused_inputs(report: ValidationReport) -> str:
    """Which images are refused; ``IntendedUse.refusals`` treats what is not stated as outside."""
    use = report.model.intended_use
    allowed = (("modality", use.modalities), ("body part", use.body_parts), ("view", use.view_positions))
    limits = [f"{name} {' or '.join(sorted(terms))}" for name, terms in allowed if terms]
    if use.min_age_years is not None:
        limits.append(f"age at least {use.min_age_years:g} years")
    if use.max_age_years is not None:
        limits.append(f"age at most {use.max_age_years:g} years")
    return f"An image is refused unless it states {', '.join(limits)}." if limits else ""


def identity(report: ValidationReport) -> str:
    """Which model, to the byte, and the code that holds its description."""
    found = report.provenance
    return (
        f"{report.model.model_version}, {found.parameters:,} parameters, model {digest(found.model_sha256)}, "
        f"weights {digest(found.weights_sha256)}; described by the code of {_commit(report)}."
    )


def finding(report: ValidationReport) -> str:
    """What is predicted, as a coded concept."""
    code = report.model.finding
    return f"Presence of {code.meaning} ({code.scheme_designator} {code.value}) in the image."


def operating_point(report: ValidationReport) -> str:
    """Threshold, rule, and the data it was chosen on; with a plan, that the rule was declared before."""
    point = report.model.operating_point
    said = f"Called present from a probability of {point.threshold:.4g}"
    if point.chosen_on == "not chosen":
        return f"{said}; the threshold was not chosen on data."
    said = f"{said}, chosen on the tuning data by the rule: {point.rule}."
    if report.planned is None:
        return said
    return f"{said} Declared in the plan: sensitivity of at least {report.planned.plan.min_sensitivity:g}."


def initialisation(report: ValidationReport) -> str:
    """The seed; empty when none is recorded."""
    seed = report.provenance.seed
    return "" if seed is None else f"Random seed {seed}; the record names no pre-trained weights."


def training_record(report: ValidationReport) -> str:
    """Where each detail of the training stands."""
    found = report.provenance
    seed = "" if found.seed is None else f", seed {found.seed}"
    return f"Tracked as MLflow run {found.run_id}{seed}, code of {_commit(report)}, on {found.dataset_version.name}."


def scoring(report: ValidationReport) -> str:
    """What computed the predictions: the bytes of the model."""
    found = report.provenance
    return f"Scored by the model file with {digest(found.model_sha256)} on {report.test.n:,} samples."


def software(report: ValidationReport) -> str:
    """Python, platform and the digest of the list of packages."""
    found = report.environment
    if found is None:
        return ""
    return (
        f"Python {found.python} on {found.platform}, {found.packages:,} packages listed in sbom.cdx.json, "
        f"{digest(found.sbom_sha256)}."
    )


def _commit(report: ValidationReport) -> str:
    found = report.provenance
    return f"commit {found.git_commit[:12]}{' with uncommitted changes' if found.git_dirty else ''}"
