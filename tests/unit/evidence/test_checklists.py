"""A checklist is answered by the record alone: with its numbers, nothing where it is silent, never a patient."""

import re
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from domain.acceptance import MetricValue
from domain.change_control import TestSetOpening
from domain.dataset import Split
from domain.identifiers import sha256_of
from domain.preprocessing import Preprocessing
from evidence.checklists import item
from evidence.checklists.fill import GUIDELINES, fill
from evidence.judgement import EndpointResult, FloorResult, PlannedValidation, ReuseCost
from evidence.plan import Bound, CalibrationBound, NonInferiority, Reuse, SampleSize, SubgroupFloor, ValidationPlan
from evidence.record import (
    Adaptation,
    DecisionPoint,
    Environment,
    Explanation,
    LeakageCheck,
    MapFaithfulness,
    Provenance,
    ReferenceStandard,
    ReportedModel,
    RobustnessResult,
    TableOne,
    TableOneRow,
    ValidationReport,
)
from evidence.report import build_report
from evidence.scored_set import ScoredSet

SECTIONS = {value for name, value in vars(item).items() if name.isupper()}
# Nobody but the authors knows these, whatever a run records.
AUTHORS_ONLY = {
    "CLAIM 2024": {"1", "2", "5", "11", "13", "15", "17", "18", "34", "44"},
    "STARD-AI": {"1", "2", "5", "6", "8", "10", "17a", "17b", "27", "32", "35", "36", "38", "39"},
    "TRIPOD+AI": {"1", "2", "3c", "5b", "8c", "17", "18a", "18b", "18d", "18f", "19", "27c"},
}
PLAN_SHA256 = sha256_of(b"plan")


def metric(name: str, value: float) -> MetricValue:
    return MetricValue(
        name=name, value=value, interval=(value - 0.02, value + 0.02), method="DeLong, logit", n=240, positives=120,
        split=Split.TEST, dataset_version="kermany_chest_xray@0", model_version="chest_xray_pneumonia/network-seed1",
    )  # fmt: skip


@pytest.fixture(scope="module")
def plan() -> ValidationPlan:
    return ValidationPlan(
        schema_version=1,
        task="chest_xray_pneumonia",
        intended_use="Orders the worklist.",
        population="Children of 1 to 5 years",
        reference_standard="two readers",
        missing_data="Films without a label are left out.",
        operating_point="highest specificity",
        min_sensitivity=0.95,
        alpha=0.025,
        primary=(
            Bound(kind="bound", metric="auroc", at_least=0.83),
            Bound(kind="bound", metric="brier", at_most=0.21),
            NonInferiority(kind="non_inferiority", metric="auroc", against="champion", margin=0.03),
            CalibrationBound(kind="calibration", metric="calibration_slope", low=0.7, high=1.4),
        ),
        subgroups=(SubgroupFloor(group="sex", metric="sensitivity", at_least=0.77, min_n=30),),
        sample_size=(SampleSize(endpoint="auroc_at_least", expected=0.93, positive_share=0.5, power=0.9, samples=177),),
        test_set_reuse=Reuse(adjustment="bonferroni", max_models=5),
    )


@pytest.fixture(scope="module")
def bare(scored: Callable[..., ScoredSet], reported: ReportedModel, provenance: Provenance) -> ValidationReport:
    """A test set and nothing else: no plan, no external set, no baseline, no seed, no exclusion."""
    none = provenance.dataset_version.model_copy(update={"excluded": {}})
    return build_report(
        reported,
        provenance=provenance.model_copy(update={"seed": None, "dataset_version": none}),
        test=scored(subgroups={}),
    )


