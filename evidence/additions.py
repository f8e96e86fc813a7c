"""What a report holds beside the results of its scored sets."""

from dataclasses import dataclass, fields
from typing import Any

from domain.change_control import TestSetOpening
from evidence.engine_record import EngineReport
from evidence.judgement import EndpointResult, FloorResult, PlannedValidation, ReuseCost
from evidence.record import (
    Adaptation,
    Checklist,
    Comparison,
    Environment,
    LeakageCheck,
    MapFaithfulness,
    ReferenceStandard,
    RobustnessResult,
    TableOne,
)
from evidence.uncertainty_record import UncertaintyResults


@dataclass(frozen=True, slots=True, kw_only=True)
class Additions:
    """Fields of ``ValidationReport`` of the same names; what is left out stays empty there."""

    planned: PlannedValidation | None = None
    ledger: tuple[TestSetOpening, ...] = ()
    reuse: ReuseCost | None = None
    reference_standards: tuple[ReferenceStandard, ...] = ()
    table_one: TableOne | None = None
    leakage: LeakageCheck | None = None
    endpoints: tuple[EndpointResult, ...] = ()
    floors: tuple[FloorResult, ...] = ()
    champion: Comparison | None = None
    adaptation: Adaptation | None = None
    robustness: tuple[RobustnessResult, ...] = ()
    faithfulness: MapFaithfulness | None = None
    uncertainty: UncertaintyResults | None = None
    engine: EngineReport | None = None
    environment: Environment | None = None
    checklists: tuple[Checklist, ...] = ()

    def parts(self) -> dict[str, Any]:
        """Each part by the name of its field."""
        return {part.name: getattr(self, part.name) for part in fields(self)}
