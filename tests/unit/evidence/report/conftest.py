"""A synthetic report with every part filled, for tests of the page and the PDF."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from domain.acceptance import MetricValue
from domain.change_control import TestSetOpening
from domain.dataset import DatasetVersion, Sample, Split
from domain.electronic_signature import ElectronicSignature, SignatureMeaning, Signer, SignerRole
from domain.identifiers import sha256_of
from domain.model_version import ConformalSets, EngineCandidate, EngineChoice, OutOfDistribution
from evidence.additions import Additions
from evidence.engine_record import EngineAgreement, EngineReport
from evidence.judgement import EndpointResult, FloorResult, PlannedValidation, ReuseCost
from evidence.plan import ValidationPlan
from evidence.record import (
    Adaptation,
    Checklist,
    ChecklistItem,
    Comparison,
    Environment,
    Explanation,
    LeakageCheck,
    MapFaithfulness,
    ReferenceStandard,
    RobustnessResult,
    ValidationReport,
)
from evidence.report import report_bytes
from evidence.results import metric
from evidence.scored_set import ScoredSet
from evidence.statistics import operating_point
from evidence.table_one import table_one
from evidence.uncertainty_record import SetUncertainty, UncertaintyResults

VERSION = "kermany_chest_xray@1a2b3c4d5e6f"
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def value(name: str, at: float, half: float, **changes: Any) -> MetricValue:
    stated = {
        "name": name, "value": at, "interval": (at - half, at + half), "method": "DeLong, logit", "n": 624,
        "positives": 390, "split": Split.TEST, "dataset_version": VERSION,
        "model_version": "chest_xray_pneumonia/network-seed1",
    }  # fmt: skip
    return MetricValue.model_validate({**stated, **changes})


def plan() -> ValidationPlan:
    return ValidationPlan.model_validate(
        {
            "schema_version": 1,
            "task": "chest_xray_pneumonia",
            "intended_use": "Orders the worklist of children's chest films; a radiologist reads every film.",
            "population": "Children of 1 to 5 years, anterior-posterior films.",
            "reference_standard": "Two experts graded each film, a third checked the test set.",
            "missing_data": "A film that cannot be read is left out and counted; nothing is imputed.",
            "operating_point": "Highest specificity with sensitivity at least 0.95 on tuning data.",
            "min_sensitivity": 0.95,
            "alpha": 0.025,
            "primary": [
                {"kind": "bound", "metric": "auroc", "at_least": 0.9},
                {"kind": "non_inferiority", "metric": "sensitivity", "against": "champion", "margin": 0.03},
            ],
            "secondary": [
                {"kind": "superiority", "metric": "auroc", "against": "baseline"},
                {"kind": "calibration", "metric": "calibration_slope", "low": 0.8, "high": 1.25},
            ],
            "subgroups": [{"group": "subtype", "metric": "sensitivity", "at_least": 0.85, "min_n": 50}],
            "sample_size": [
                {"endpoint": "auroc_at_least", "expected": 0.94, "positive_share": 0.6, "power": 0.9, "samples": 412}
            ],
            "test_set_reuse": {"adjustment": "bonferroni", "max_models": 5},
        }
    )


def ledger() -> tuple[TestSetOpening, ...]:
    return tuple(
        TestSetOpening(
            number=number,
            task="chest_xray_pneumonia",
            dataset_version=VERSION,
            dataset_sha256=sha256_of(b"data"),
            model_version=f"chest_xray_pneumonia/{variant}",
            model_sha256=sha256_of(variant.encode()),
            plan_sha256=sha256_of(b"plan"),
            purpose="validation",
            opened_by="martha.lehmann",
            opened_at=NOON + timedelta(hours=number),
        )
        for number, variant in enumerate(("baseline", "network-seed1"), start=1)
    )


def endpoints() -> tuple[EndpointResult, ...]:
    shared = {"alpha": 0.0125, "applicable": True}
    return (
        EndpointResult(
            name="auroc_at_least", role="primary", kind="bound", value=value("auroc", 0.957, 0.017, level=0.975),
            bound="lower limit ≥ 0.900", p_value=0.0000004, met=True, reason="The lower limit 0.940 reaches 0.900.",
            **shared,
        ),
        EndpointResult(
            name="sensitivity_not_inferior_to_champion", role="primary", kind="non_inferiority",
            value=value("sensitivity", -0.008, 0.031, level=0.975, method="Tango, paired"),
            bound="difference above −0.030", p_value=0.061, met=False,
            reason="The lower limit −0.039 lies below the margin −0.030.", **shared,
        ),
        EndpointResult(
            name="auroc_superior_to_baseline", role="secondary", kind="superiority",
            value=value("auroc", 0.051, 0.02, level=0.975, method="paired DeLong"), bound="difference above 0",
            p_value=0.0002, met=True, reason="The lower limit 0.031 lies above 0.", **shared,
        ),
        EndpointResult(
            name="calibration_slope_within", role="secondary", kind="calibration", value=None,
            bound="0.800 to 1.250", p_value=None, met=False, reason="The classes are perfectly separated.", **shared,
        ),
    )  # fmt: skip


def floors() -> tuple[FloorResult, ...]:
    shared = {"name": "sensitivity_floor_by_subtype", "group": "subtype", "needed": 50, "at_least": 0.85}
    return (
        FloorResult(value="bacteria", metric=value("sensitivity", 0.97, 0.02), n=242, met=True,
                    reason="0.950 reaches 0.850.", **shared),
        FloorResult(value="virus", metric=value("sensitivity", 0.88, 0.06), n=148, met=False,
                    reason="0.820 lies below 0.850.", **shared),
        FloorResult(value="fungus", metric=None, n=4, met=None, reason="Underpowered.", **shared),
    )  # fmt: skip


def robustness() -> tuple[RobustnessResult, ...]:
    strengths = (
        ("noise", "σ = 10 grey levels", -0.004), ("noise", "σ = 25 grey levels", -0.061),
        ("blur", "σ = 1.5 px", -0.002), ("contrast", "× 0.7", 0.001), ("rotation", "5 degrees", -0.009),
        ("window", "width − 20 %", -0.012), ("jpeg", "quality 30", -0.001),
    )  # fmt: skip
    return tuple(
        RobustnessResult.model_validate(
            {
                "disturbance": kind, "strength": strength, "auroc": value("auroc", 0.957 + change, 0.02),
                "auroc_difference": value("auroc_difference", change, 0.008), "changed_calls": 0.02 + abs(change),
            }
        )
        for kind, strength, change in strengths
    )  # fmt: skip


def checklist(name: str, count: int) -> Checklist:
    items = tuple(
        ChecklistItem(
            number=str(number),
            section="Methods" if number < count else "Other information",
            asks="Says how the data were chosen, and by which criteria films were left out.",
            answer="" if number % 3 == 0 else "Flow diagram with the count of each reason, in the order applied.",
            where="" if number % 3 == 0 else "section 2",
        )
        for number in range(1, count + 1)
    )
    return Checklist.model_validate({"name": name, "citation": f"{name}, a reporting guideline.", "items": items})


def samples(count: int, split: Split) -> list[Sample]:
    return [
        Sample(
            sample_id=f"{split}{i}", patient_key=f"{split}{i // 2}", split=split, label=i % 2,
            subtype="bacteria" if i % 2 else None, site="guangzhou" if i % 5 else "site with a very long name " * 3,
            view_position="AP", age_years=float(i % 7), sex=("F", "M", None)[i % 3], sha256=sha256_of(b"film"),
            shard="0.tar", offset=0, length=1, rows=64, columns=64,
        )
        for i in range(count)
    ]  # fmt: skip


def judged(source: str, split: Any, *, missed: bool = False) -> SetUncertainty:
    stated = {"n": 240, "split": split, "method": "Wilson"}
    names = {
        "conformal_coverage_present": 0.7 if missed else 0.91, "conformal_coverage_absent": 0.9, "sets_of_one": 0.8,
        "sets_of_both": 0.2, "sets_of_neither": 0.01, "abstention_share": 0.03,
    }  # fmt: skip
    answered = {"auroc": 0.96, "sensitivity": 0.95}
    return SetUncertainty(
        source=source, split=split, n=240, abstained=7,
        metrics=(
            *(value(name, at, 0.01 if at < 0.02 else 0.03, **stated) for name, at in names.items()),
            *(value(name, at, 0.03, subgroup="films not abstained on", **stated) for name, at in answered.items()),
        ),
        not_estimated={"specificity": "A proportion of no samples has no value."},
    )  # fmt: skip


def uncertainty() -> UncertaintyResults:
    return UncertaintyResults(
        conformal=ConformalSets(
            coverage=0.9, least_present=0.312, most_absent=0.508, n_present=560, n_absent=208,
            fitted_on=f"{VERSION} tune",
        ),
        out_of_distribution=OutOfDistribution(
            file="uncertainty.npz", file_sha256=sha256_of(b"npz"), limit=24.0, quantile=0.995, n=768,
            fitted_on=f"{VERSION} tune",
        ),
        not_fitted=(),
        sets=(judged("kermany_chest_xray", Split.TEST), judged("nih_chest_xray", "external", missed=True)),
    )  # fmt: skip


def engine() -> EngineReport:
    shared = {"ms_single": 24.5, "margin": 0.01, "model_sha256": sha256_of(b"model")}
    difference = value("auroc_difference", -0.0004, 0.0012, split=Split.TUNE, n=768)
    return EngineReport(
        choice=EngineChoice(
            engine="openvino", precision="int8", why="It is 2.8 times as fast.", measured_on="A processor, 2 threads",
            candidates=(
                EngineCandidate(engine="torch", precision="fp32", ms_batched=35.9, max_difference=0.0, tolerance=1e-4,
                                auroc_difference=None, passes=True, **shared),
                EngineCandidate(engine="openvino", precision="bf16", ms_batched=35.2, max_difference=0.061,
                                tolerance=0.05, auroc_difference=difference, passes=False, **shared),
                EngineCandidate(engine="openvino", precision="int8", ms_batched=8.1, max_difference=0.021,
                                tolerance=0.05, auroc_difference=difference, passes=True, **shared),
            ),
        ),
        confirmation=EngineAgreement(
            against="torch", n=624, max_difference=0.034, tolerance=0.05,
            auroc_difference=value("auroc_difference", -0.0007, 0.002), margin=0.01,
        ),
    )  # fmt: skip


def cohort(make: Callable[..., DatasetVersion]) -> DatasetVersion:
    return make().model_copy(
        update={
            "counts": {
                "train": {"samples": 4442, "patients": 2210, "positives": 3300},
                "tune": {"samples": 768, "patients": 400, "positives": 560},
                "test": {"samples": 240, "patients": 160, "positives": 120},
            },
            "excluded": {
                "duplicate_within_split": 32,
                "smaller_than_96_px": 4,
                "label_disagrees_with_second_reader": 9,
            },
        }
    )


def additions(comparison: Comparison | None) -> Additions:
    return Additions(
        planned=PlannedValidation(
            plan=plan(), sha256=sha256_of(b"plan"), registered_by="quality.officer", registered_at=NOON,
            deviations=("32 films less than planned in the tuning data: duplicates were left out.",),
        ),
        ledger=ledger(),
        reuse=ReuseCost(models=2, max_models=5, alpha=0.025, adjusted_alpha=0.0125, error_if_unadjusted=0.0494),
        reference_standards=(
            ReferenceStandard(
                source="kermany_chest_xray", statement="Two expert physicians graded each film.",
                population="Children of 1 to 5 years.", licence="CC BY 4.0",
                citation="Kermany D, Zhang K, Goldbaum M. Mendeley Data, v2, 2018.",
            ),
        ),
        table_one=table_one(
            {"train": samples(300, Split.TRAIN), "tune": samples(60, Split.TUNE), "test": samples(90, Split.TEST),
             "external: nih_chest_xray": samples(40, Split.TEST)}
        ),
        leakage=LeakageCheck(films_compared=490, rule="no patient may stand on two sides"),
        endpoints=endpoints(),
        floors=floors(),
        champion=comparison.model_copy(
            update={"baseline_version": "chest_xray_pneumonia/network-seed7",
                    "baseline_roc": tuple((float(x), float(np.sqrt(x))) for x in np.linspace(0, 1, 21))}
        ) if comparison else None,
        adaptation=Adaptation(
            previous="chest_xray_pneumonia@3", learning=value("auroc_difference", 0.012, 0.01),
            potential=value("auroc_difference", 0.004, 0.02), retention=None, note="The test data are the same.",
        ),
        robustness=robustness(),
        faithfulness=MapFaithfulness(
            deletion=value("deletion", -0.21, 0.03), insertion=value("insertion", 0.14, 0.04),
            randomised_similarity=value("randomised_similarity", 0.61, 0.05), films=200,
        ),
        uncertainty=uncertainty(),
        engine=engine(),
        environment=Environment(
            python="3.11.2", platform="Linux-6.1-x86_64-with-glibc2.36", packages=412, sbom_sha256=sha256_of(b"sbom")
        ),
        checklists=(checklist("CLAIM 2024", 12), checklist("STARD-AI", 6), checklist("TRIPOD+AI", 6)),
    )  # fmt: skip


@pytest.fixture(scope="session")
def full_report(
    report: ValidationReport, scored: Callable[..., ScoredSet], dataset_version: Callable[..., DatasetVersion]
) -> ValidationReport:
    """A report with every part filled."""
    flaws = ("No age and no sex per film: results by these subgroups are impossible.",)
    test = report.test.model_copy(update={"dataset_version": cohort(dataset_version), "known_flaws": flaws})
    share = metric(scored(), "pointing_game", operating_point.wilson(60, 100, positives=100))
    return report.model_copy(
        update={
            **additions(report.comparison).parts(),
            "test": test,
            "explanation": Explanation(hits=60, share=share, chance_elsewhere=0.31, chance_area=0.12),
        }
    )


@pytest.fixture(scope="session")
def signed(full_report: ValidationReport) -> ElectronicSignature:
    """An approval of the full report's own bytes."""
    return ElectronicSignature(
        signer=Signer(name="martha.lehmann", printed_name="Dr. Martha Lehmann", role=SignerRole.CLINICIAN,
                      public_key="ab" * 32, registered_at=NOON),
        meaning=SignatureMeaning.APPROVAL, signed_at=NOON + timedelta(days=1),
        what="report.json of chest_xray_pneumonia/network-seed1", signature="cd" * 64,
        sha256=sha256_of(report_bytes(full_report)),
    )  # fmt: skip
