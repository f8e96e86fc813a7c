"""A validation report states its evidence, refuses what it cannot know, and always gives the same bytes."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from domain.acceptance import at_least
from domain.dataset import Split
from domain.errors import NotEstimable, OneClassOnly
from domain.identifiers import sha256_of
from evidence.record import Explanation, Provenance, ReportedModel, ValidationReport
from evidence.report import build_report, report_bytes, write_report
from evidence.results import MIN_PER_SUBGROUP, metric
from evidence.scored_set import NOT_STATED, ScoredSet, age_band
from evidence.statistics import clustered, operating_point, roc

PNG = bytes.fromhex("89504e470d0a1a0a0000000d4948445200000001000000010800000000")


def metric_values(value: Any) -> Iterator[dict[str, Any]]:
    """Every metric value anywhere in a report's JSON."""
    if isinstance(value, dict):
        if {"name", "value", "method"} <= value.keys():
            yield value
        for part in value.values():
            yield from metric_values(part)
    elif isinstance(value, list):
        for part in value:
            yield from metric_values(part)


def test_every_number_has_interval_n_split_dataset_and_model_version(report: ValidationReport) -> None:
    values = list(metric_values(json.loads(report_bytes(report))))
    assert len(values) > 30
    for value in values:
        low, high = value["interval"]
        assert low <= value["value"] <= high, value["name"]
        assert value["n"] > 0
        assert value["dataset_version"].count("@") == 1
        assert value["model_version"].startswith("chest_xray_pneumonia/")
        assert value["split"] in ("test", "tune", "external")


def test_numbers_are_those_of_the_statistics(report: ValidationReport, scored: Callable[..., ScoredSet]) -> None:
    test = scored()
    found = {value.name: value for value in report.test.metrics}
    assert found["auroc"].value == roc.auroc(test.labels, test.probabilities).value
    counts = operating_point.confusion(test.labels, test.probabilities, threshold=0.4)
    assert found["sensitivity"].interval == (
        operating_point.sensitivity(counts).low,
        operating_point.sensitivity(counts).high,
    )
    assert report.test.counts.true_positives == counts.true_positives
    assert (report.test.n, report.test.patients, report.test.positives) == (240, 160, 120)


def test_criteria_are_judged_on_the_lower_bound(report: ValidationReport) -> None:
    assert [result.met for result in report.criteria] == [True, False]
    assert not report.criteria_met


def test_a_report_without_criteria_does_not_count_as_passed(
    scored: Callable[..., ScoredSet], reported: ReportedModel, provenance: Provenance
) -> None:
    assert not build_report(reported, provenance=provenance, test=scored()).criteria_met


def test_a_criterion_on_something_unmeasured_is_refused(
    scored: Callable[..., ScoredSet], reported: ReportedModel, provenance: Provenance
) -> None:
    criteria = [at_least("dice", lower_bound=0.9)]
    with pytest.raises(NotEstimable, match="dice"):
        build_report(reported, provenance=provenance, test=scored(), criteria=criteria)


def test_a_test_set_of_one_class_is_refused(
    scored: Callable[..., ScoredSet], reported: ReportedModel, provenance: Provenance
) -> None:
    with pytest.raises(OneClassOnly):
        build_report(reported, provenance=provenance, test=scored(labels=np.ones(240, dtype=int)))


def test_an_external_set_of_one_class_keeps_what_can_be_known(
    scored: Callable[..., ScoredSet], reported: ReportedModel, provenance: Provenance
) -> None:
    outside = scored(source="nih_chest_xray", labels=np.zeros(240, dtype=int), split="external")
    results = build_report(reported, provenance=provenance, test=scored(), external=[outside]).external[0]
    assert {value.name for value in results.metrics} >= {"specificity", "brier"}
    assert "auroc" in results.not_estimated
    assert results.roc == ()


def test_several_films_of_a_patient_widen_the_intervals_and_the_method_says_so(
    scored: Callable[..., ScoredSet], reported: ReportedModel, provenance: Provenance
) -> None:
    once = scored(patient_keys=tuple(f"p{i:04d}" for i in range(240)))
    twin = scored(
        labels=np.repeat(once.labels[:120], 2),
        probabilities=np.repeat(once.probabilities[:120], 2),
        patient_keys=tuple(f"p{i // 2:04d}" for i in range(240)),
        subgroups={},
    )
    alone = replace(twin, patient_keys=once.patient_keys)
    found, naive = (
        {m.name: m for m in build_report(reported, provenance=provenance, test=one).test.metrics}
        for one in (twin, alone)
    )
    clustered_methods = {
        "auroc": "Obuchowski", "sensitivity": "clustered", "specificity": "clustered", "brier": "clustered",
        "calibration_slope": "clustered", "calibration_in_the_large": "clustered",
        "expected_calibration_error": "clusters",
    }  # fmt: skip
    for name, method in clustered_methods.items():
        widths = [m[name].interval[1] - m[name].interval[0] for m in (found, naive)]
        # A line's textbook variance believes in the line; the robust one does not, so the two differ in more than this.
        assert widths[0] > (1.0 if name.startswith("calibration_") else 1.2) * widths[1], name
        assert method in found[name].method
        assert method not in naive[name].method
    assert naive["auroc"].method == "DeLong, logit"