@pytest.fixture(scope="module")
def full(report: ValidationReport, plan: ValidationPlan) -> ValidationReport:
    """Every optional part of a report is there."""
    opened = TestSetOpening(
        number=1, task="chest_xray_pneumonia", dataset_version="kermany_chest_xray@0", dataset_sha256=sha256_of(b"d"),
        model_version="chest_xray_pneumonia/network-seed1", model_sha256=sha256_of(b"m"), plan_sha256=PLAN_SHA256,
        purpose="validation", opened_by="engineer", opened_at=datetime(2026, 11, 23, 9, 41, tzinfo=UTC),
    )  # fmt: skip
    endpoint = EndpointResult(
        name="auroc_at_least", role="primary", kind="bound", value=metric("auroc", 0.93), bound="lower end ≥ 0.83",
        alpha=0.025, p_value=0.001, met=True, applicable=True, reason="",
    )  # fmt: skip
    floor = FloorResult(
        name="sensitivity_floor_by_sex", group="sex", value="F", metric=metric("sensitivity", 0.9), n=117, needed=30,
        at_least=0.77, met=True, reason="",
    )  # fmt: skip
    sizes = {"train": 4003, "tune": 711, "test": 240}
    counts = {split: {"samples": n, "patients": n // 2, "positives": n // 3} for split, n in sizes.items()}
    learned = report.provenance.dataset_version.model_copy(update={"counts": counts})
    return report.model_copy(
        update={
            "test": report.test.model_copy(
                update={
                    "known_flaws": ("copies in the test set",),
                    "precision_recall": ((0.0, 1.0), (1.0, 0.5)),
                    "decision_curve": (
                        DecisionPoint(
                            threshold=0.1, net_benefit=0.4, interval=(0.3, 0.5), treat_all=0.3, interventions_avoided=4
                        ),
                    ),
                }
            ),
            "provenance": report.provenance.model_copy(update={"dataset_version": learned}),
            "planned": PlannedValidation(
                plan=plan, sha256=PLAN_SHA256, registered_by="quality", deviations=("a film was unreadable",),
                registered_at=datetime(2026, 11, 22, 8, 30, tzinfo=UTC),
            ),
            "ledger": (opened,),
            "reuse": ReuseCost(models=2, max_models=5, alpha=0.025, adjusted_alpha=0.0125, error_if_unadjusted=0.05),
            "reference_standards": (
                ReferenceStandard(
                    source="kermany_chest_xray", statement="Two physicians graded each film.",
                    population="Children, Guangzhou.", licence="CC BY 4.0", citation="Kermany D et al. 2018.",
                ),
            ),
            "model": report.model.model_copy(update={"preprocessing": Preprocessing(size_px=96)}),
            "leakage": LeakageCheck(films_compared=4301, rule="no patient may stand on two sides"),
            "table_one": TableOne(
                columns=("train", "test"), samples=(4001, 240), patients=(2002, 160),
                rows=(TableOneRow(group="sex", value="F", counts=(2003, 234)),),
            ),
            "endpoints": (endpoint,),
            "floors": (floor, floor.model_copy(update={"met": None})),
            "adaptation": Adaptation(
                previous="chest_xray_pneumonia@2", learning=metric("learning", 0.011), potential=None,
                retention=None, note="",
            ),
            "robustness": (
                RobustnessResult(
                    disturbance="noise", strength="σ = 10 grey levels", auroc=metric("auroc", 0.91),
                    auroc_difference=metric("auroc_difference", -0.013), changed_calls=0.04,
                ),
            ),
            "faithfulness": MapFaithfulness(
                deletion=metric("deletion", -0.1), insertion=metric("insertion", 0.2),
                randomised_similarity=metric("randomised_similarity", 0.05), films=64,
            ),
            "environment": Environment(
                python="3.11.2", platform="Linux x86_64", packages=312, sbom_sha256=sha256_of(b"sbom")
            ),
            "explanation": Explanation(
                hits=31, share=metric("pointing_game", 0.61), chance_elsewhere=0.32, chance_area=0.11
            ),
        }
    )  # fmt: skip


def answers(report: ValidationReport) -> dict[tuple[str, str], str]:
    return {(one.name, row.number): row.answer for one in fill(report) for row in one.items}


def answered(report: ValidationReport) -> set[tuple[str, str]]:
    return {key for key, answer in answers(report).items() if answer}


def test_each_guideline_has_all_its_items_once_and_in_order() -> None:
    sizes = {}
    for guideline in GUIDELINES:
        numbers = [row.number for row in guideline.items]
        assert len(set(numbers)) == len(numbers)
        parts = [re.fullmatch(r"(\d+)([a-z]?)", number) for number in numbers]
        order = [(int(part[1]), part[2]) for part in parts if part]
        assert order == sorted(order)
        assert {number for number, _ in order} == set(range(1, order[-1][0] + 1))
        sizes[guideline.name] = (order[-1][0], len(order))
    assert sizes == {"CLAIM 2024": (44, 44), "STARD-AI": (40, 48), "TRIPOD+AI": (27, 52)}


def test_parts_of_items_are_those_of_the_publications() -> None:
    parts = {g.name: " ".join(row.number for row in g.items if not row.number.isdigit()) for g in GUIDELINES}
    assert parts == {
        "CLAIM 2024": "",
        "STARD-AI": "15a 15b 15c 15d 16a 16b 16c 17a 17b 26a 26b 40a 40b",
        "TRIPOD+AI": "3a 3b 3c 5a 5b 6a 6b 6c 8a 8b 8c 9a 9b 9c 12a 12b 12c 12d 12e 12f 12g "
        "18a 18b 18c 18d 18e 18f 20a 20b 20c 23a 23b 27a 27b 27c",
    }


def test_an_answer_names_a_section_of_the_report_and_silence_names_none(full: ValidationReport) -> None:
    for checklist in fill(full):
        for row in checklist.items:
            assert row.asks.endswith("?")
            assert (row.where in SECTIONS) if row.answer else (row.where == "")


def test_every_item_that_can_be_answered_is_answered_by_a_full_report(full: ValidationReport) -> None:
    answerable = {(g.name, row.number) for g in GUIDELINES for row in g.items if row.answer}
    assert answered(full) == answerable
    assert len(answerable) > 75


def test_a_bare_report_answers_fewer_items_and_none_about_what_it_does_not_hold(
    bare: ValidationReport, full: ValidationReport
) -> None:
    assert answered(bare) < answered(full)
    silent = {
        "CLAIM 2024": "4 6 8 12 14 16 21 23 24 30 31 33 36 42 43",
        "STARD-AI": "4 7 9 12 13 16a 20 21 22 25 29 37 40a",
        "TRIPOD+AI": "4 6a 6b 10 11 14 16 18c 18e 20b 23b 24 25",
    }
    for name, numbers in silent.items():
        assert {(name, number) for number in numbers.split()} & answered(bare) == set(), name


def test_what_only_the_authors_know_is_never_answered(full: ValidationReport) -> None:
    open_items = {(name, number) for name, numbers in AUTHORS_ONLY.items() for number in numbers}
    assert answered(full) & open_items == set()


@pytest.mark.parametrize(
    ("field", "lost"),
    [
        ("planned", {("CLAIM 2024", "21"), ("STARD-AI", "20"), ("TRIPOD+AI", "14"), ("TRIPOD+AI", "18c")}),
        ("environment", {("CLAIM 2024", "23"), ("STARD-AI", "13")}),
        ("table_one", {("CLAIM 2024", "36"), ("STARD-AI", "25"), ("TRIPOD+AI", "20b")}),
        ("robustness", {("CLAIM 2024", "30")}),
        ("external", {("CLAIM 2024", "33"), ("STARD-AI", "29"), ("TRIPOD+AI", "16")}),
        ("adaptation", {("TRIPOD+AI", "24")}),
        ("reference_standards", {("CLAIM 2024", "16"), ("STARD-AI", "40a"), ("TRIPOD+AI", "18e")}),
    ],
)
def test_a_part_that_is_missing_takes_its_answers_with_it(
    full: ValidationReport, field: str, lost: set[tuple[str, str]]
) -> None:
    empty = () if isinstance(getattr(full, field), tuple) else None
    assert lost <= answered(full)
    assert lost & answered(full.model_copy(update={field: empty})) == set()


def test_explanation_is_answered_by_whichever_check_was_made(full: ValidationReport) -> None:
    key = ("CLAIM 2024", "31")
    assert answers(full.model_copy(update={"faithfulness": None}))[key]
    assert answers(full.model_copy(update={"explanation": None}))[key]
    assert not answers(full.model_copy(update={"faithfulness": None, "explanation": None}))[key]


def test_answers_hold_the_numbers_of_the_record(full: ValidationReport) -> None:
    said, counts = answers(full), full.test.counts
    found = {value.name: value for value in full.test.metrics}
    assert f"AUROC {found['auroc'].value:.3f} (95 % CI {found['auroc'].interval[0]:.3f}" in said["CLAIM 2024", "32"]
    assert f"{counts.true_positives} true positive, {counts.false_positives} false positive" in said["STARD-AI", "30"]
    assert "120 with the finding" in said["TRIPOD+AI", "20a"]
    assert found["auroc"].method in said["STARD-AI", "18"]
    assert "0.0125 for model 2 of at most 5" in said["CLAIM 2024", "29"]
    assert "registered on 2026-11-22 08:30" in said["STARD-AI", "37"]
    assert "first opened under it on 2026-11-23 09:41" in said["STARD-AI", "37"]
    assert "training 4,003 samples of 2,001 patients, 1,334 with the finding" in said["TRIPOD+AI", "21"]
    assert PLAN_SHA256[:12] in said["STARD-AI", "37"]
    assert full.provenance.model_sha256[:12] in said["TRIPOD+AI", "12g"]
    assert "met in 1 stratum, missed in 0, 1 too small to decide" in said["TRIPOD+AI", "25"]


@pytest.mark.parametrize(
    ("path", "value", "keys"),
    [
        (("test", "n"), 241, {("CLAIM 2024", "35"), ("TRIPOD+AI", "12g"), ("STARD-AI", "22")}),
        (("test", "patients"), 161, {("CLAIM 2024", "35"), ("STARD-AI", "15b")}),
        (("test", "positives"), 119, {("TRIPOD+AI", "20c"), ("STARD-AI", "29")}),
        (("test", "counts", "false_negatives"), 77, {("STARD-AI", "30"), ("CLAIM 2024", "39")}),
        (("environment", "packages"), 313, {("CLAIM 2024", "23")}),
        (("provenance", "seed"), 7, {("CLAIM 2024", "24"), ("TRIPOD+AI", "12c")}),
        (("provenance", "parameters"), 72_146, {("CLAIM 2024", "22"), ("STARD-AI", "15a"), ("TRIPOD+AI", "22")}),
        (("model", "operating_point", "threshold"), 0.41, {("STARD-AI", "15c"), ("TRIPOD+AI", "15")}),
        (("reuse", "models"), 3, {("CLAIM 2024", "29"), ("STARD-AI", "18")}),
        (("planned", "sha256"), sha256_of(b"other"), {("CLAIM 2024", "42"), ("TRIPOD+AI", "18c")}),
        (("planned", "plan", "alpha"), 0.01, {("CLAIM 2024", "4"), ("STARD-AI", "18")}),
        (("adaptation", "learning", "value"), 0.012, {("TRIPOD+AI", "24")}),
        (("table_one", "patients"), (2002, 161), {("CLAIM 2024", "36"), ("STARD-AI", "25")}),
    ],
)
def test_an_answer_changes_with_the_number_it_tells(
    full: ValidationReport, path: tuple[str, ...], value: object, keys: set[tuple[str, str]]
) -> None:
    def changed(record: object, rest: tuple[str, ...]) -> object:
        inner = value if len(rest) == 1 else changed(getattr(record, rest[0]), rest[1:])
        return record.model_copy(update={rest[0]: inner})  # type: ignore[attr-defined]

    before, after = answers(full), answers(changed(full, path))  # type: ignore[arg-type]
    assert keys <= {key for key in before if before[key] != after[key]}


def test_a_test_set_of_another_source_is_not_called_internal(full: ValidationReport) -> None:
    elsewhere = full.test.dataset_version.model_copy(update={"source": "another"})
    moved = full.model_copy(update={"test": full.test.model_copy(update={"dataset_version": elsewhere})})
    assert answers(full)["CLAIM 2024", "32"]
    assert not answers(moved)["CLAIM 2024", "32"]


def test_every_number_in_a_metric_is_said(full: ValidationReport) -> None:
    for name in ("sensitivity", "specificity", "ppv", "npv"):
        value = next(one for one in full.test.metrics if one.name == name)
        for number in (value.value, *value.interval):
            assert f"{number:.3f}" in answers(full)["CLAIM 2024", "38"]


def test_what_could_not_be_estimated_is_said_not_left_out(
    full: ValidationReport, scored: Callable[..., ScoredSet], reported: ReportedModel, provenance: Provenance
) -> None:
    outside = scored(source="nih_chest_xray", labels=scored().labels * 0, split="external")
    one_class = build_report(reported, provenance=provenance, test=scored(), external=[outside])
    assert "AUROC not estimated" in answers(one_class)["TRIPOD+AI", "23b"]
    assert "specificity" in answers(one_class)["CLAIM 2024", "33"]
    assert "figures not estimated" in answers(one_class)["CLAIM 2024", "40"]


def test_no_answer_holds_a_sample_or_a_person(full: ValidationReport) -> None:
    people = {"engineer", "quality"}
    assert full.failures
    for answer in answers(full).values():
        assert not any(failure.sample_id in answer for failure in full.failures)
        assert not re.search(r"\bp\d{4}\b", answer)
        assert not people & set(answer.split())


def test_the_same_report_always_gives_the_same_answers(full: ValidationReport) -> None:
    read_again = ValidationReport.model_validate_json(full.model_dump_json())
    assert fill(read_again) == fill(full)


def test_checklists_already_in_a_report_change_nothing(full: ValidationReport) -> None:
    assert fill(full.model_copy(update={"checklists": fill(full)})) == fill(full)
