"""A plan amended after a look may ask more, never less."""

from collections.abc import Callable
from typing import Any

import pytest

from domain.errors import InvalidPlan
from evidence.amendment import loosened
from evidence.plan import ValidationPlan, read_plan

TASK = "chest_xray_pneumonia"
Text = Callable[..., bytes]
PRIMARY: list[dict[str, Any]] = [
    {"kind": "bound", "metric": "auroc", "at_least": 0.8},
    {"kind": "bound", "metric": "brier", "at_most": 0.2},
    {"kind": "non_inferiority", "metric": "auroc", "against": "champion", "margin": 0.05},
    {"kind": "calibration", "metric": "calibration_slope", "low": 0.5, "high": 2.0},
]
FLOOR = {"group": "sex", "metric": "auroc", "at_least": 0.7, "min_n": 30}


def plan(text: Text, **changes: Any) -> ValidationPlan:
    return read_plan(text(**{"primary": PRIMARY, **changes}), task=TASK)[0]


def primary(place: int, **changes: Any) -> list[dict[str, Any]]:
    return [{**endpoint, **changes} if i == place else endpoint for i, endpoint in enumerate(PRIMARY)]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"alpha": 0.05}, "alpha 0.025 became 0.05"),
        ({"min_sensitivity": 0.9}, "min_sensitivity 0.95 became 0.9"),
        ({"primary": primary(0, at_least=0.51)}, "auroc_at_least asks less"),
        ({"primary": primary(1, at_most=0.25)}, "brier_at_most asks less"),
        ({"primary": primary(2, margin=0.2)}, "auroc_not_inferior_to_champion asks less"),
        ({"primary": primary(3, high=3.0)}, "calibration_slope_within asks less"),
        ({"primary": PRIMARY[:3]}, "calibration_slope_within is no longer primary"),
        ({"subgroups": []}, "auroc_floor_by_sex was dropped"),
        ({"subgroups": [{**FLOOR, "at_least": 0.6}]}, "auroc_floor_by_sex asks less"),
        ({"subgroups": [{**FLOOR, "min_n": 400}]}, "auroc_floor_by_sex asks less"),
        ({"test_set_reuse": {"adjustment": "none", "max_models": 3}}, "the adjustment for reuse was dropped"),
        ({"test_set_reuse": {"adjustment": "bonferroni", "max_models": 99}}, "max_models 3 became 99"),
    ],
)  # fmt: skip
def test_what_asks_less_is_named(plan_text: Text, changes: dict[str, Any], said: str) -> None:
    assert loosened(plan(plan_text), plan(plan_text, **changes)) == (said,)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"alpha": 0.01, "population": "Children and adolescents."},
        {"primary": [*primary(0, at_least=0.9), {"kind": "bound", "metric": "specificity", "at_least": 0.5}]},
        {"primary": primary(2, margin=0.02)},
    ],
)
def test_the_same_or_a_stricter_plan_is_no_looser(plan_text: Text, changes: dict[str, Any]) -> None:
    assert loosened(plan(plan_text), plan(plan_text, **changes)) == ()


def test_a_key_that_stands_twice_is_refused_with_its_line(plan_text: Text) -> None:
    with pytest.raises(InvalidPlan, match=r"has a key twice at line \d+"):
        read_plan(plan_text() + b"alpha: 0.05\n", task=TASK)
