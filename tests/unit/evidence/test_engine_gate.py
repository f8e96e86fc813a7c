"""The gate refuses an engine that test data do not confirm, or that is not the one reported on."""

from collections.abc import Callable
from typing import Any

import pytest

from domain.change_control import GateCheck
from domain.identifiers import sha256_of
from domain.model_version import EngineCandidate, EngineChoice
from domain.preprocessing import Preprocessing
from evidence.change import CandidateFacts
from evidence.engine_gate import engine
from evidence.engine_parity import agreement
from evidence.engine_record import EngineReport
from evidence.record import ValidationReport
from evidence.scored_set import ScoredSet


@pytest.fixture
def confirmed(report: ValidationReport, scored: Callable[..., ScoredSet]) -> ValidationReport:
    """A report on openvino int8, confirmed on the test set."""
    test = scored()
    int8 = EngineCandidate(
        engine="openvino", precision="int8", model_sha256=report.provenance.model_sha256, ms_single=1, ms_batched=1,
        max_difference=0.01, tolerance=0.05, auroc_difference=None, margin=0.01, passes=True,
    )  # fmt: skip
    choice = EngineChoice(engine="openvino", precision="int8", why="fast", candidates=(int8,), measured_on="here")
    found = agreement(test, test.probabilities, precision="int8", against="torch")
    return report.model_copy(update={"engine": EngineReport(choice=choice, confirmation=found)})


def asked(report: ValidationReport, *, engine_name: str = "openvino", precision: str = "int8") -> GateCheck:
    facts = CandidateFacts.of(
        report, preprocessing=Preprocessing(size_px=96), engine=engine_name, precision=precision, explains=True
    )
    (check,) = engine(report, facts)
    return check


def changed(report: ValidationReport, **changes: Any) -> ValidationReport:
    """The report with a changed confirmation."""
    assert report.engine is not None
    found = report.engine.confirmation.model_copy(update=changes)
    return report.model_copy(update={"engine": report.engine.model_copy(update={"confirmation": found})})


def test_a_confirmed_engine_is_met_with_its_figures(confirmed: ValidationReport) -> None:
    check = asked(confirmed)

    assert check.met
    assert check.found.startswith("openvino int8: up to 0 apart, AUROC difference 0.0000")
    assert check.bound == "no probability more than 0.05 from torch’s, AUROC less than 0.01 lower"


def test_a_confirmation_that_fails_refuses(confirmed: ValidationReport) -> None:
    assert confirmed.engine is not None
    difference = confirmed.engine.confirmation.auroc_difference
    assert difference is not None
    worse = difference.model_copy(update={"value": -0.004, "interval": (-0.011, 0.003)})

    for doubted in (changed(confirmed, max_difference=0.06), changed(confirmed, auroc_difference=worse)):
        check = asked(doubted)
        assert not check.met
        assert check.reason == "test data do not confirm what tuning data showed"


def test_an_engine_that_serves_must_be_the_one_reported_on(confirmed: ValidationReport) -> None:
    assert not asked(confirmed, precision="bf16").met
    assert not asked(confirmed, engine_name="onnxruntime", precision="fp32").met


def test_the_bytes_reported_on_must_be_those_that_passed(confirmed: ValidationReport) -> None:
    other = confirmed.provenance.model_copy(update={"model_sha256": sha256_of(b"other bytes")})

    check = asked(confirmed.model_copy(update={"provenance": other}))

    assert (check.met, check.reason) == (
        False, "the bytes reported on are not those of a candidate that passed on tuning data",
    )  # fmt: skip


def test_a_confirmation_on_part_of_the_test_set_refuses(confirmed: ValidationReport) -> None:
    assert asked(changed(confirmed, n=12)).reason == "it was compared on 12 of 240 test films"


def test_without_a_choice_only_the_plain_export_may_serve(report: ValidationReport) -> None:
    assert asked(report, engine_name="onnxruntime", precision="fp32").met
    check = asked(report)
    assert (check.met, check.reason) == (False, "openvino int8 was never compared on test data")