def test_baseline_is_compared_on_the_same_samples_whatever_their_order(
    scored: Callable[..., ScoredSet], reported: ReportedModel, provenance: Provenance
) -> None:
    test, other = scored(), scored(seed=3, model_version="chest_xray_pneumonia/baseline")
    backwards = replace(
        other,
        sample_ids=other.sample_ids[::-1],
        patient_keys=other.patient_keys[::-1],
        labels=other.labels[::-1],
        probabilities=other.probabilities[::-1],
        subgroups={},
    )
    one = build_report(reported, provenance=provenance, test=test, baseline=other).comparison
    same = build_report(reported, provenance=provenance, test=test, baseline=backwards).comparison
    assert one is not None
    assert one == same
    expected = clustered.paired_difference(test.labels, test.probabilities, other.probabilities, test.patient_keys)
    assert (one.difference.value, one.p_value) == (expected.difference.value, expected.p_value)
    with pytest.raises(NotEstimable, match="same samples"):
        build_report(reported, provenance=provenance, test=test, baseline=scored(n=238))


def test_small_strata_are_refused_and_say_so(report: ValidationReport) -> None:
    strata = {(s.group, s.value): s for s in report.test.subgroups}
    small = strata["sex", NOT_STATED]
    assert small.metrics == ()
    assert small.not_estimated["auroc"] == f"refused: 3 of {MIN_PER_SUBGROUP} needed"
    assert {value.name for value in strata["sex", "F"].metrics} == {"auroc", "sensitivity", "specificity"}


def test_a_subtype_is_measured_against_every_sample_without_the_finding(report: ValidationReport) -> None:
    subtypes = {s.value: s for s in report.test.subgroups if s.group == "subtype"}
    assert set(subtypes) == {"bacteria", "virus"}
    assert sum(s.positives for s in subtypes.values()) == 120
    assert all(s.n - s.positives == 120 for s in subtypes.values())


def test_failures_are_the_wrong_answers_farthest_from_the_threshold(
    report: ValidationReport, scored: Callable[..., ScoredSet]
) -> None:
    test = scored()
    missed = [f for f in report.failures if f.finding_present]
    assert [f.probability for f in missed] == sorted(f.probability for f in missed)
    assert missed[0].probability == test.probabilities[test.labels == 1].min() < 0.4
    alarms = [f for f in report.failures if not f.finding_present]
    assert alarms[0].probability == test.probabilities[test.labels == 0].max() >= 0.4


def test_warnings_name_demo_synthetic_images_uncommitted_code_and_other_training_data(
    scored: Callable[..., ScoredSet],
    reported: ReportedModel,
    provenance: Provenance,
    dataset_version: Callable[..., Any],
) -> None:
    said = build_report(
        reported.model_copy(update={"demo": True}),
        provenance=provenance.model_copy(update={"git_dirty": True}),
        test=scored(dataset_version=dataset_version("phantom_chest", synthetic=True)),
    ).warnings
    text = "\n".join(said)
    for word in ("Demonstration", "synthetic", "uncommitted", "Trained on kermany"):
        assert word in text
    alone = scored(patient_keys=tuple(f"p{i}" for i in range(240)))
    assert build_report(reported, provenance=provenance, test=alone).warnings == ()


def test_the_same_report_has_the_same_bytes_in_every_process(report: ValidationReport, tmp_path: Path) -> None:
    # Sets are ordered by a hash that changes with each process: the digest must not.
    data = report_bytes(report)
    (tmp_path / "report.json").write_bytes(data)
    again = (
        "import sys, pathlib; from evidence.record import ValidationReport; from evidence.report import report_bytes; "
        "r = ValidationReport.model_validate_json(pathlib.Path(sys.argv[1]).read_bytes()); "
        "sys.stdout.buffer.write(report_bytes(r))"
    )
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(Path.cwd())}
        found = subprocess.run(
            [sys.executable, "-c", again, str(tmp_path / "report.json")],
            env=environment,
            capture_output=True,
            check=True,
        )
        assert found.stdout == data


def test_written_folder_holds_record_and_page_and_the_digest_is_the_records(
    report: ValidationReport, tmp_path: Path
) -> None:
    pictured = report.failures[0].sample_id
    digest = write_report(report, gallery={pictured: PNG}, folder=tmp_path / "new" / "reports")
    data = (tmp_path / "new" / "reports" / "report.json").read_bytes()
    assert digest == sha256_of(data)
    assert ValidationReport.model_validate_json(data) == report
    page = (tmp_path / "new" / "reports" / "report.html").read_text()
    assert digest in page
    assert page.count("data:image/png;base64,") == 1


