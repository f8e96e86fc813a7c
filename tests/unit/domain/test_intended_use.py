"""Inside or outside the intended use: decided from attributes alone, and missing means outside."""

import pytest

from domain.intended_use import ImageAttributes, IntendedUse

CHILDREN = IntendedUse(
    statement="Frontal chest radiographs of children.",
    modalities=frozenset({"CR", "DX"}), body_parts=frozenset({"CHEST"}), view_positions=frozenset({"AP", "PA"}),
    min_age_years=1, max_age_years=17,
)  # fmt: skip
INSIDE = ImageAttributes(modality="DX", body_part_examined="CHEST", view_position="PA", age_years=4)


def test_a_study_inside_is_not_refused() -> None:
    assert CHILDREN.refusals(INSIDE) == ()


def test_case_and_padding_of_dicom_values_do_not_matter() -> None:
    assert CHILDREN.refusals(INSIDE.model_copy(update={"body_part_examined": "Chest "})) == ()


@pytest.mark.parametrize("age_years", [1, 17])
def test_the_age_limits_themselves_are_inside(age_years: float) -> None:
    assert CHILDREN.refusals(INSIDE.model_copy(update={"age_years": age_years})) == ()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"modality": "CT"}, "modality is not one of CR, DX"),
        ({"body_part_examined": "HAND"}, "body_part_examined is not one of CHEST"),
        ({"view_position": "LL"}, "view_position is not one of AP, PA"),
        ({"age_years": 0.5}, "age_years is below 1"),
        ({"age_years": 18}, "age_years is above 17"),
    ],
)
def test_outside_is_refused_with_its_reason(change: dict[str, object], reason: str) -> None:
    assert CHILDREN.refusals(INSIDE.model_copy(update=change)) == (reason,)


@pytest.mark.parametrize("attribute", ["modality", "body_part_examined", "view_position", "age_years"])
def test_what_is_not_stated_is_outside(attribute: str) -> None:
    assert CHILDREN.refusals(INSIDE.model_copy(update={attribute: None})) == (f"{attribute} is not stated",)


def test_an_empty_value_counts_as_not_stated() -> None:
    assert CHILDREN.refusals(INSIDE.model_copy(update={"modality": " "})) == ("modality is not stated",)


def test_every_reason_is_given_at_once() -> None:
    assert len(CHILDREN.refusals(ImageAttributes())) == 4


def test_a_task_without_age_limits_does_not_ask_for_the_age() -> None:
    anyone = CHILDREN.model_copy(update={"min_age_years": None, "max_age_years": None})
    assert anyone.refusals(INSIDE.model_copy(update={"age_years": None})) == ()


def test_a_reason_never_repeats_what_the_header_said() -> None:
    (reason,) = CHILDREN.refusals(INSIDE.model_copy(update={"modality": "DOE^JANE"}))
    assert "DOE" not in reason
