"""The gate promotes when everything it was told beforehand is met; each thing that is not is named, and refuses."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from domain.change_control import GateCheck, GateDecision, TestSetOpening
from domain.electronic_signature import ElectronicSignature, SignatureMeaning, Signer, SignerRole
from domain.errors import InvalidPlan
from domain.identifiers import sha256_of
from domain.model_version import ModelManifest
from domain.preprocessing import Preprocessing
from evidence.change import CandidateFacts
from evidence.endpoints import Rival, assess, floors, reuse_cost
from evidence.gate import Candidate, Decided, Documents, Signatures, decide, refusal_text
from evidence.judgement import PlannedValidation
from evidence.pccp import read_pccp
from evidence.plan import read_plan
from evidence.record import ValidationReport
from evidence.report import compare_with, report_bytes
from evidence.scored_set import ScoredSet

TASK = "chest_xray_pneumonia"
REGISTERED = datetime(2026, 11, 1, tzinfo=UTC)
DECIDED = Decided("Approver", datetime(2026, 11, 3, tzinfo=UTC), "the networks were trained again")
THRESHOLD = 0.3
PREPROCESSING, UNSIGNED = Preprocessing(size_px=96), Signatures((), required=False)
Openings = Callable[..., TestSetOpening]


@dataclass(frozen=True)
class Case:
    """Everything the gate is given, to be changed one thing at a time."""

    report: ValidationReport
    documents: Documents
    champion: ModelManifest | None
    preprocessing: Preprocessing = PREPROCESSING
    engine: str = "onnxruntime"
    signatures: Signatures = UNSIGNED
    report_sha256: str | None = None

    @property
    def digest(self) -> str:
        return sha256_of(report_bytes(self.report))

    def decide(self) -> GateDecision:
        facts = CandidateFacts.of(
            self.report, preprocessing=self.preprocessing, engine=self.engine, explains=True
        )  # fmt: skip
        candidate = Candidate(f"{TASK}@2", self.report, self.report_sha256 or self.digest, facts)
        return decide(
            candidate, documents=self.documents, champion=self.champion, signatures=self.signatures, decided=DECIDED
        )  # fmt: skip

    def reported(self, **changes: Any) -> "Case":
        return replace(self, report=self.report.model_copy(update=changes))

    def origin(self, **changes: Any) -> "Case":
        return self.reported(provenance=self.report.provenance.model_copy(update=changes))


@pytest.fixture
def documents(plan_text: Callable[..., bytes], pccp_text: Callable[..., bytes]) -> Documents:
    return Documents(*read_plan(plan_text(), task=TASK), *read_pccp(pccp_text(), task=TASK))


@pytest.fixture
def build(
    report: ValidationReport, scored: Callable[..., ScoredSet], documents: Documents,
    manifest: Callable[..., ModelManifest], opening: Openings,
) -> Callable[..., Case]:  # fmt: skip
    """A case in which all is met, but for the candidate's probabilities, the champion or the baseline given."""

    def make(*, test: ScoredSet | None = None, champion: ScoredSet | None = None, first: bool = False) -> Case:
        test = test or scored()
        other = champion or replace(test, probabilities=np.clip(test.probabilities * 0.999, 0, 1))
        rivals: dict[Any, Rival] = {
            "champion": Rival(replace(other, model_version=f"{TASK}@1"), THRESHOLD),
            "baseline": Rival(scored(seed=0, separation=0.5), 0.5),
        }
        if first:
            del rivals["champion"]
        plan, digest = documents.plan, documents.plan_sha256
        ledger = (opening(plan_sha256=digest),)
        reuse = reuse_cost(ledger, report.provenance.model_sha256, plan)
        sides = (("primary", plan.primary), ("secondary", plan.secondary))
        version = report.provenance.dataset_version.model_copy(
            update={"counts": {"train": {"samples": 1000, "patients": 600}}}
        )
        found = report.model_copy(
            update={
                "provenance": report.provenance.model_copy(update={"dataset_version": version}),
                "planned": PlannedValidation(
                    plan=plan, sha256=digest, registered_by="Q", registered_at=REGISTERED, deviations=()
                ),
                "ledger": ledger,
                "reuse": reuse,
                "endpoints": tuple(
                    assess(
                        endpoint, role=role, test=test, threshold=THRESHOLD, rivals=rivals, alpha=reuse.adjusted_alpha
                    )  # type: ignore[arg-type]
                    for role, listed in sides
                    for endpoint in listed
                ),
                "floors": floors(plan, test, threshold=THRESHOLD, alpha=reuse.adjusted_alpha),
                "champion": None if first else compare_with(rivals["champion"].scored, test),
            }
        )
        return Case(found, documents, None if first else manifest())

    return make