def test_the_page_loads_nothing_and_shows_every_headline_number(report: ValidationReport, tmp_path: Path) -> None:
    write_report(report, gallery={}, folder=tmp_path)
    page = (tmp_path / "report.html").read_text()
    assert "<script" not in page
    assert " src=" not in page
    assert page.count("href=") == page.count('href="#') > 0
    assert "://" not in page.replace("http://www.w3.org/2000/svg", "")
    for value in report.test.metrics:
        assert f"{value.value:.3f}".replace("-", "−") in page
    for words in (
        "labels are text-mined",
        report.provenance.git_commit,
        report.model.operating_point.rule,
        "missed by",
    ):
        assert words in page


def _page(report: ValidationReport, folder: Path) -> str:
    write_report(report, gallery={}, folder=folder)
    return (folder / "report.html").read_text()


def test_the_page_claims_no_more_of_the_test_set_than_is_held(
    report: ValidationReport, reported: ReportedModel, tmp_path: Path
) -> None:
    page = _page(report, tmp_path)
    assert "scored once" not in page
    assert "one pass over the test set" in page
    assert "it chose on tuning data" in page
    assert "Whether this test set was looked at before, for this version or for another, is not recorded" in page
    point = reported.operating_point.model_copy(update={"chosen_on": "not chosen"})
    unchosen = report.model_copy(update={"model": reported.model_copy(update={"operating_point": point})})
    assert "it chose on tuning data" not in _page(unchosen, tmp_path)


@pytest.mark.parametrize(
    ("hits", "elsewhere", "area", "better"),
    [(60, 0.2, 0.05, True), (60, 0.6, 0.05, False), (60, 0.2, 0.6, False), (15, 0.2, 0.05, False)],
)
def test_an_explanation_is_shown_with_its_interval_beside_chance_and_one_that_does_not_beat_it_is_a_warning(
    hits: int, elsewhere: float, area: float, better: bool, scored: Callable[..., ScoredSet],
    reported: ReportedModel, provenance: Provenance, tmp_path: Path,
) -> None:  # fmt: skip
    test = scored()
    share = metric(test, "pointing_game", operating_point.wilson(hits, 100, positives=100))
    explanation = Explanation(hits=hits, share=share, chance_elsewhere=elsewhere, chance_area=area)
    report = build_report(reported, provenance=provenance, test=test, explanation=explanation)
    page = _page(report, tmp_path)
    assert f"{hits} of 100" in page
    assert f'{share.value:.3f} <span class="note ci">({share.interval[0]:.3f}–{share.interval[1]:.3f})' in page
    assert f"<td>{elsewhere:.3f}</td>" in page
    assert f"<td>{area:.3f}</td>" in page
    assert ("✓ better than chance" in page) is better
    assert any("no better than chance" in warning for warning in report.warnings) is not better


def test_a_report_without_an_explanation_says_so(report: ValidationReport, tmp_path: Path) -> None:
    assert report.explanation is None
    assert "Not measured: the model gives no activation map" in _page(report, tmp_path)


def test_words_from_a_source_cannot_become_markup(
    scored: Callable[..., ScoredSet], reported: ReportedModel, provenance: Provenance, tmp_path: Path
) -> None:
    hostile = scored(known_flaws=("<script>alert(1)</script>",), subgroups={"site": ("<b>x</b>",) * 240})
    write_report(build_report(reported, provenance=provenance, test=hostile), gallery={}, folder=tmp_path)
    page = (tmp_path / "report.html").read_text()
    assert "<script>" not in page
    assert "<b>x</b>" not in page


def test_a_perfect_and_a_hopeless_model_still_have_a_report(
    scored: Callable[..., ScoredSet], reported: ReportedModel, provenance: Provenance, tmp_path: Path
) -> None:
    labels = np.arange(240) % 2
    for probabilities in (labels * 0.9 + 0.05, np.full(240, 0.5)):
        report = build_report(reported, provenance=provenance, test=scored(probabilities=probabilities))
        assert "calibration_slope" in report.test.not_estimated
        write_report(report, gallery={}, folder=tmp_path)


def test_scored_sets_with_unequal_columns_or_repeated_samples_are_refused(scored: Callable[..., ScoredSet]) -> None:
    with pytest.raises(NotEstimable, match="labels"):
        scored(labels=np.ones(3, dtype=int))
    with pytest.raises(NotEstimable, match="twice"):
        scored(sample_ids=("same",) * 240)


@pytest.mark.parametrize(
    ("age", "band"),
    [(0.5, "under 2 years"), (2.0, "2–11 years"), (17.9, "12–17 years"), (18, "18–39 years"), (64.9, "40–64 years"),
     (90, "65 years and over"), (None, NOT_STATED), (float("nan"), NOT_STATED)],
)  # fmt: skip
def test_ages_fall_into_their_band(age: float | None, band: str) -> None:
    assert age_band(age) == band


def test_tuning_numbers_are_marked_as_tuning(report: ValidationReport) -> None:
    assert {(value.name, value.split) for value in report.tuning} == {
        ("sensitivity", Split.TUNE),
        ("specificity", Split.TUNE),
    }
