"""What a task may be used for, and the rule that says whether an instance is inside it."""

from pydantic import BaseModel, ConfigDict, field_serializer


class ImageAttributes(BaseModel):
    """What an instance says of itself, read from DICOM or declared on upload. ``None`` means: not stated."""

    model_config = ConfigDict(frozen=True)

    modality: str | None = None  # (0008,0060)
    body_part_examined: str | None = None  # (0018,0015)
    view_position: str | None = None  # (0018,5101)
    age_years: float | None = None  # (0010,1010)
    sex: str | None = None  # (0010,0040)


class IntendedUse(BaseModel):
    """The device's intended use (US) or intended purpose (EU), as far as an image header can tell."""

    model_config = ConfigDict(frozen=True)

    statement: str
    modalities: frozenset[str]
    body_parts: frozenset[str]
    view_positions: frozenset[str]
    min_age_years: float | None = None
    max_age_years: float | None = None

    # A set has no order, and a manifest or report that holds one must have one digest.
    @field_serializer("modalities", "body_parts", "view_positions", when_used="json")
    def _in_order(self, terms: frozenset[str]) -> list[str]:
        return sorted(terms)

    def refusals(self, attributes: ImageAttributes) -> tuple[str, ...]:
        """Why an instance is outside the intended use; empty when inside. Missing is outside: refuse, do not guess."""
        reasons = [
            _not_in("modality", attributes.modality, self.modalities),
            _not_in("body_part_examined", attributes.body_part_examined, self.body_parts),
            _not_in("view_position", attributes.view_position, self.view_positions),
            self._age_refusal(attributes.age_years),
        ]
        return tuple(reason for reason in reasons if reason)

    def _age_refusal(self, age_years: float | None) -> str:
        if self.min_age_years is None and self.max_age_years is None:
            return ""
        if age_years is None:
            return "age_years is not stated"
        if self.min_age_years is not None and age_years < self.min_age_years:
            return f"age_years is below {self.min_age_years:g}"
        if self.max_age_years is not None and age_years > self.max_age_years:
            return f"age_years is above {self.max_age_years:g}"
        return ""


def _not_in(name: str, value: str | None, allowed: frozenset[str]) -> str:
    if value is None or not value.strip():
        return f"{name} is not stated"
    if value.strip().upper() not in allowed:
        return f"{name} is not one of {', '.join(sorted(allowed))}"
    return ""