def failed(case: Case) -> dict[str, GateCheck]:
    decision = case.decide()
    assert (decision.verdict == "promote") is (not decision.failed)
    return {check.name: check for check in decision.failed}


def test_a_good_model_is_promoted_and_the_decision_holds_everything_looked_at(build: Callable[..., Case]) -> None:
    case = build()

    decision = case.decide()

    assert decision.verdict == "promote", refusal_text(decision)
    assert decision.champion == f"{TASK}@1"
    assert decision.changes == ("threshold", "weights", "training_seed", "software")
    assert (decision.report_sha256, decision.plan_sha256) == (case.digest, case.documents.plan_sha256)
    assert (decision.decided_by, decision.why) == ("Approver", "the networks were trained again")
    assert {check.kind for check in decision.checks} == {
        "bound", "non_inferiority", "subgroup_floor", "change", "data", "comparison", "signature", "integrity", "reuse",
    }  # fmt: skip
    assert refusal_text(decision) == f"{TASK}@2 may be promoted: all {len(decision.checks)} checks are met."


def test_the_same_inputs_give_the_same_decision(build: Callable[..., Case]) -> None:
    assert build().decide() == build().decide()


def test_the_first_model_is_promoted_without_a_champion(build: Callable[..., Case]) -> None:
    decision = build(first=True).decide()

    assert decision.verdict == "promote", refusal_text(decision)
    assert decision.champion is None
    assert decision.changes == ()


def test_a_worse_model_is_refused_with_each_value_bound_and_reason_in_one_message(
    build: Callable[..., Case], scored: Callable[..., ScoredSet]
) -> None:
    test = scored()
    poor = replace(test, probabilities=scored(separation=0.3).probabilities)

    decision = build(test=poor, champion=test).decide()
    text = refusal_text(decision)

    assert decision.verdict == "refuse"
    assert {"auroc_at_least", "auroc_not_inferior_to_champion", "auroc_floor_by_sex_F"} <= {
        check.name for check in decision.failed
    }
    assert text.startswith(f"{TASK}@2 is not promoted against {TASK}@1: ")
    for check in decision.failed:
        assert f"  {check.name}: found {check.found}; asked: {check.bound}; {check.reason}." in text
    assert "n = 240" in text
    assert "lower end ≥ 0.800" in text


def test_a_secondary_endpoint_never_decides(build: Callable[..., Case]) -> None:
    case = build()
    missed = tuple(
        one.model_copy(update={"met": False}) if one.role == "secondary" else one for one in case.report.endpoints
    )

    assert failed(case.reported(endpoints=missed)) == {}


def test_an_underpowered_stratum_is_listed_and_decides_nothing(build: Callable[..., Case]) -> None:
    checks = {check.name: check for check in build().decide().checks}

    listed = checks["auroc_floor_by_sex_not stated"]
    assert listed.met
    assert listed.reason.startswith("decides nothing: underpowered")


def test_an_endpoint_or_a_floor_without_a_result_refuses(build: Callable[..., Case]) -> None:
    case = build()

    assert set(failed(case.reported(endpoints=case.report.endpoints[1:]))) == {"auroc_at_least"}
    assert set(failed(case.reported(floors=()))) == {"auroc_floor_by_sex"}


def test_a_result_that_calls_itself_met_against_its_own_interval_is_not_believed(build: Callable[..., Case]) -> None:
    case = build()
    first = case.report.endpoints[0]
    assert first.value is not None
    low = first.value.model_copy(update={"interval": (0.5, 0.9)})
    forged = (first.model_copy(update={"value": low}), *case.report.endpoints[1:])
    floor = case.report.floors[0].model_copy(update={"metric": low})
    tiny = case.report.floors[0].model_copy(update={"met": None})

    assert "its own interval" in failed(case.reported(endpoints=forged))["auroc_at_least"].reason
    assert "its own interval" in failed(case.reported(floors=(floor,)))["auroc_floor_by_sex_F"].reason
    assert set(failed(case.reported(floors=(tiny,)))) == {"auroc_floor_by_sex_F"}


