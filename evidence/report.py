"""The validation report: computed from scored sets, written as canonical JSON (whose SHA-256 a model version carries)
and as a page.

The page is drawn from the record alone, so what a person reads is what the digest covers; pictures of failures are the
one addition.
"""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path

from domain.acceptance import AcceptanceCriterion, judge
from domain.canonical import readable_json
from domain.errors import NotEstimable
from domain.identifiers import Sha256, sha256_of
from evidence.additions import Additions
from evidence.curves import roc_points
from evidence.page import render
from evidence.record import Comparison, Explanation, Provenance, ReportedModel, SetResults, ValidationReport
from evidence.results import area, at_threshold, metric, most_confident_errors, results_of
from evidence.scored_set import ScoredSet
from evidence.statistics import clustered, roc

LEVEL = 0.95


def build_report(  # noqa: PLR0913 - every part of a report, by keyword
    model: ReportedModel,
    *,
    provenance: Provenance,
    test: ScoredSet,
    baseline: ScoredSet | None = None,
    external: Sequence[ScoredSet] = (),
    tune: ScoredSet | None = None,
    criteria: Sequence[AcceptanceCriterion] = (),
    explanation: Explanation | None = None,
    additions: Additions | None = None,
) -> ValidationReport:
    """Everything the held-out test set says of one trained model, with external sets and the baseline beside it.

    ``additions``: what is known beside the scores; each part left out is named as missing on the page.

    Raises:
        OneClassOnly: the test set holds only one class.
        NotEstimable: the baseline was scored on other samples, or a criterion names a metric that was not measured.
    """
    threshold = model.operating_point.threshold
    roc.delong(
        test.labels, test.probabilities
    )  # a test set of one class proves nothing: refuse before anything is written
    results = results_of(test, threshold=threshold, level=LEVEL)
    missing = {c.metric for c in criteria} - {m.name for m in results.metrics}
    if missing:
        raise NotEstimable(f"No value was measured for the criteria on {', '.join(sorted(missing))}.")
    outside = tuple(results_of(scored, threshold=threshold, level=LEVEL) for scored in external)
    return ValidationReport(
        model=model,
        provenance=provenance,
        tuning=at_threshold(tune, threshold=threshold, level=LEVEL) if tune is not None else (),
        test=results,
        external=outside,
        comparison=compare_with(baseline, test) if baseline is not None else None,
        explanation=explanation,
        criteria=judge(tuple(criteria), results.metrics),
        failures=most_confident_errors(test, threshold=threshold),
        warnings=(*_warnings(model, provenance, results, outside), *_warnings_of_explanation(explanation)),
        **(additions or Additions()).parts(),
    )


def compare_with(baseline: ScoredSet, test: ScoredSet) -> Comparison:
    """The paired comparison of a model with the baseline on the same samples; patients, not samples, are independent.

    Raises:
        NotEstimable: the samples differ.
    """
    other = baseline.in_order_of(test)
    found = clustered.paired_difference(test.labels, test.probabilities, other, test.patient_keys, level=LEVEL)
    return Comparison(
        baseline_version=baseline.model_version,
        model_auroc=metric(test, "auroc", area(test, level=LEVEL)),
        baseline_auroc=metric(baseline, "auroc", area(baseline, level=LEVEL)),
        difference=metric(test, "auroc_difference", found.difference),
        p_value=found.p_value,
        baseline_roc=roc_points(baseline),
    )


def report_bytes(report: ValidationReport) -> bytes:
    """Canonical JSON: sorted keys, UTF-8, one trailing newline. The same report always gives the same bytes."""
    return readable_json(report.model_dump(mode="json"))


def write_report(report: ValidationReport, *, gallery: Mapping[str, bytes], folder: Path) -> Sha256:
    """Write ``report.json``, ``gallery.json`` and ``report.html`` to the folder; the digest is that of ``report.json``.

    ``gallery`` maps the ``sample_id`` of a failure to its picture as PNG bytes; a failure without one is listed
    without. The page can be drawn again from the two JSON files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    data = report_bytes(report)
    digest = sha256_of(data)
    (folder / "report.json").write_bytes(data)
    pictures = {sample_id: base64.b64encode(png).decode() for sample_id, png in gallery.items()}
    (folder / "gallery.json").write_bytes(readable_json(pictures))
    (folder / "report.html").write_text(render(report, report_sha256=digest, gallery=gallery), encoding="utf-8")
    return digest


def _warnings(
    model: ReportedModel, provenance: Provenance, test: SetResults, external: tuple[SetResults, ...]
) -> tuple[str, ...]:
    """What a reader must know before believing a number."""
    said = []
    if model.demo:
        said.append("Demonstration model: not validated for any clinical use.")
    if test.dataset_version.synthetic:
        said.append("The test images are synthetic; these numbers say nothing about patients.")
    said += [
        f"The external images of {s.dataset_version.name} are synthetic."
        for s in external
        if s.dataset_version.synthetic
    ]
    if provenance.git_dirty:
        said.append(
            "The code had uncommitted changes when this model was trained; the commit alone does not reproduce it."
        )
    if provenance.dataset_version.digest != test.dataset_version.digest:
        said.append(f"Trained on {provenance.dataset_version.name}, tested on {test.dataset_version.name}.")
    if model.operating_point.chosen_on == "not chosen":
        said.append("The threshold was not chosen on tuning data.")
    return tuple(said)


def _warnings_of_explanation(explanation: Explanation | None) -> tuple[str, ...]:
    if explanation is None or explanation.beats_chance:
        return ()
    return ("The activation map meets the known opacities no better than chance: it explains nothing.",)
