"""The three checklists of a report, filled from the report itself."""

from evidence.checklists.claim_2024 import CLAIM_2024
from evidence.checklists.item import Guideline, Item
from evidence.checklists.stard_ai import STARD_AI
from evidence.checklists.tripod_ai import TRIPOD_AI
from evidence.record import Checklist, ChecklistItem, ValidationReport

GUIDELINES = (CLAIM_2024, STARD_AI, TRIPOD_AI)


def fill(report: ValidationReport) -> tuple[Checklist, ...]:
    """CLAIM 2024, STARD-AI and TRIPOD+AI, every item in its place; one that the run cannot answer has an empty
    answer and no place. ``report.checklists`` is not looked at.
    """
    return tuple(_filled(guideline, report) for guideline in GUIDELINES)


def _filled(guideline: Guideline, report: ValidationReport) -> Checklist:
    items = tuple(_answered(item, report) for item in guideline.items)
    return Checklist(name=guideline.name, citation=guideline.citation, items=items)


def _answered(item: Item, report: ValidationReport) -> ChecklistItem:
    answer = item.answer(report) if item.answer else ""
    return ChecklistItem(
        number=item.number, section=item.section, asks=item.asks, answer=answer, where=item.where if answer else ""
    )