def test_a_result_at_another_alpha_than_the_reuse_allows_refuses(build: Callable[..., Case]) -> None:
    case = build()
    first = case.report.endpoints[0]
    lax = (first.model_copy(update={"alpha": 0.1}), *case.report.endpoints[1:])

    assert "judged at alpha 0.10000" in failed(case.reported(endpoints=lax))["auroc_at_least"].reason


def test_a_report_made_before_there_was_a_champion_does_not_pass_against_one(
    build: Callable[..., Case], manifest: Callable[..., ModelManifest]
) -> None:
    found = failed(replace(build(first=True), champion=manifest()))

    assert set(found) == {
        "auroc_not_inferior_to_champion", "sensitivity_not_inferior_to_champion", "comparison_with_champion",
    }  # fmt: skip
    assert f"{TASK}@1 is in force" in found["auroc_not_inferior_to_champion"].reason


def test_a_comparison_with_a_champion_that_is_no_longer_in_force_refuses(
    build: Callable[..., Case], manifest: Callable[..., ModelManifest]
) -> None:
    found = failed(replace(build(), champion=manifest(version=7)))

    assert found["comparison_with_champion"].found == f"{TASK}@1"
    assert found["comparison_with_champion"].bound == f"compared with {TASK}@7"


def test_a_report_without_the_baseline_refuses(build: Callable[..., Case]) -> None:
    assert set(failed(build().reported(comparison=None))) == {"comparison_with_baseline"}


def test_a_report_of_another_plan_refuses(build: Callable[..., Case], plan_text: Callable[..., bytes]) -> None:
    case = build()
    plan, digest = read_plan(plan_text(alpha=0.02), task=TASK)
    other = replace(case, documents=replace(case.documents, plan=plan, plan_sha256=digest))

    assert {"plan_digest", "plan_content", "opened_under_plan"} <= set(failed(other))
    assert {"plan_digest", "plan_content", "opened_under_plan"} <= set(failed(case.reported(planned=None)))


def test_a_test_set_opened_before_the_plan_was_registered_refuses(build: Callable[..., Case]) -> None:
    case = build()
    early = tuple(line.model_copy(update={"opened_at": REGISTERED - timedelta(days=1)}) for line in case.report.ledger)

    assert set(failed(case.reported(ledger=early))) == {"opened_under_plan"}


def test_other_bytes_than_those_recorded_refuse(build: Callable[..., Case]) -> None:
    assert set(failed(replace(build(), report_sha256="0" * 64))) == {"report_digest"}


def test_a_test_set_that_answered_too_many_models_refuses(build: Callable[..., Case], opening: Openings) -> None:
    case = build()
    plan_sha256, model = case.documents.plan_sha256, case.report.provenance.model_sha256
    before = [opening(k, plan_sha256=plan_sha256, model_sha256=sha256_of(b"%d" % k)) for k in (1, 2, 3)]
    ledger = (*before, opening(4, plan_sha256=plan_sha256))

    worn = case.reported(ledger=ledger, reuse=reuse_cost(ledger, model, case.documents.plan))
    found = failed(worn)

    assert found["test_set_reuse"].reason == "the test set has answered too many models: renew it"
    assert found["test_set_reuse"].found.startswith("model 4 ")
    assert "judged at alpha" in found["auroc_at_least"].reason


def test_a_reuse_that_the_ledger_does_not_bear_out_refuses(build: Callable[..., Case], opening: Openings) -> None:
    case = build()
    first = opening(0, plan_sha256=case.documents.plan_sha256, model_sha256=sha256_of(b"another"))

    assert set(failed(case.reported(ledger=(first, *case.report.ledger)))) == {"test_set_reuse"}
    assert "test_set_reuse" in failed(case.reported(ledger=()))
    assert "test_set_reuse" in failed(case.reported(reuse=None))


def test_a_change_that_no_modification_foresees_refuses_and_is_named(build: Callable[..., Case]) -> None:
    found = failed(replace(build(), preprocessing=Preprocessing(size_px=64)))

    assert set(found) == {"change_in_plan"}
    assert found["change_in_plan"].reason.startswith("preprocessing is not covered by «retraining»")


