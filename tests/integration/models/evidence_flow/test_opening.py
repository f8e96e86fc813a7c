"""A test set opens under a registered plan alone, leaves a line before anything is scored, and is paid for in alpha."""

import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from domain.errors import NotFound, PlanNotRegistered
from models.plans import PLANS, plan_file
from pipelines import opening, plans, validating
from pipelines.wiring import Offline

pytestmark = pytest.mark.slow
TASK, SOURCE = "chest_xray_pneumonia", "phantom_chest"
REFUSED, DATA_PROBLEM, ALTERED = 4, 5, 6  # exit codes
Captured = pytest.CaptureFixture[str]


def test_without_a_registered_plan_nothing_is_opened_scored_or_written(installation: Any, capsys: Captured) -> None:
    before = installation.written()
    assert installation.stage() == REFUSED
    said = capsys.readouterr().err
    assert said.startswith("validate: ")
    assert "fiducial plan register" in said, said
    assert installation.written() == before
    assert installation.ledger() == ()


def test_a_plan_changed_by_one_byte_after_registration_is_refused(installation: Any) -> None:
    installation.register()
    file = plan_file(TASK, folder=installation.root.copy / PLANS)
    file.write_bytes(file.read_bytes() + b"\n")
    before = installation.written()
    assert installation.stage() == REFUSED
    assert installation.written() == before


def test_a_plan_registered_by_another_tenant_does_not_count(installation: Any) -> None:
    root = installation.root
    elsewhere = Offline(root.settings.model_copy(update={"tenant": "elsewhere"}))
    plan = plans.register(TASK, by="Planner", root=elsewhere)
    elsewhere.database.close()
    with pytest.raises(PlanNotRegistered):
        opening.door(TASK, plan.sha256, root=root, folder=root.copy)
    assert installation.stage() == REFUSED
    assert installation.ledger() == ()


def test_registering_the_same_bytes_again_keeps_who_did_it_first_and_adds_no_event(installation: Any) -> None:
    first = plans.register(TASK, by="Planner", root=installation.root)
    assert plans.register(TASK, by="Somebody else", root=installation.root) == first
    assert installation.audited(f"{TASK} {first.sha256[:12]}") == [("plan.registered", "Planner", "success")]


def test_a_validation_that_dies_after_the_opening_has_its_lines_in_the_ledger(installation: Any) -> None:
    installation.register()
    validating.get_ready(TASK, by="Engineer", root=installation.root)
    shutil.rmtree(installation.root.store("champion", TASK))
    before = installation.written()
    assert installation.stage_alone() == DATA_PROBLEM
    opened = installation.ledger()
    assert [line.model_version for line in opened] == [f"{TASK}/network-seed1", f"{TASK}/baseline"]
    assert {(line.opened_by, line.purpose) for line in opened} == {("Engineer", "validation")}
    entity = f"{opened[0].dataset_version} for {TASK}/network-seed1"
    assert installation.audited(entity) == [("test_set.opened", "Engineer", "success")]
    named = {name for name in installation.written().keys() - before.keys() if not name.startswith("line ")}
    assert {Path(name).name for name in named} <= {"sbom.cdx.json"}  # no report, no predictions


def test_a_model_that_was_altered_is_not_let_near_the_test_set(installation: Any, capsys: Captured) -> None:
    installation.register()
    validating.get_ready(TASK, by="Engineer", root=installation.root)
    model = installation.root.store("checkpoints", TASK, "network-seed1", "model.onnx")
    model.write_bytes(model.read_bytes() + b"\0")
    assert installation.stage_alone() == ALTERED
    assert "network-seed1 is not the one that was trained" in capsys.readouterr().err
    model.unlink()
    with pytest.raises(NotFound, match=r"network-seed1 has no model\.onnx"):
        installation.stage()
    assert installation.ledger() == ()


def test_validating_again_adds_lines_and_changes_no_report(validated: Any) -> None:
    files = [
        validated.report_file(variant).with_name(name)
        for variant in ("network-seed1", "baseline")
        for name in ("report.json", "report.html", "gallery.json")
    ]
    before = [file.read_bytes() for file in files]
    assert [line.number for line in validated.ledger()] == [1, 2]
    validated.validated("first")
    assert [file.read_bytes() for file in files] == before
    assert [line.number for line in validated.ledger()] == [1, 2, 3, 4]


def test_the_kth_different_model_is_judged_at_alpha_by_k_and_its_report_says_so(validated: Any) -> None:
    ranks = {variant: validated.report(variant).reuse for variant in ("network-seed1", "baseline")}
    alpha = ranks["network-seed1"].alpha
    assert (ranks["network-seed1"].models, ranks["network-seed1"].adjusted_alpha) == (1, alpha)
    assert (ranks["baseline"].models, ranks["baseline"].adjusted_alpha) == (2, alpha / 2)

    validated.validated("second")  # another network; its baseline is the same model again
    report = validated.report("network-seed2")
    assert (report.reuse.models, report.reuse.adjusted_alpha) == (3, alpha / 3)
    assert validated.report("baseline").reuse == ranks["baseline"]
    assert [line.model_version.partition("/")[2] for line in report.ledger] == [
        "network-seed1", "baseline", "network-seed2",
    ]  # fmt: skip
    judged = [endpoint for endpoint in report.endpoints if endpoint.value is not None]
    assert {endpoint.alpha for endpoint in judged} == {alpha / 3}
    assert [endpoint.value.level for endpoint in judged] == pytest.approx([1 - 2 * alpha / 3] * len(judged))


def test_a_leak_stops_the_stage_before_the_ledger_gets_a_line(installation: Any, capsys: Captured) -> None:
    installation.register()
    samples = installation.root.store("prepared", SOURCE, "samples.parquet")
    table = pq.read_table(samples)
    rows = table.to_pylist()
    train, test = (next(row for row in rows if row["split"] == split) for split in ("train", "test"))
    train["patient_key"] = test["patient_key"]
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), samples)
    before = installation.written()
    assert installation.stage() == DATA_PROBLEM
    said = capsys.readouterr().err
    assert "same patient" in said
    assert train["sample_id"] in said
    assert installation.written() == before
