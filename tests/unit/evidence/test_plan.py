"""A plan that does not keep to its schema is refused, and the message names the place."""

from collections.abc import Callable
from typing import Any

import pytest

from domain.errors import InvalidPlan
from evidence.pccp import read_pccp
from evidence.plan import read_plan

TASK = "chest_xray_pneumonia"
BOUND = {"kind": "bound", "metric": "auroc", "at_least": 0.8}
RIVAL = {"kind": "non_inferiority", "metric": "auroc", "against": "champion"}
SIZE = {"endpoint": "auroc_at_least", "expected": 0.9, "positive_share": 0.5, "power": 0.9, "samples": 200}


def test_a_plan_is_read_with_the_digest_of_its_bytes(plan_text: Callable[..., bytes]) -> None:
    plan, digest = read_plan(plan_text(), task=TASK)

    assert plan.task == TASK
    assert digest != read_plan(plan_text() + b"\n", task=TASK)[1]


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"surprise": 1}, "surprise: Extra inputs"),
        ({"primary": [{**RIVAL, "margin": -0.05}]}, r"primary\.0\.non_inferiority\.margin"),
        ({"primary": [{**RIVAL, "margin": 0.05, "extra": 1}]}, r"primary\.0\.non_inferiority\.extra"),
        ({"primary": [{**RIVAL, "margin": float("nan")}]}, r"primary\.0\.non_inferiority\.margin"),
        ({"alpha": 0.11}, "alpha: "),
        ({"alpha": 0.0}, "alpha: "),
        ({"primary": []}, "primary: "),
        ({"primary": [BOUND, BOUND]}, "listed twice"),
        ({"primary": [{**BOUND, "at_least": None}]}, "one of at_least and at_most"),
        ({"primary": [{**BOUND, "at_most": 0.9}]}, "one of at_least and at_most"),
        ({"sample_size": [{**SIZE, "endpoint": "dice_at_least"}]}, "no primary endpoint: dice_at_least"),
        ({"secondary": [{"kind": "calibration", "metric": "calibration_slope", "low": 2, "high": 1}]}, "low must lie"),
        ({"population": "  "}, "population: .*must say something"),
        ({"schema_version": 2}, "schema_version"),
        ({"subgroups": [{"group": "income", "metric": "auroc", "at_least": 0.7, "min_n": 30}]}, r"subgroups\.0\.group"),
        ({"task": "another_task"}, "is that of another_task"),
    ],
)
def test_a_bad_plan_is_refused_with_its_place(
    changes: dict[str, Any], place: str, plan_text: Callable[..., bytes]
) -> None:
    with pytest.raises(InvalidPlan, match=f"plan.yaml of {TASK}.*{place}"):
        read_plan(plan_text(**changes), task=TASK)


def modification(*kinds: str, name: str = "retraining") -> dict[str, Any]:
    return {"name": name, "description": "Trained again.", "changes": list(kinds)}


IMPACT = {"modification": "retraining", "benefit": "Better.", "risk": "Worse.", "mitigation": "The gate."}


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"surprise": 1}, "surprise: Extra inputs"),
        ({"modifications": [modification("weights", "intended_use")]}, r"modifications\.0\.changes.*intended_use"),
        ({"modifications": [modification("finding")]}, "finding cannot be changed"),
        ({"modifications": [modification("magic")]}, r"modifications\.0\.changes\.0"),
        ({"modifications": [modification("weights", "weights")]}, "listed twice"),
        ({"modifications": [modification("weights"), modification("engine")]}, "a modification is listed twice"),
        ({"modifications": []}, "modifications: "),
        ({"impact_assessment": [IMPACT]}, "says nothing of: engine"),
        ({"impact_assessment": [{**IMPACT, "modification": "other"}]}, "no modification: other"),
        ({"impact_assessment": []}, "impact_assessment: "),
        ({"signatures": []}, "signatures: "),
        ({"signatures": [{"meaning": "approval", "role": "janitor"}]}, r"signatures\.0\.role"),
        ({"signatures": [{"meaning": "approval", "role": "quality"}] * 2}, "a signature is listed twice"),
        ({"modification_protocol": {}}, r"modification_protocol\.data"),
        ({"task": "another_task"}, "is that of another_task"),
    ],
)
def test_a_bad_change_control_plan_is_refused_with_its_place(
    changes: dict[str, Any], place: str, pccp_text: Callable[..., bytes]
) -> None:
    with pytest.raises(InvalidPlan, match=f"pccp.yaml of {TASK}.*{place}"):
        read_pccp(pccp_text(**changes), task=TASK)


def test_a_change_control_plan_is_read(pccp_text: Callable[..., bytes]) -> None:
    plan, digest = read_pccp(pccp_text(), task=TASK)

    assert [one.name for one in plan.modifications] == ["retraining", "engine"]
    assert len(digest) == 64


@pytest.mark.parametrize("data", [b"a: [", b"\xff\xfe", b"- 1", b""])
def test_bytes_that_are_no_document_are_refused(data: bytes) -> None:
    with pytest.raises(InvalidPlan, match=f"plan.yaml of {TASK}"):
        read_plan(data, task=TASK)