def test_kinds_of_change_covered_only_by_two_modifications_together_refuse(build: Callable[..., Case]) -> None:
    found = failed(replace(build(), engine="openvino"))

    assert found["change_in_plan"].reason.startswith("engine is not covered")


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("data_source", {"source": "somewhere_else"}),
        ("data_synthetic", {"synthetic": True}),
        ("training_samples", {"counts": {"train": {"samples": 99, "patients": 600}}}),
        ("training_patients", {"counts": {"train": {"samples": 1000, "patients": 49}}}),
        ("training_samples", {"counts": {}}),
    ],
)
def test_data_outside_the_rules_refuse(name: str, change: dict[str, Any], build: Callable[..., Case]) -> None:
    case = build()

    assert name in failed(case.origin(dataset_version=case.report.provenance.dataset_version.model_copy(update=change)))


def test_synthetic_data_may_teach_a_demonstration(build: Callable[..., Case]) -> None:
    case = build()
    synthetic = case.report.provenance.dataset_version.model_copy(update={"synthetic": True})
    demo = case.report.model.model_copy(update={"demo": True})

    assert "data_synthetic" not in failed(case.origin(dataset_version=synthetic).reported(model=demo))


def test_a_variant_or_external_sources_that_the_protocol_does_not_allow_refuse(
    build: Callable[..., Case], manifest: Callable[..., ModelManifest]
) -> None:
    case = build()
    baseline = case.report.model.model_copy(update={"variant": "baseline"})
    outside = case.report.external[0].dataset_version
    before = manifest(external_dataset_versions=(outside.model_copy(update={"source": "a_third_hospital"}),))

    assert {"variant", "change_in_plan"} == set(failed(case.reported(model=baseline)))
    assert set(failed(replace(case, champion=before))) == {"external_sources"}


def signed(case: Case, meaning: str, role: str, *, over: str | None = None) -> ElectronicSignature:
    signer = Signer(
        name=role, printed_name=f"The {role}", role=SignerRole(role), public_key="0" * 64, registered_at=REGISTERED
    )
    return ElectronicSignature(
        signer=signer, meaning=SignatureMeaning(meaning), signed_at=DECIDED.at, what="report.json",
        sha256=over or case.digest, signature="0" * 128,
    )  # fmt: skip


def with_signatures(case: Case, *given: ElectronicSignature) -> Case:
    return replace(case, signatures=Signatures(given, required=True))


def test_signatures_of_every_required_meaning_and_role_over_the_report_promote(build: Callable[..., Case]) -> None:
    case = build()
    given = (("author", "engineer"), ("review", "clinician"), ("approval", "quality"))

    assert failed(with_signatures(case, *(signed(case, *one) for one in given))) == {}


def test_a_missing_signature_one_by_another_role_and_one_over_other_bytes_are_named(build: Callable[..., Case]) -> None:
    case = build()

    found = failed(
        with_signatures(
            case, signed(case, "review", "engineer"), signed(case, "approval", "quality", over=sha256_of(b"other"))
        )
    )

    assert found["signature_author"].reason == "nobody has signed with the meaning author"
    assert found["signature_review"].reason == "The engineer signed as engineer, who may not give review"
    assert found["signature_approval"].reason.startswith("The quality signed other bytes")
    assert found["signature_review"].bound == f"review by clinician over report {case.digest[:12]}"


def test_documents_of_another_task_are_an_error_that_names_both(build: Callable[..., Case]) -> None:
    case = build()
    other = case.report.model.model_copy(update={"task": "another_task"})

    with pytest.raises(InvalidPlan, match=f"The report is of the task another_task, the validation plan of {TASK}"):
        case.reported(model=other).decide()
    pccp = case.documents.pccp.model_copy(update={"task": "another_task"})
    with pytest.raises(InvalidPlan, match="The change control plan is of the task another_task"):
        replace(case, documents=replace(case.documents, pccp=pccp)).decide()
    assert case.champion is not None
    with pytest.raises(InvalidPlan, match="The champion is of the task another_task"):
        replace(case, champion=case.champion.model_copy(update={"task": "another_task"})).decide()
